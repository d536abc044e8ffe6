import type { AbstractDatabaseOptions } from 'abstract-level';
import { CrashLevel } from './crash-level';

/** What survives of the writes that were not synced: nothing, some first ones, or those and a torn one. */
export type PowerLossMode = 'forget' | 'prefix' | 'tear';

export interface WriteOperation {
  readonly type: 'put' | 'del';
  readonly key: Buffer;
  /** Absent for `del`. */
  readonly value?: Buffer;
}

/**
 * What lies between a database and its disk, for tests that decide when, and whether, a write happens: calls `write` at
 * most once, and resolves when the caller may be told. A promise that stays open is a process that is no more.
 */
export type WayToDisk = (content: Uint8Array, write: () => void) => Promise<void>;

/** One `put`, `del` or `batch`; LevelDB appends it to its write-ahead log as one record. */
export type Write = readonly WriteOperation[];

/**
 * The platter under a {@link CrashLevel}: what would be found after the power came back.
 *
 * Model: writes go to one append-only file. A write with `sync: true` resolves when itself and every earlier write is
 * on the platter. After power loss any prefix of the rest may be there, the next write perhaps torn: some of its
 * operations missing, the last one's value cut. LevelDB itself drops a torn record; whoever survives tearing survives
 * engines with weaker promises too. Closing without power loss keeps everything: the operating system has the pages.
 */
export class CrashDisk {
  private readonly durable = new Map<string, Buffer>();
  private unsynced: Write[] = [];
  private mounted: CrashLevel<unknown, unknown> | undefined;
  private gate: { readonly opened: Promise<void>; readonly open: () => void } | undefined;
  private syncs = 0;

  /** A lying disk, or code that forgot `sync: true`: tests must fail on it. May be changed at any time. */
  ignoreSync: boolean;

  constructor(options: { readonly ignoreSync?: boolean } = {}) {
    this.ignoreSync = options.ignoreSync ?? false;
  }

  /** A database on this disk. One at a time: the last one must be closed, or have lost its power. */
  open<K = Buffer, V = Buffer>(
    options: AbstractDatabaseOptions<K, V> = { keyEncoding: 'buffer', valueEncoding: 'buffer' },
    way: WayToDisk = straight,
  ): CrashLevel<K, V> {
    if (this.mounted !== undefined && this.mounted.status !== 'closed')
      throw new Error('the disk already holds an open database: close it, or call powerLoss first');
    const level = new CrashLevel<K, V>(this, options, way);
    this.mounted = level as unknown as CrashLevel<unknown, unknown>;
    return level;
  }

  /**
   * Ends the open database without a goodbye (each of its later operations fails, writes under way never succeed) and
   * drops what the platter had not got. The same seed drops the same. Resolves when {@link open} may be called again.
   */
  async powerLoss(seed: number, mode: PowerLossMode = modeOf(seed)): Promise<void> {
    const dice = diceOf(seed);
    const kept = mode === 'forget' ? 0 : Math.floor(dice() * (this.unsynced.length + 1));
    for (const write of this.unsynced.slice(0, kept)) this.apply(write);
    const next = this.unsynced[kept];
    if (mode === 'tear' && next !== undefined) this.apply(torn(next, dice));
    this.unsynced = [];
    const level = this.mounted;
    this.mounted = undefined;
    level?.cutPower();
    this.releaseSyncs();
    if (level !== undefined) await level.close().catch(() => undefined);
  }

  /**
   * The process that has the database open is killed: what it wrote is there, synced or not, and the disk may be opened
   * again. Whoever calls this keeps the dead from acting on.
   */
  processDeath(): void {
    this.mounted = undefined;
  }

  /** From now on writes with `sync: true` are not on the platter, and do not resolve, until {@link releaseSyncs}. */
  holdSyncs(): void {
    if (this.gate !== undefined) return;
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    this.gate = { opened, open };
  }

  releaseSyncs(): void {
    this.gate?.open();
    this.gate = undefined;
  }

  /** Number of writes that asked for `sync: true`. */
  get syncCount(): number {
    return this.syncs;
  }

  /** Flips one bit of a stored value or removes the key (`value` undefined), as a bad platter does. Database closed. */
  damage(key: Uint8Array, change: (value: Buffer) => Buffer | undefined): void {
    this.flush();
    const name = nameOf(key);
    const value = this.durable.get(name);
    if (value === undefined) throw new Error(`nothing is stored under ${Buffer.from(key).toString('hex')}`);
    const changed = change(Buffer.from(value));
    if (changed === undefined) this.durable.delete(name);
    else this.durable.set(name, changed);
  }

  /** What a database opened now would hold, in no particular order. */
  contents(): Array<readonly [key: Buffer, value: Buffer]> {
    this.flush();
    return [...this.durable].map(([name, value]) => [Buffer.from(name, 'latin1'), value] as const);
  }

  /** For {@link CrashLevel}: notes a write; resolves when the caller may be told. */
  async written(write: Write, sync: boolean): Promise<void> {
    this.unsynced.push(write);
    if (!sync) return;
    this.syncs++;
    const gate = this.gate;
    // A turn of the event loop: power may be lost between the write and its sync.
    await (gate === undefined ? new Promise<void>((resolve) => setImmediate(resolve)) : gate.opened);
    if (this.ignoreSync) return;
    const at = this.unsynced.indexOf(write);
    if (at < 0) return;
    for (const done of this.unsynced.splice(0, at + 1)) this.apply(done);
  }

  /** The page cache keeps what a process wrote when only the process ends: not durable, but there. */
  private flush(): void {
    if (this.mounted !== undefined && this.mounted.status === 'open')
      throw new Error('close the database first: it would not see the change');
    for (const write of this.unsynced) this.apply(write);
    this.unsynced = [];
  }

  /** For {@link CrashLevel}: everything written so far, synced or not. */
  readable(): Map<string, Buffer> {
    const all = new Map(this.durable);
    for (const write of this.unsynced) applyTo(all, write);
    return all;
  }

  private apply(write: Write): void {
    applyTo(this.durable, write);
  }
}

const straight: WayToDisk = (_content, write) => {
  write();
  return Promise.resolve();
};

function applyTo(entries: Map<string, Buffer>, write: Write): void {
  for (const operation of write) {
    if (operation.value === undefined) entries.delete(nameOf(operation.key));
    else entries.set(nameOf(operation.key), operation.value);
  }
}

function torn(write: Write, dice: () => number): Write {
  const kept = write.slice(0, Math.floor(dice() * write.length) + 1);
  const last = kept.at(-1);
  if (last?.value === undefined) return kept.slice(0, -1);
  const cut = last.value.subarray(0, Math.floor(dice() * last.value.length));
  return [...kept.slice(0, -1), { ...last, value: Buffer.from(cut) }];
}

const nameOf = (key: Uint8Array): string => Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');

const modes: readonly PowerLossMode[] = ['forget', 'prefix', 'tear'];
const modeOf = (seed: number): PowerLossMode => modes[Math.abs(Math.trunc(seed)) % modes.length] ?? 'forget';

/** Mulberry32 (Tommy Ettinger, public domain): uniform in [0, 1). */
function diceOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
