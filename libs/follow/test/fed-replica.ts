import { dataRange, openMemory, Replica, type ReplicaDatabase } from '@levee/chunk-store';
import { type BadRecord, type FeedMember, type FeedOptions, LogClock, PartitionFeed } from '@levee/follow';
import { asPartition, type Partition, silentLogger } from '@levee/kernel';
import { type LogFailure, type StoredRecord, systemClock, systemTimers } from '@levee/log';
import { ApplyBudget, ApplyPace } from '../src/apply-pace';
import { type ScriptedLog, scriptedIdentity, scriptedPlace } from './scripted-log';

/** A replica in memory at the end of a feed, whose writes a test may hold back or let fail. */
export class FedReplica implements FeedMember {
  /** What it was told, in order. */
  readonly told: { readonly nextOffset: number; readonly atEndMs: number | undefined }[] = [];
  /** What the log lost of it. */
  readonly rebuilds: string[] = [];
  readonly failures: unknown[] = [];
  readonly troubles: string[] = [];
  trusted = true;
  /** Digests that were asked for and taken, with what was applied then. */
  readonly digests: string[] = [];
  digesting = false;
  private gate: Promise<void> | undefined;
  private open: () => void = () => undefined;
  private failing: Error | undefined;

  private constructor(
    readonly name: string,
    readonly replica: Replica,
  ) {}

  static async open(name: string): Promise<FedReplica> {
    const db = await openMemory();
    const fed = new FedReplica(name, await Replica.open(db, scriptedIdentity));
    fed.bend(db);
    return fed;
  }

  /** Applied. */
  get at(): number {
    return this.replica.nextOffset(0);
  }

  /** Said to have stood at the end since it was told so many things. */
  atEndSince(told: number): boolean {
    return this.told.slice(told).some(({ atEndMs }) => atEndMs !== undefined);
  }

  /** Writes wait from now on. */
  hold(): void {
    this.gate ??= new Promise((resolve) => (this.open = resolve));
  }

  letGo(): void {
    this.gate = undefined;
    this.open();
  }

  /** Every write that is not done yet fails. */
  fail(error: Error): void {
    this.failing = error;
  }

  mayGoOn(): boolean {
    return this.trusted;
  }

  advanced(_: Partition, atEndMs: number | undefined): void {
    this.told.push({ nextOffset: this.at, atEndMs });
  }

  logLost(_: Partition, failure: LogFailure): void {
    this.rebuilds.push(`${failure.code}: ${failure.message}`);
  }

  unreadable(_: Partition, failure: LogFailure): void {
    this.troubles.push(failure.message);
  }

  failed(error: unknown): void {
    this.failures.push(error);
  }

  trouble(_: Partition, problem: string | undefined): void {
    if (problem !== undefined) this.troubles.push(problem);
  }

  barrier(_: Partition, digestPlan: string, { offset }: { offset: number }): void {
    if (!this.digesting) throw new Error('nobody asked for a digest');
    this.digests.push(`${digestPlan} at ${offset}, applied ${this.at}`);
  }

  wantsDigest(): boolean {
    return this.digesting;
  }

  /** Every key with the raw value of its record. */
  async contents(): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for await (const [key, stored] of this.replica.db.iterator(dataRange))
      found.set(key.subarray(2).toString(), this.replica.readStored(key, stored).raw.toString('latin1'));
    return found;
  }

  private bend(db: ReplicaDatabase): void {
    const batch = db.batch.bind(db) as () => { write: (...options: unknown[]) => Promise<void> };
    db.batch = (() => {
      const chained = batch();
      const { write } = chained;
      chained.write = async (...options) => {
        while (this.gate !== undefined) await this.gate;
        if (this.failing !== undefined) throw this.failing;
        await write.apply(chained, options);
      };
      return chained;
    }) as unknown as typeof db.batch;
  }
}

/** The feed of its one partition. */
export function feedOf(
  log: ScriptedLog,
  onBadRecord: (record: StoredRecord, problem: BadRecord) => void = () => undefined,
  place: FeedOptions['place'] = scriptedPlace,
  more: Pick<FeedOptions, 'hiddenAfterMs'> = {},
): PartitionFeed {
  const logClock = new LogClock(systemClock);
  logClock.observe(systemClock.nowMs());
  return new PartitionFeed(log.asLog, {
    place,
    ...more,
    hashAlgorithm: scriptedIdentity.hashAlgorithm,
    recordFormat: scriptedIdentity.recordFormat,
    partition: asPartition(0),
    clock: systemClock,
    timers: systemTimers,
    logger: silentLogger,
    logClock,
    pace: new ApplyPace(new ApplyBudget(systemClock), systemTimers, () => false),
    idleMs: () => 10,
    onBadRecord,
  });
}
