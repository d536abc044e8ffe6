import {
  type Append,
  type AppendLine,
  type NamespaceStore,
  type PointRead,
  type ReadLine,
  type Store,
  UnsettledReads,
} from '@levee/client';

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
  private readonly reads = new UnsettledReads();
  private readonly writes = new Map<number, PendingWrite>();

  constructor(
    private readonly store: Store,
    private readonly namespace: NamespaceStore,
    /** In which its reads and its writes wait for their turn. */
    private readonly lines: { readonly reads: ReadLine; readonly writes: AppendLine },
  ) {}

  read(read: PointRead): void {
    read.line = this.lines.reads;
    this.namespace.place(read);
    this.reads.add(read);
    if (this.writes.size > 0) {
      const pending = this.writes.get(read.partition);
      if (pending) return pending.append.thenLogged(() => this.store.read(this.namespace, read));
    }
    this.store.read(this.namespace, read);
  }

  /** Runs `action` once every write sent before is in the log, or has failed. */
  afterWrites(action: () => void): void {
    let left = this.writes.size;
    if (left === 0) return action();
    const one = (): void => {
      if (--left === 0) action();
    };
    for (const { append } of [...this.writes.values()]) append.thenLogged(one);
  }

  /** With `after`, never before that read is settled (whatever became of it). */
  write(append: Append, after?: PointRead): void {
    append.line = this.lines.writes;
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
    const behind = after ?? this.reads.newestOf(append);
    const step = behind ? (): void => behind.then(hand) : hand;
    if (previous && !previous.handed) previous.afterHanded.push(step);
    else step();
  }
}
