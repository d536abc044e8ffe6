import { readFile, readdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CrashDisk, type PowerLossMode } from '@levee/crash-level';
import { openLevelDb, Replica, type ReplicaDatabase } from '@levee/chunk-store';
import { failureCode } from '@levee/kernel';
import { apply, identity, PartitionScript, put, read } from './fixtures';

const keys = ['a', 'b', 'c', 'd', 'e'];

function scriptOf(length: number): PartitionScript {
  const script = new PartitionScript();
  for (let i = 0; i < length; i++) {
    const key = keys[(i * 7) % keys.length] as string;
    script.append(i % 6 === 5 ? { key, value: null } : put(key, `${i}-${'x'.repeat(40)}`));
  }
  return script;
}

/** What every key must read as when exactly the records below `position` are applied. */
function stateAt(script: PartitionScript, position: number): Record<string, string> {
  const state = Object.fromEntries(keys.map((key) => [key, 'nil']));
  script.records.slice(0, position).forEach(({ key, value }, i) => {
    state[key!.toString()] = value === null ? 'nil' : `${i}-${'x'.repeat(40)}`;
  });
  return state;
}

const stateOf = (replica: Replica): Record<string, string> =>
  Object.fromEntries(keys.map((key) => [key, read(replica, key)]));

async function crashOpen(disk: CrashDisk): Promise<Replica> {
  const db = disk.open<Buffer, Buffer>();
  await db.open();
  return Replica.open(db as unknown as ReplicaDatabase, identity, { chainBytes: 2_000 });
}

describe('power loss', () => {
  const modes: readonly PowerLossMode[] = ['forget', 'prefix'];
  it.each(modes)('leaves a state that is exactly the records below its position (%s)', async (mode) => {
    const seen = new Set<number>();
    for (let seed = 0; seed < 40; seed++) {
      const disk = new CrashDisk();
      const script = scriptOf(60);
      const before = await crashOpen(disk);
      await script.applyTo(before, 60, 3);
      await disk.powerLoss(seed, mode);
      const after = await crashOpen(disk);
      const { nextOffset, unreadableBelow } = after.position(0);
      seen.add(nextOffset);
      expect(unreadableBelow).toBe(0);
      expect(stateOf(after)).toEqual(stateAt(script, nextOffset));
      await script.applyTo(after);
      expect(stateOf(after)).toEqual(stateAt(script, 60));
      await after.close();
    }
    expect(seen.size).toBeGreaterThan(mode === 'prefix' ? 10 : 0);
  });

  it.each(modes)('leaves offset, epoch and time of one place: no newer claim than what is there (%s)', async (mode) => {
    const epochBelow = (offset: number): number => (offset === 0 ? -1 : Math.floor((offset - 1) / 7));
    let lost = 0;
    for (let seed = 0; seed < 40; seed++) {
      const disk = new CrashDisk();
      const script = scriptOf(60);
      const before = await crashOpen(disk);
      const writes: Promise<void>[] = [];
      for (let at = 0; at < 60; at += 3) {
        // Log time runs with the offsets; signs of life at the end come while writes are under way.
        const batch = script.batch(at, at + 3, epochBelow(at + 3));
        writes.push(apply(before, batch, (at + 3) * 100_000));
        writes.push(apply(before, script.batch(at + 3, at + 3, epochBelow(at + 3)), (at + 3) * 100_000 + 50_000));
        if (at % 9 === 0) await Promise.all(writes);
      }
      await Promise.all(writes);
      await disk.powerLoss(seed, mode);
      const after = await crashOpen(disk);
      const { nextOffset, leaderEpoch, completeAtMs } = after.position(0);
      if (nextOffset < 60) lost++;
      expect([seed, leaderEpoch, after.stagedEpoch(0)]).toEqual([seed, epochBelow(nextOffset), epochBelow(nextOffset)]);
      expect(completeAtMs).toBeLessThanOrEqual(nextOffset * 100_000 + 50_000);
      await after.close();
    }
    expect(lost).toBeGreaterThan(0);
  });

  it('a torn write is applied again, or the replica says that it is damaged', async () => {
    let damaged = 0;
    for (let seed = 0; seed < 60; seed++) {
      const disk = new CrashDisk();
      const script = scriptOf(60);
      const before = await crashOpen(disk);
      await script.applyTo(before, 60, 3);
      await disk.powerLoss(seed, 'tear');
      const after = await crashOpen(disk).catch((error: unknown) => {
        expect(failureCode(error)).toBe('REPLICA_DAMAGED');
        damaged++;
        return undefined;
      });
      if (after === undefined) continue;
      await script.applyTo(after);
      expect(stateOf(after)).toEqual(stateAt(script, 60));
      await after.close();
    }
    expect(damaged).toBeLessThan(30);
  });
});

