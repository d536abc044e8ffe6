import type { Offset, Partition } from '@levee/kernel';
import type { Log, LogRecord } from '@levee/log';

/** How the contract gets at an adapter. One harness per storage; `open` is called once for every case. */
export interface LogHarness {
  /** A log nobody else in this process uses. Topics of other cases may exist; the cases use unique names. */
  open(): Promise<LogUnderTest>;

  /**
   * The faults this storage cannot have or this harness cannot cause, each with the reason. A case whose fault is
   * listed here asserts only that the harness does not offer it; a fault neither offered nor listed fails its case.
   */
  readonly notApplicable: Partial<Record<FaultName, string>>;

  /** Why `passOver` is refused here; such an adapter names no damaged stretches either. */
  readonly cannotPassOver?: string;

  /** Most time one step of a case may take; default 20,000 ms. */
  readonly deadlineMs?: number;

  /** Settings every topic of a case gets beside its own, in Kafka's words. */
  readonly topicSettings?: Readonly<Record<string, string>>;
  /** Settings with which {@link LogFaults.compact} works within the deadline, such as short segments. */
  readonly compactedSettings?: Readonly<Record<string, string>>;
}

export interface LogUnderTest {
  readonly log: Log;
  /** Closes the log if that was not done and opens the same storage again, as a new process would. Twice and more. */
  reopen(): Promise<Log>;
  readonly faults: LogFaults;
  /** Closes what is open and removes what can be removed. */
  dispose(): Promise<void>;
}

export type FaultName = keyof LogFaults;

/** What can be done to the storage behind the adapter's back. All optional: see {@link LogHarness.notApplicable}. */
export interface LogFaults {
  /** The next append reaches the storage and is stored, but its answer never reaches the adapter. */
  loseNextAppendResponse?(): Promise<void>;

  /** Makes the adapter's next sequence number of this partition `sequence` (int32, wraps to 0 after 2^31 - 1). */
  setNextSequence?(topic: string, partition: Partition, sequence: number): Promise<void>;

  /** The storage answers no append until the returned function is called; appends wait in the adapter. */
  pauseAppends?(): Promise<() => Promise<void>>;

  /**
   * Has the cleaner run over everything cleanable of the partition of a compacted topic made with
   * `compactedSettings`. It may append records under the key `compaction-nudge` to roll segments; everything appended
   * before the call is cleanable. Resolves when the cleaner is done with it, or was surely asked to run: the case then
   * waits for what it wants to see.
   */
  compact?(topic: string, partition: Partition): Promise<void>;

  /** Another client's transaction with `records` in it, left open until the returned object ends it. */
  openForeignTransaction?(
    topic: string,
    partition: Partition,
    records: readonly LogRecord[],
  ): Promise<ForeignTransaction>;

  /** `count` transactions of ONE foreign producer, one record each (keys `aborted-0` …), every one aborted. */
  abortForeignTransactions?(topic: string, partition: Partition, count: number): Promise<void>;

  /** Appends `records` as a compressed batch, for storages whose records can be compressed by other clients. */
  appendCompressed?(topic: string, partition: Partition, records: readonly LogRecord[]): Promise<void>;

  /** Damages the stored bytes of the record at `offset`, as a bad disk does; reads of it must find out. May reopen. */
  corrupt?(topic: string, partition: Partition, offset: Offset): Promise<Log | void>;

  /** Damages the next fetched bytes on their way once; reading again gives the undamaged ones. */
  corruptNextFetch?(): Promise<void>;

  /** The entry or batch that holds `offset` vanishes silently, leaving a hole that compaction does not explain. */
  loseRecord?(topic: string, partition: Partition, offset: Offset): Promise<Log | void>;

  /**
   * The partition loses everything from `endOffset` on and goes on under a higher leader epoch, as after an unclean
   * election or a disk restored from an old copy. The adapter may be reopened by it: returns the log to go on with.
   */
  truncate?(topic: string, partition: Partition, endOffset: Offset): Promise<Log>;

  /** Removes everything below `startOffset` (retention, DeleteRecords). */
  deleteRecordsBefore?(topic: string, partition: Partition, startOffset: Offset): Promise<void>;

  /** Storage out of reach until the returned function is called: appends and reads do not get through. */
  cutOff?(): Promise<() => Promise<void>>;

  /** Ends the adapter without a goodbye (power loss, kill -9) and opens the storage again. */
  crash?(seed: number): Promise<Log>;
}

interface ForeignTransaction {
  commit(): Promise<void>;
  abort(): Promise<void>;
}
