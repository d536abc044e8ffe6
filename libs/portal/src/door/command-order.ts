import {
  type Append,
  type AppendLine,
  type NamespaceStore,
  type PointRead,
  type ReadLine,
  SeenBefore,
  type Store,
  UnsettledReads,
} from '@levee/client';
import type { Session } from '@levee/keyspace';

/** A write that this connection has not seen logged. */
interface PendingWrite {
  readonly append: Append;
  /** The one of its partition that was sent before it. */
  before: PendingWrite | undefined;
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
  /** By partition, the last one. */
  private readonly writes = new Map<number, PendingWrite>();

  constructor(
    private readonly store: Store,
    private readonly namespace: NamespaceStore,
    /** In which its reads and its writes wait for their turn. */
    private readonly lines: { readonly reads: ReadLine; readonly writes: AppendLine },
  ) {}

  read(read: PointRead): void {
    this.readAfter(this.writes, read);
  }

  /**
   * For session reads of one command that reads each key before it writes it: they see what was sent and written before
   * this call, and need not see what the command writes to other keys meanwhile.
   */
  readsAsOfNow(session: Session | undefined): (read: PointRead) => void {
    const writes = new Map(this.writes);
    const seen = new SeenBefore(this.namespace, session);
    return (read) => {
      read.seenBefore = seen;
      this.readAfter(writes, read);
    };
  }

  private readAfter(writes: ReadonlyMap<number, PendingWrite>, read: PointRead): void {
    read.line = this.lines.reads;
    this.namespace.place(read);
    this.reads.add(read);
    const pending = writes.size > 0 ? writes.get(read.partition) : undefined;
    if (pending) return afterLogged(pending, () => this.store.read(this.namespace, read));
    this.store.read(this.namespace, read);
  }

  /** Runs `action` once every write sent before is in the log, or has failed. */
  afterWrites(action: () => void): void {
    let left = this.writes.size;
    if (left === 0) return action();
    const one = (): void => {
      if (--left === 0) action();
    };
    for (const pending of [...this.writes.values()]) afterLogged(pending, one);
  }

  /** Resolves then. */
  written(): Promise<void> {
    return new Promise((resolve) => this.afterWrites(resolve));
  }

  /** Runs `action` once every read and write sent before is answered, or has failed: the session knows them then. */
  afterAll(action: () => void): void {
    const reads = [...this.reads.all()];
    let left = reads.length + 1;
    const one = (): void => {
      if (--left === 0) action();
    };
    for (const read of reads) read.then(one);
    this.afterWrites(one);
  }

  /** With `after`, never before that read is settled (whatever became of it). */
  write(append: Append, after?: PointRead): void {
    append.line = this.lines.writes;
    this.namespace.place(append);
    this.store.startTime(append);
    const { partition } = append;
    const previous = this.writes.get(partition);
    const pending: PendingWrite = { append, before: previous, handed: false, afterHanded: [] };
    this.writes.set(partition, pending);
    const hand = (): void => {
      this.store.append(this.namespace, append);
      pending.handed = true;
      for (const action of pending.afterHanded) action();
    };
    append.thenLogged(() => {
      const before = unloggedBefore(pending);
      pending.before = before;
      if (this.writes.get(partition) !== pending) return;
      if (before) this.writes.set(partition, before);
      else this.writes.delete(partition);
    });
    const behind = after ?? this.reads.newestOf(append);
    const step = behind ? (): void => behind.then(hand) : hand;
    if (previous && !previous.handed) previous.afterHanded.push(step);
    else step();
  }
}

/** Runs `action` once the write, and what was sent before it, is logged or has failed. */
function afterLogged(pending: PendingWrite, action: () => void): void {
  pending.append.thenLogged(() => {
    const before = unloggedBefore(pending);
    if (before) afterLogged(before, action);
    else action();
  });
}

/** Whoever sees a write that is logged sees those before it; one that failed, or was refused, says nothing of them. */
function unloggedBefore({ append, before }: PendingWrite): PendingWrite | undefined {
  if (append.nextOffset > 0 || before === undefined) return undefined;
  return before.append.settled || before.append.nextOffset > 0 ? unloggedBefore(before) : before;
}
