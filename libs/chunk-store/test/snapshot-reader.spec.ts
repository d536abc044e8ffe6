import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import {
  CopyEntries,
  type CopySource,
  dataKey,
  openLevelDb,
  openMemory,
  LoopReader,
  ReaderThread,
  Replica,
  type ReplicaDatabase,
  ReplicaSnapshot,
  type SnapshotReader,
  ThreadReader,
} from '@levee/chunk-store';
import { asPartition, silentLogger } from '@levee/kernel';
import { systemClock, systemTimers } from '@levee/log';
import { apply, identity, nowMs, PartitionScript, put } from './fixtures';

const execArgv = ['--require', join(__dirname, '..', '..', '..', 'test', 'support', 'ts-thread.cjs')];
const p0 = asPartition(0);
const whole = { slotStart: 0, slotEnd: 1_000_000 };

interface Subject {
  readonly reader: SnapshotReader;
  readonly slices: { copy: number; digest: number };
}

function threadFromSources(): ReaderThread {
  return new ReaderThread({ clock: systemClock, timers: systemTimers, logger: silentLogger, execArgv });
}

function subject(thread: ReaderThread | undefined): Subject {
  const slices = { copy: 0, digest: 0 };
  const pace = (of: 'copy' | 'digest'): { monotonicMs(): number; giveWay(bytes: number): Promise<void> } => ({
    monotonicMs: () => systemClock.monotonicMs(),
    giveWay: () => {
      slices[of]++;
      return new Promise((resolve) => setImmediate(resolve));
    },
  });
  const paces = { copy: pace('copy'), digest: pace('digest') };
  return { reader: thread === undefined ? new LoopReader(paces) : new ThreadReader(thread, paces), slices };
}

interface Disk {
  open(): Promise<ReplicaDatabase>;
  remove(): Promise<void>;
}

async function levelDisk(): Promise<Disk> {
  const folder = await mkdtemp(join(tmpdir(), 'levee-reader-'));
  return { open: () => openLevelDb(folder), remove: () => rm(folder, { recursive: true, force: true }) };
}

const memoryDisk = async (): Promise<Disk> => ({ open: openMemory, remove: async () => undefined });

/** Keys with the end of their stored values, in the order in which they come. */
async function contents(source: CopySource, bytesMax = 300): Promise<string[]> {
  const found: string[] = [];
  for (;;) {
    const { bytes, entries, last } = await source.next(bytesMax);
    const cursor = new CopyEntries(bytes);
    let count = 0;
    for (; cursor.next(); count++) {
      const value = bytes.subarray(cursor.valueStart, cursor.end - 4).toString('latin1');
      found.push(`${bytes.subarray(cursor.start + 2, cursor.valueStart).toString()}=${/value \d+$/.exec(value)?.[0]}`);
    }
    expect(count).toBe(entries);
    if (last) return found;
  }
}

