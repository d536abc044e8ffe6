import type { Offset, Partition } from '@levee/kernel';
import type { EngineContext } from '../engine-context';
import type { FenceWaiter, ReadSession } from '../operations';
import type { NamespaceStore } from '../routes/namespace-store';
import type { ReadNamespace } from '../routes/read-namespace';
import { StoreFailure } from '../store-errors';

/** A position that somebody asks for and no replica reaches. */
export interface AskedPosition {
  readonly partition: Partition;
  readonly nextOffset: Offset;
  /** Of who asks: what it saw of the log's lost part is forgotten, and what this process wrote there. */
  readonly session: ReadSession | undefined;
}

/** Finds out what became of a position that no replica reaches. */
export interface PositionLook {
  /** `told` gets `failure`, or what became of the position. */
  look(
    namespace: ReadNamespace,
    asked: AskedPosition,
    failure: StoreFailure,
    told: (failure: StoreFailure) => void,
  ): void;
}

type Fence = (namespace: NamespaceStore, partition: Partition, waiter: FenceWaiter) => void;

/**
 * Positions that no log will ever reach: sessions saw them, then the log lost its end, and people let it go, or a repair
 * brought back its records at other offsets. Whoever asks is told so once, and goes on from the log as it is.
 *
 * [safety] Only a fence is proof: it was appended after the question, so a position above it is none of this log (I4). A
 * look at the end would not do: a deposed leader has an older one. While a witness is known fences are refused.
 */
export class LostPositions implements PositionLook {
  constructor(
    private readonly context: EngineContext,
    private readonly fence: Fence,
  ) {}

  look(
    namespace: NamespaceStore,
    asked: AskedPosition,
    failure: StoreFailure,
    told: (failure: StoreFailure) => void,
  ): void {
    const deadlineAtMs = this.context.clock.monotonicMs() + this.context.limits.lostLookMs;
    this.fence(namespace, asked.partition, {
      deadlineAtMs,
      fenced: (endOffset) => told(this.judge(namespace, asked, endOffset) ?? failure),
      fenceFailed: () => told(failure),
    });
  }

  /** `endOffset`: behind a fence that was appended after the question. `undefined`: the log holds the position. */
  judge(
    namespace: NamespaceStore,
    { partition, nextOffset, session }: AskedPosition,
    endOffset: Offset,
  ): StoreFailure | undefined {
    if (nextOffset <= endOffset) return undefined;
    session?.letGo(partition, endOffset);
    namespace.writes.letGo(partition, endOffset);
    const { binlog } = namespace.state;
    return new StoreFailure(
      'LVSESSION',
      `position ${partition}:${nextOffset} is none of ${binlog} any more, which ends at ${partition}:${endOffset}: its log ` +
        'lost what was written there, and people let it go or brought it back at other offsets (or it never was one). ' +
        'This session goes on from the end of the log; read again, and write again what is missing',
    );
  }
}