describe('a disk that lies', () => {
  it('a write lost in the middle: rewound to the last proven place, unreadable until past what was seen (I13)', async () => {
    const disk = new CrashDisk();
    const script = scriptOf(30);
    const before = await crashOpen(disk);
    await script.applyTo(before, 30, 3);
    await before.close();
    const lost = disk.contents().find(([key]) => key.toString('latin1').startsWith('!j/') && key.at(-1) === 24);
    disk.damage(lost![0], () => undefined);

    const after = await crashOpen(disk);
    expect(after.rewindProblem(0)).toMatch(/the write before 24 is missing after 21/);
    expect(after.position(0)).toMatchObject({ nextOffset: 21, unreadableBelow: 30 });
    expect(after.rewoundAt(0)).toBe(true);
    await after.close();

    const again = await crashOpen(disk);
    expect(again.position(0)).toMatchObject({ nextOffset: 21, unreadableBelow: 30 });
    await script.applyTo(again, 29, 4);
    expect(again.rewoundAt(0)).toBe(true);
    await script.applyTo(again);
    expect(again.rewoundAt(0)).toBe(false);
    expect(stateOf(again)).toEqual(stateAt(script, 30));
    await again.close();
    const last = await crashOpen(disk);
    expect([last.rewoundAt(0), last.rewindProblem(0)]).toEqual([false, undefined]);
    await last.close();
  });

  it.each([
    ['the end of the chain', (keys: Buffer[]) => keys.filter((key) => key.toString('latin1').startsWith('!j/')).at(-1)],
    ['the position', (keys: Buffer[]) => keys.find((key) => key.toString('latin1').startsWith('!p/'))],
    ['the identity', (keys: Buffer[]) => keys.find((key) => key.toString('latin1').startsWith('!m/'))],
  ])('losing %s is noticed at open', async (_, pick) => {
    const disk = new CrashDisk();
    const before = await crashOpen(disk);
    await scriptOf(30).applyTo(before, 30, 3);
    await before.close();
    const sorted = disk
      .contents()
      .map(([key]) => key)
      .sort(Buffer.compare);
    disk.damage(pick(sorted)!, () => undefined);
    const after = await crashOpen(disk).catch((error: unknown) => failureCode(error));
    if (after instanceof Replica) {
      expect(after.position(0)).toMatchObject({ nextOffset: 27, unreadableBelow: 30 });
      await after.close();
    } else expect(after).toBe('REPLICA_DAMAGED');
  });

  it('a bit flipped anywhere in a stored value, or a value under another key, is REPLICA_DAMAGED when read', async () => {
    const size = 18 + 4 + 60;
    for (let bit = 0; bit < size * 8; bit += 13) {
      const disk = new CrashDisk();
      const replica = await crashOpen(disk);
      await new PartitionScript().append(put('a', 'x'.repeat(40)), put('b', 'x'.repeat(40))).applyTo(replica);
      await replica.close();
      const other = disk.contents().find(([key]) => key.toString() === 'd/b')![1];
      disk.damage(Buffer.from('d/a'), (value) => {
        if (bit === 0) return other;
        const at = Math.floor(bit / 8) % value.length;
        value[at] = (value[at] as number) ^ (1 << (bit % 8));
        return value;
      });
      const after = await crashOpen(disk);
      expect(() => read(after, 'a')).toThrow(expect.objectContaining({ code: 'REPLICA_DAMAGED' }));
      expect(read(after, 'b')).toBe('x'.repeat(40));
      await after.close();
    }
  });

  it('LevelDB with a flipped bit in its write-ahead log never shows a wrong state as a right one', async () => {
    let noticed = 0;
    const folder = await mkdtemp(join(tmpdir(), 'levee-flip-'));
    try {
      for (let trial = 0; trial < 25; trial++) {
        const path = join(folder, String(trial));
        const script = scriptOf(400);
        const before = await Replica.open(await openLevelDb(path), identity);
        await script.applyTo(before, 400, 3);
        await before.close();
        const logFile = (await readdir(path)).find((name) => name.endsWith('.log'))!;
        const bytes = await readFile(join(path, logFile));
        const at = Math.floor((bytes.length * (trial + 1)) / 27);
        bytes[at] = (bytes[at] as number) ^ (1 << (trial % 8));
        await writeFile(join(path, logFile), bytes);

        const after = await openLevelDb(path)
          .then((db) =>
            Replica.open(db, identity).catch(async (error: unknown) => (await db.close(), Promise.reject(error))),
          )
          .catch((error: unknown) => failureCode(error));
        if (!(after instanceof Replica)) {
          expect(after).toBe('REPLICA_DAMAGED');
          noticed++;
          continue;
        }
        const { nextOffset } = after.position(0);
        if (after.rewoundAt(0) || nextOffset < 400) noticed++;
        if (!after.rewoundAt(0)) expect(stateOf(after)).toEqual(stateAt(script, nextOffset));
        await script.applyTo(after);
        expect(after.rewoundAt(0)).toBe(false);
        expect(stateOf(after)).toEqual(stateAt(script, 400));
        await after.close();
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    expect(noticed).toBeGreaterThan(20);
  });
});