describe.each([
  ['the event loop, of LevelDB', false, levelDisk],
  ['the event loop, of memory', false, memoryDisk],
  ['a thread, of LevelDB', true, levelDisk],
  ['a thread, of memory', true, memoryDisk],
] as const)('reading whole replicas in %s', (_, inThread, makeDisk) => {
  let disk: Disk;
  let db: ReplicaDatabase;
  let replica: Replica;
  let script: PartitionScript;
  let s: Subject;
  const thread = inThread ? threadFromSources() : undefined;

  afterAll(() => thread?.close());
  beforeEach(async () => {
    disk = await makeDisk();
    replica = await Replica.open((db = await disk.open()), identity);
    script = new PartitionScript();
    s = subject(thread);
    for (let i = 0; i < 3_000; i++) script.append(put(`key-${1_000 + (i % 1_500)}`, `value ${i}`));
    await script.applyTo(replica);
  });
  afterEach(async () => {
    await replica.close();
    await disk.remove();
  });

  const digest = async (): Promise<string> => {
    const snapshot = ReplicaSnapshot.take(replica);
    const found = await snapshot.digest(p0, nowMs, systemClock);
    await snapshot.close();
    return `${found.keys}:${found.digest}`;
  };

  it('a copy is the replica as it was, whatever is applied meanwhile, with the newest completeness times', async () => {
    replica.noteComplete(0, nowMs + 1);
    const copy = await s.reader.copy(replica, whole);
    script.append(put('key-1003', 'value 9999'), { key: 'key-1004', value: null }, put('later', 'value 1'));
    await script.applyTo(replica);
    expect(copy.positions).toMatchObject([{ partition: 0, nextOffset: 3_000, completeAtMs: nowMs + 1 }]);
    const found = await contents(copy);
    await copy.close();
    expect(found).toHaveLength(1_500);
    expect(found).toContain('key-1003=value 1503');
    expect(found).toContain('key-1004=value 1504');
    expect(found).toEqual([...found].sort());
  });

  it('a copy stands where the replica does, also behind records that it holds nothing of', async () => {
    const before = replica.nextOffset(0);
    script.append({ key: null, value: Buffer.from('a fence') }, { key: null, value: Buffer.from('another') });
    await apply(replica, script.batch(before, before + 2, 7));
    const copy = await s.reader.copy(replica, whole);
    expect(copy.positions).toMatchObject([{ partition: 0, nextOffset: before + 2, leaderEpoch: 7 }]);
    await copy.close();
  });

  it('a copy goes on behind a key, and has the slots that were asked for', async () => {
    const copies = await Promise.all([
      s.reader.copy(replica, { ...whole, after: Buffer.from('key-2400') }),
      s.reader.copy(replica, { slotStart: 0, slotEnd: 400_000 }),
      s.reader.copy(replica, { slotStart: 400_000, slotEnd: 1_000_000 }),
    ]);
    const [behind, left, right] = await Promise.all(copies.map((copy) => contents(copy, 10_000)));
    expect(behind).toHaveLength(99);
    expect(behind![0]).toBe('key-2401=value 2901');
    expect([...left!, ...right!].sort()).toEqual(await contents(await s.reader.copy(replica, whole)));
    expect(Math.min(left!.length, right!.length)).toBeGreaterThan(300);
  });

  it('a digest is that of its moment; what was written since a barrier can be taken back', async () => {
    const before = await digest();
    const barrier = ReplicaSnapshot.take(replica);
    script.append(put('key-1003', 'value 9999'), { key: 'key-1004', value: null }, put('later', 'value 1'));
    await script.applyTo(replica);
    const source = await s.reader.digest(replica);
    const now = await digest();
    script.append(put('key-1005', 'value 9999'));
    await script.applyTo(replica);
    await source.scan(new Map([[p0, nowMs]]));
    const total = async (): Promise<string> => {
      const found = (await source.totals()).get(p0)!;
      return `${found.keys}:${found.digest}`;
    };
    expect(await total()).toBe(now);
    const keys = ['key-1003', 'key-1004', 'later', 'key-1005', 'never'].map((key) => dataKey(Buffer.from(key)));
    await source.takeBack(p0, keys, await barrier.stored(keys));
    expect(await total()).toBe(before);
    await source.close();

    const old = s.reader.digestIn(barrier);
    await old.scan(new Map([[p0, nowMs]]));
    expect((await old.totals()).get(p0)?.keys).toBe(1_500);
    await barrier.close();
  });

  it('a damaged value is REPLICA_DAMAGED for both', async () => {
    const key = dataKey(Buffer.from('key-1077'));
    const stored = Buffer.from((await db.get(key))!);
    stored[stored.length - 6]! ^= 1;
    await db.put(key, stored);
    const damaged = { code: 'REPLICA_DAMAGED', message: expect.stringContaining('6b65792d31303737') as string };
    const copy = await s.reader.copy(replica, whole);
    await expect(contents(copy)).rejects.toMatchObject(damaged);
    const source = await s.reader.digest(replica);
    await expect(source.scan(new Map([[p0, nowMs]]))).rejects.toMatchObject(damaged);
    await copy.close();
    await source.close();
  });

  it('closing the replica ends what is read of it; the folder can be opened or removed at once', async () => {
    const copy = await s.reader.copy(replica, whole);
    const source = await s.reader.digest(replica);
    await copy.next(300);
    await replica.close();
    await expect(contents(copy)).rejects.toThrow();
    await expect(source.scan(new Map([[p0, nowMs]]))).rejects.toThrow();
    await expect(s.reader.copy(replica, whole)).rejects.toMatchObject({ code: 'REPLICA_CLOSED' });
    replica = await Replica.open((db = await disk.open()), identity);
    if (makeDisk === levelDisk) {
      expect(await contents(await s.reader.copy(replica, whole))).toHaveLength(1_500);
    }
  });

  it('a scan gives way, and can be cut', async () => {
    const value = 'x'.repeat(20_000);
    for (let i = 0; i < 400; i++) script.append(put(`large-${i}`, value));
    await script.applyTo(replica, 3_400, 20);
    const source = await s.reader.digest(replica);
    await source.scan(new Map([[p0, nowMs]]));
    expect(s.slices.digest).toBeGreaterThanOrEqual(inThread ? 4 : 1);
    await source.close();
    const cut = new AbortController();
    const again = await s.reader.digest(replica);
    const scan = again.scan(new Map([[p0, nowMs]]), cut.signal).catch(() => 'cut');
    cut.abort();
    expect(await scan).toBe(inThread && makeDisk === levelDisk ? 'cut' : undefined);
    await again.close();
    const copy = await s.reader.copy(replica, whole);
    await contents(copy, 1 << 20);
    await copy.close();
  });
});

