import fc from 'fast-check';
import { CrashDisk } from '@levee/crash-level';
import {
  type CopyPiece,
  copyStageOf,
  CopyTarget,
  openLevelDb,
  openMemory,
  Replica,
  type ReplicaDatabase,
  type ReplicaIdentity,
  ReplicaSnapshot,
  scanReplica,
  SnapshotCopy,
} from '@levee/chunk-store';
import { mkdtemp, readdir, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asPartition, failureCode } from '@levee/kernel';
import { systemClock } from '@levee/log';
import { apply, identity, nowMs, PartitionScript, put, read, type Write } from './fixtures';

const whole: CopyPiece = { chunkId: identity.chunkId, slotStart: 0, slotEnd: 1_000_000 };
/** Every block ends with a milestone. */
const options = { clock: systemClock, capacityBytes: 0, milestoneBytes: 0 };
const moved: ReplicaIdentity = { ...identity, unitId: 'n2/u07', generation: 3 };
const left: ReplicaIdentity = { ...identity, chunkId: 'shop.orders#1/c00008', slotEnd: 400_000 };
const right: ReplicaIdentity = { ...identity, chunkId: 'shop.orders#1/c00009', slotStart: 400_000 };

const pieceOf = ({ slotStart, slotEnd }: ReplicaIdentity, of: ReplicaIdentity = identity): CopyPiece => ({
  chunkId: of.chunkId,
  slotStart: Math.max(slotStart, of.slotStart),
  slotEnd: Math.min(slotEnd, of.slotEnd),
});

/** Loads at most `blocksMax` blocks of a piece from a new snapshot, from where the target stands. */
async function load(
  target: CopyTarget,
  source: Replica,
  piece: CopyPiece,
  { blocksMax = Infinity, bytesMax = 300 }: { blocksMax?: number; bytesMax?: number } = {},
): Promise<void> {
  if (target.isDone(piece)) return;
  const copy = await SnapshotCopy.open(source, { ...piece, after: target.after(piece) }, systemClock);
  await target.begin(piece, copy.positions);
  for (let i = 0; i < blocksMax; i++) {
    const { bytes, last } = await copy.next(bytesMax);
    await target.take(bytes, piece, last);
    if (last) break;
  }
  await target.written();
  await copy.close();
}

async function digest(replica: Replica): Promise<string> {
  const snapshot = ReplicaSnapshot.take(replica);
  const found = await snapshot.digest(asPartition(0), nowMs, systemClock);
  await snapshot.close();
  return `${found.digest}/${found.keys}`;
}

async function contents(replica: Replica): Promise<string[]> {
  const page = await scanReplica(replica, {}, { limit: 10_000, bytesMax: 1 << 30, visitsMax: 1 << 20 }, nowMs);
  return page.entries.map(
    ({ key, state }) => `${key.toString()}=${state.readable ? state.value.toString() : state.reason}`,
  );
}

