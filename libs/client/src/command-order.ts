import type { NamespaceStore } from './namespace-store';
import type { Append, PointRead } from './operations';
import type { Store } from './store';

/** The last write of a partition that this connection has not seen logged. */
interface PendingWrite {
  readonly append: Append;
  /** Given to the store; before that it waits behind a read of its key. */
  handed: boolean;
  readonly afterHanded: (() => void)[];
}

/**
 * Order of the pipelined commands of one connection in one namespace: a read sees the writes sent before it, a write
 * does not overtake a read of its key sent before it. Everything else runs side by side.
 */
export class CommandOrder {
  private reads: PointRead[] = [];
  private compactAt = compactMin;
  private readonly writes = new Map<number, PendingWrite>();

  constructor(
    private readonly store: Store,
    private readonly namespace: NamespaceStore,
  ) {}

  read(read: PointRead): void {
    this.remember(read);
    if (this.writes.size > 0) {
      this.namespace.place(read);
      const pending = this.writes.get(read.partition);
      if (pending) return pending.append.thenLogged(() => this.store.read(this.namespace, read));
    }
    this.store.read(this.namespace, read);
  }

  /** With `after`, never before that read is settled (whatever became of it). */
  write(append: Append, after?: PointRead): void {
    this.namespace.place(append);
    this.store.startTime(append);
    const { partition } = append;
    const previous = this.writes.get(partition);
    const pending: PendingWrite = { append, handed: false, afterHanded: [] };
    this.writes.set(partition, pending);
    const hand = (): void => {
      this.store.append(this.namespace, append);
      pending.handed = true;
      for (const action of pending.afterHanded) action();
    };
    append.thenLogged(() => {
      if (this.writes.get(partition) === pending) this.writes.delete(partition);
    });
    const behind = after ?? this.unsettledReadOf(append);
    const step = behind ? (): void => behind.then(hand) : hand;
    if (previous && !previous.handed) previous.afterHanded.push(step);
    else step();
  }

  private unsettledReadOf(append: Append): PointRead | undefined {
    for (let i = this.reads.length - 1; i >= 0; i--) {
      const read = this.reads[i] as PointRead;
      if (!read.settled && read.key.equals(append.key)) return read;
    }
    return undefined;
  }

  private remember(read: PointRead): void {
    if (this.reads.length >= this.compactAt) {
      this.reads = this.reads.filter(({ settled }) => !settled);
      this.compactAt = Math.max(compactMin, this.reads.length * 2);
    }
    this.reads.push(read);
  }
}

const compactMin = 32;