describe('a reader thread', () => {
  it('that dies is followed by another, and the database closes without it', async () => {
    const disk = await levelDisk();
    const replica = await Replica.open(await disk.open(), identity);
    const script = new PartitionScript().append(put('a', 'value 1'));
    await script.applyTo(replica);
    const thread = threadFromSources();
    const { reader } = subject(thread);
    const copy = await reader.copy(replica, whole);
    await killed(thread);
    const other = await reader.copy(replica, whole);
    await expect(copy.next(300)).rejects.toMatchObject({ code: 'REPLICA_CLOSED' });
    expect(await contents(other)).toEqual(['a=value 1']);
    expect(thread.counts).toEqual({ starts: 2, failures: 1 });
    const digest = await reader.digest(replica);
    await killed(thread);
    await replica.close();
    await digest.close();
    const again = await Replica.open(await disk.open(), identity);
    expect(again.nextOffset(0)).toBe(1);
    await again.close();
    await thread.close();
    await disk.remove();
  });
});

describe('a reader thread that begins before it is asked', () => {
  it('is the one that is asked, and does not begin once it is closed', async () => {
    const thread = threadFromSources();
    thread.begin();
    thread.begin();
    const disk = await levelDisk();
    const replica = await Replica.open(await disk.open(), identity);
    const { reader } = subject(thread);
    await (await reader.digest(replica)).close();
    expect(thread.counts).toEqual({ starts: 1, failures: 0 });
    await replica.close();
    await thread.close();
    thread.begin();
    expect(thread.counts.starts).toBe(1);
    await disk.remove();
  });
});

describe('a reader thread that was idle for long', () => {
  it('is not given up for that when it is asked again', async () => {
    const disk = await levelDisk();
    const replica = await Replica.open(await disk.open(), identity);
    let nowMs = 0;
    let look = (): void => undefined;
    const timers = { after: (_ms: number, action: () => void) => ((look = action), () => undefined) };
    const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
    const thread = new ReaderThread({ clock, timers, logger: silentLogger, execArgv });
    const { reader } = subject(thread);
    await (await reader.digest(replica)).close();
    look();
    nowMs = 3_600_000;
    const asked = reader.digest(replica);
    look();
    await (await asked).close();
    expect(thread.counts).toEqual({ starts: 1, failures: 0 });
    await replica.close();
    await thread.close();
    await disk.remove();
  });
});

describe('without a thread that starts', () => {
  it('copies and digests are read in the event loop', async () => {
    const disk = await levelDisk();
    const replica = await Replica.open(await disk.open(), identity);
    await new PartitionScript().append(put('a', 'value 1')).applyTo(replica);
    const thread = new ReaderThread({
      clock: systemClock,
      timers: systemTimers,
      logger: silentLogger,
      execArgv: ['--require', join(__dirname, 'no such file')],
    });
    const { reader } = subject(thread);
    expect(await contents(await reader.copy(replica, whole))).toEqual(['a=value 1']);
    const digest = await reader.digest(replica);
    await digest.scan(new Map([[p0, nowMs]]));
    expect((await digest.totals()).get(p0)?.keys).toBe(1);
    expect(thread.counts).toEqual({ starts: 2, failures: 2 });
    await replica.close();
    await thread.close();
    await disk.remove();
  });
});

function killed(thread: ReaderThread): Promise<number> {
  return (thread as unknown as { worker: Worker }).worker.terminate();
}