describe('a copy of a replica', () => {
  let source: Replica;
  let script: PartitionScript;

  beforeEach(async () => {
    source = await Replica.open(await openMemory(), identity);
    script = new PartitionScript();
  });
  afterEach(() => source.close());

  async function filled(count: number): Promise<void> {
    for (let i = 0; i < count; i++) script.append(put(`key-${i % 150}`, `value ${i}`));
    await apply(source, script.batch(0, script.records.length, 7), nowMs - 5);
  }

  it('is the source as it was at the positions inside its snapshot, whatever is applied while it runs', async () => {
    await filled(200);
    const before = await digest(source);
    const db = await openMemory();
    const target = await CopyTarget.open(db, moved, options);
    const copy = await SnapshotCopy.open(source, whole, systemClock);
    script.append(put('key-3', 'later'), { key: 'key-4', value: null }, put('brand new', 'x'));
    await script.applyTo(source);
    expect(copy.positions).toEqual([{ partition: 0, nextOffset: 200, leaderEpoch: 7, completeAtMs: nowMs - 5 }]);
    await target.begin(whole, copy.positions);
    for (let last = false; !last;) {
      const block = await copy.next(500);
      expect(block.bytes.length).toBeLessThanOrEqual(500);
      await target.take(block.bytes, whole, (last = block.last));
    }
    await copy.close();
    await target.seal();
    expect(target.recordsCopied).toBe(150);
    const replica = await Replica.open(db, moved);
    expect(await digest(replica)).toBe(before);
    expect(replica.position(0)).toMatchObject({ nextOffset: 200, leaderEpoch: 7, completeAtMs: nowMs - 5 });
    await script.applyTo(replica);
    expect(await digest(replica)).toBe(await digest(source));
    await replica.close();
  });

  it('is no replica before it is sealed, and says so', async () => {
    await filled(100);
    const db = await openMemory();
    expect(await copyStageOf(db)).toBe('empty');
    const target = await CopyTarget.open(db, moved, options);
    await load(target, source, whole, { blocksMax: 2 });
    expect(await copyStageOf(db)).toBe('loading');
    await expect(Replica.open(db, moved)).rejects.toMatchObject({
      code: 'REPLICA_DAMAGED',
      message: expect.stringContaining('its copy never ended') as string,
    });
    await expect(CopyTarget.open(db, left, options)).rejects.toMatchObject({ code: 'REPLICA_MISMATCH' });
  });

  it('put together from several snapshots, is followed from the lowest position and unreadable below the highest', async () => {
    await filled(300);
    const db = await openMemory();
    const target = await CopyTarget.open(db, moved, options);
    await load(target, source, whole, { blocksMax: 5 });
    const first = target.recordsCopied;
    // Deleted and changed behind the place that the copy has reached: only the log tells the target.
    script.append({ key: 'key-0', value: null }, put('key-1', 'changed'), { key: 'key-99', value: null });
    await script.applyTo(source);
    const again = await CopyTarget.open(db, moved, options);
    expect(again.recordsCopied).toBe(first);
    await load(again, source, whole);
    await again.seal();
    const replica = await Replica.open(db, moved);
    expect(replica.position(0)).toMatchObject({ nextOffset: 300, unreadableBelow: 303 });
    expect(replica.rewoundAt(0)).toBe(true);
    expect(read(replica, 'key-0')).toBe('value 150');
    await script.applyTo(replica);
    expect(replica.rewoundAt(0)).toBe(false);
    expect(await contents(replica)).toEqual(await contents(source));
    expect(await digest(replica)).toBe(await digest(source));
    await replica.close();
  });

  it('splits and merges: each part holds its slots, the whole is the sum, with checksums of the new chunks', async () => {
    await filled(400);
    const parts: Replica[] = [];
    for (const part of [left, right]) {
      const db = await openMemory();
      const target = await CopyTarget.open(db, part, options);
      await load(target, source, pieceOf(part));
      await target.seal();
      parts.push(await Replica.open(db, part));
    }
    const keys = await Promise.all(parts.map(contents));
    expect(keys.map((each) => each.length).every((count) => count > 20)).toBe(true);
    expect(keys.flat().sort()).toEqual((await contents(source)).sort());

    script.append(put(keys[0]![0]!.split('=')[0]!, 'in one part only'));
    await script.applyTo(parts[0]!);
    const db = await openMemory();
    const target = await CopyTarget.open(db, moved, options);
    for (const part of parts) await load(target, part, pieceOf(identity, part.identity));
    await target.seal();
    const merged = await Replica.open(db, moved);
    expect(merged.position(0)).toMatchObject({ nextOffset: 400, unreadableBelow: 401 });
    await script.applyTo(source);
    await script.applyTo(merged);
    expect(await digest(merged)).toBe(await digest(source));
    await Promise.all([...parts, merged].map((each) => each.close()));
  });

  it('a value damaged at the source is never copied', async () => {
    await filled(50);
    const stored = (await source.db.get(Buffer.from('d/key-9')))!;
    stored[stored.length - 6]! ^= 1;
    await source.db.put(Buffer.from('d/key-9'), stored);
    const target = await CopyTarget.open(await openMemory(), moved, options);
    await expect(load(target, source, whole, { bytesMax: 1 << 20 })).rejects.toMatchObject({ code: 'REPLICA_DAMAGED' });
    expect(target.recordsCopied).toBe(0);
  });

  it('a block that does not end with a whole entry, or too much for the unit, is refused and nothing of it stays', async () => {
    await filled(50);
    const db = await openMemory();
    const target = await CopyTarget.open(db, moved, { ...options, capacityBytes: 500 });
    const copy = await SnapshotCopy.open(source, whole, systemClock);
    await target.begin(whole, copy.positions);
    const { bytes } = await copy.next(300);
    const cut = bytes.subarray(0, bytes.length - 3);
    await expect(target.take(cut, whole, false)).rejects.toMatchObject({ code: 'COPY_BROKEN' });
    await target.take(bytes, whole, false);
    await target.written();
    const before = target.recordsCopied;
    const big = await copy.next(1 << 20);
    await expect(target.take(big.bytes, whole, true)).rejects.toMatchObject({ code: 'UNIT_FULL' });
    expect((await CopyTarget.open(db, moved, options)).recordsCopied).toBe(before);
    await copy.close();
  });

  it('what was copied since the last milestone is copied again by the next process', async () => {
    await filled(300);
    const db = await openMemory();
    const rarely = { ...options, milestoneBytes: 2_000 };
    const target = await CopyTarget.open(db, moved, rarely);
    const copy = await SnapshotCopy.open(source, whole, systemClock);
    await target.begin(whole, copy.positions);
    for (let block = 0; target.recordsCopied < 120; block++) {
      const { bytes, last } = await copy.next(300);
      await target.take(bytes, whole, last);
    }
    await target.written();
    await copy.close();
    const again = await CopyTarget.open(db, moved, rarely);
    expect(again.recordsCopied).toBeGreaterThan(0);
    expect(again.recordsCopied).toBeLessThan(target.recordsCopied);
    await load(again, source, whole);
    expect(again.recordsCopied).toBe(150);
    await again.seal();
    const replica = await Replica.open(db, moved);
    expect(await digest(replica)).toBe(await digest(source));
    await replica.close();
  });

  it('a milestone that is lost is seen when it is opened', async () => {
    await filled(300);
    const folder = await mkdtemp(join(tmpdir(), 'levee-copy-'));
    const db = await openLevelDb(folder);
    const target = await CopyTarget.open(db, moved, options);
    await load(target, source, whole);
    await target.seal();
    await (await Replica.open(db, moved)).close();
    const damaged = await openLevelDb(folder);
    for await (const key of damaged.keys({ gte: Buffer.from('!c/m/'), lt: Buffer.from('!c/n') }))
      if (key.readUInt32BE(key.length - 4) === 2) await damaged.del(key);
    await expect(Replica.open(damaged, moved)).rejects.toMatchObject({
      code: 'REPLICA_DAMAGED',
      message: expect.stringContaining('milestones of its copy') as string,
    });
    await damaged.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('on a disk that loses its whole write-ahead log at any moment, nothing that counts as copied is lost', async () => {
    await filled(400);
    const folder = await mkdtemp(join(tmpdir(), 'levee-copy-'));
    const rarely = { ...options, milestoneBytes: 400 };
    /** As a process that is killed leaves it, on a disk that lost the log. */
    const killed = async (db: ReplicaDatabase): Promise<ReplicaDatabase> => {
      await db.close();
      for (const name of await readdir(folder)) if (name.endsWith('.log')) await truncate(join(folder, name));
      return openLevelDb(folder);
    };
    let db = await openLevelDb(folder);
    const counted: number[] = [];
    for (const blocksMax of [4, 9, 0, 7, 12]) {
      const target = await CopyTarget.open(db, moved, rarely);
      await load(target, source, whole, { blocksMax });
      db = await killed(db);
      counted.push((await CopyTarget.open(db, moved, rarely)).recordsCopied);
    }
    expect(counted).toEqual([...counted].sort((a, b) => a - b));
    expect(counted.at(-1)).toBeGreaterThan(counted[0] as number);
    const target = await CopyTarget.open(db, moved, rarely);
    await load(target, source, whole);
    await target.seal();
    db = await killed(db);
    // Sealed or not: what is there is whole, or goes on to be.
    if ((await copyStageOf(db)) === 'loading') await (await CopyTarget.open(db, moved, rarely)).seal();
    const replica = await Replica.open(db, moved);
    expect(await digest(replica)).toBe(await digest(source));
    await replica.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('after a loss of power at any moment it goes on or begins anew, and never lacks or revives a key (I5, I13)', async () => {
    const key = fc.integer({ min: 0, max: 12 }).map((n) => `key-${n}`);
    const write = fc.record({
      key,
      value: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: null }),
    }) as fc.Arbitrary<Write>;
    const round = fc.record({
      writes: fc.array(write, { maxLength: 6 }),
      blocksMax: fc.integer({ min: 0, max: 3 }),
      lossSeed: fc.option(fc.integer(), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(write, { minLength: 1, maxLength: 30 }),
        fc.array(round, { maxLength: 6 }),
        fc.constantFrom(0, 200, 1_000_000),
        async (begin, rounds, milestoneBytes) => {
          const options = { clock: systemClock, capacityBytes: 0, milestoneBytes };
          const log = new PartitionScript().append(...begin);
          const from = await Replica.open(await openMemory(), identity);
          await log.applyTo(from);
          const disk = new CrashDisk();
          const mount = async (): Promise<ReplicaDatabase> => {
            const db = disk.open<Buffer, Buffer>();
            await db.open();
            return db as unknown as ReplicaDatabase;
          };
          let db = await mount();
          for (const { writes, blocksMax, lossSeed } of [
            ...rounds,
            { writes: [], blocksMax: Infinity, lossSeed: undefined },
          ]) {
            log.append(...writes);
            await log.applyTo(from);
            const target = await CopyTarget.open(db, moved, options).catch(async (error: unknown) => {
              expect(failureCode(error)).toBe('REPLICA_DAMAGED');
              await db.clear();
              return CopyTarget.open(db, moved, options);
            });
            await load(target, from, whole, { blocksMax, bytesMax: 80 });
            if (lossSeed !== undefined) {
              await disk.powerLoss(lossSeed);
              db = await mount();
            } else if (blocksMax !== Infinity) {
              await db.close();
              db = await mount();
            }
          }
          const target = await CopyTarget.open(db, moved, options);
          await target.seal();
          const replica = await Replica.open(db, moved);
          const { nextOffset } = replica.position(0);
          // What the log no longer has before the replica's position must not matter.
          await apply(replica, log.batch(nextOffset));
          expect(await contents(replica)).toEqual(await contents(from));
          expect(replica.rewoundAt(0)).toBe(false);
          await Promise.all([replica.close(), from.close()]);
        },
      ),
      { numRuns: 150 },
    );
  });
});
