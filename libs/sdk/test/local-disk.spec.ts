import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodePut } from '@levee/codec';
import { systemClock, systemTimers } from '@levee/log';
import { eventually } from '../../../test/support/deadline';
import { dice, seed } from '../../../test/support/seed';
import { DiskPartitions } from '../src/disk';
import type { HeldPartition, KeptPartitions } from '../src/local/held-partition';
import { LocalWorld } from './local-world';

jest.setTimeout(60_000);

const names = Array.from({ length: 300 }, (_, i) => `k${String(i).padStart(3, '0')}`);

describe('a replica in an application that is kept on disk', () => {
  let world: LocalWorld;
  let folder: string;
  const random = dice();
  const oracle = new Map<string, string>();

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'levee-local-'));
    world = new LocalWorld();
    oracle.clear();
    write(1_500);
    put('k', 'v');
  });
  afterEach(async () => {
    await world.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function put(key: string, value: string, expiresAtMs: number | null = null): void {
    const bytes = Buffer.from(key);
    world.log.add(bytes, encodePut(bytes, Buffer.from(value), expiresAtMs));
    if (expiresAtMs !== null && expiresAtMs < Date.now()) oracle.delete(key);
    else oracle.set(key, value);
  }

  function write(count: number): void {
    for (let i = 0; i < count; i++) {
      const key = names[Math.floor(random() * names.length)] as string;
      const roll = random();
      if (roll < 0.2) {
        world.log.delete(key);
        oracle.delete(key);
      } else put(key, `${i} ${'x'.repeat(roll < 0.3 ? 3_000 : 10)}`, roll < 0.4 ? 1_000 : null);
    }
  }

  const partitions = (memoryBytesMax = 8 << 20): DiskPartitions =>
    new DiskPartitions({ folder, memoryBytesMax, clock: systemClock, timers: systemTimers });

  async function open(kept: KeptPartitions = partitions()): Promise<void> {
    await world.open({ kept });
    await world.near();
  }

  /** Every key as the oracle has it, and none from a portal. */
  async function agrees(): Promise<void> {
    await eventually('it has all', () => world.kept.partitions[0]?.nextOffset === world.log.end);
    const { asked } = world;
    const values = await world.keys.getMany([...names, 'k']);
    expect({ seed, values }).toEqual({ seed, values: [...names, 'k'].map((name) => oracle.get(name)) });
    expect(world.asked).toBe(asked);
  }

  const database = (): string => join(folder, 'shop.orders', 'p00000');
  const loads = (): number | undefined => world.kept.partitions[0]?.loads;

  it('answers what an oracle says while it is written to, from LevelDB and from values that are asked for often', async () => {
    await open();
    for (let round = 0; round < 4; round++) {
      await agrees();
      await agrees();
      write(200);
    }
    expect(world.status.memoryBytes).toBe(0);
    expect(existsSync(database())).toBe(true);
  });

  it('goes on from where it stood when its process ended, and has what came meanwhile', async () => {
    await open();
    await agrees();
    const end = world.log.end;
    await world.client.close();
    for (let round = 0; round < 3; round++) {
      write(100);
      const { length } = world.log.begun;
      await open();
      await agrees();
      // Nothing that it has is read again, but the first record, which says whose log it is.
      expect(world.log.begun.slice(length).filter(({ nextOffset }) => nextOffset > 0).length).toBeGreaterThan(0);
      expect(Math.min(...world.log.begun.slice(length + 1).map(({ nextOffset }) => nextOffset))).toBeGreaterThanOrEqual(
        end,
      );
      expect([loads(), world.kept.problem]).toEqual([0, undefined]);
      await world.client.close();
    }
  });

  it('has position, expiry and errors of each key as one in memory', async () => {
    put('k', 'w', Date.now() + 3_600_000);
    world.log.add(Buffer.from('bad'), Buffer.from('no put'));
    world.log.add(Buffer.from('later'), Buffer.from('c301ffffffffffffffff00', 'hex'));
    for (let round = 0; round < 2; round++) {
      await open();
      await agrees();
      const entry = await world.keys.entry('k');
      expect(entry).toMatchObject({ value: 'w', position: `0:${world.log.end - 2}` });
      await expect(world.keys.get('bad')).rejects.toMatchObject({ code: 'LVUNREADABLE' });
      expect(await world.by('later')).toBe('portal');
      const scanned: string[] = [];
      for await (const key of world.keys.keys()) scanned.push(key);
      expect(scanned).toEqual(['of the portal']);
      expect(world.kept.orderProblem).toMatch(/on disk/);
      await world.client.close();
    }
  });

  it.each<[string, (of: LocalWorld) => void]>([
    [
      'another creation of the namespace',
      (of) => (of.facts = { ...of.facts, version: 9, follow: { ...of.follow, creation: 'shop.orders#2' } }),
    ],
    ['another topic under the same name', (of) => (of.log.topic = { ...of.log.topic, topicId: 'second' })],
    ['a log that was cut below where it stood', (of) => of.log.cut(900)],
  ])('is read anew, as a whole, for %s', async (_, happens) => {
    await open();
    await agrees();
    await world.client.close();
    happens(world);
    // Of what was before nothing is left in the oracle; sessions never go back, so more comes than was cut.
    names.forEach((name) => put(name, `anew ${name}`));
    write(900);
    put('k', 'anew');
    await world.open({ kept: partitions(), cutMs: 100 });
    await eventually('it is read from the beginning', () => loads() === 1 && world.kept.isComplete);
    await world.near();
    await agrees();
  });

  it('is read anew when nobody followed it for half of delete.retention.ms: deletions may be gone', async () => {
    await open();
    await agrees();
    await world.client.close();
    // Compaction has removed the key and what deleted it.
    const offset = world.log.end - 1;
    world.log.removed.add(offset);
    oracle.delete('k');
    world.log.topic = { ...world.log.topic, settings: { 'delete.retention.ms': '3000' } };
    await new Promise((resolve) => setTimeout(resolve, 1_600));
    await world.open({ kept: partitions() });
    await eventually('it is read from the beginning', () => loads() === 1 && world.kept.isComplete);
    await world.near();
    await agrees();
  });

  it('is read anew when it was complete by a clock that was ahead, and is right again', async () => {
    world.aheadMs = 2 * 3_600_000;
    await open();
    await agrees();
    // Also what is told of the end alone is written down within some seconds; a write does it at once.
    write(5);
    await agrees();
    await world.client.close();
    world.aheadMs = 0;
    await world.open({ kept: partitions() });
    await eventually('it is read from the beginning', () => loads() === 1 && world.kept.isComplete);
    await world.near();
    await agrees();
  });

  it('answers nothing untrue when any byte of its files is another one: it is read anew', async () => {
    // Of values in tables, not in memory alone.
    await open(partitions(1 << 20));
    await agrees();
    await world.client.close();
    for (let round = 0; round < 8; round++) {
      const files = readdirSync(database()).filter((name) => /^(CURRENT|MANIFEST-\d+|\d+\.(ldb|log))$/.test(name));
      const file = join(database(), files[round % files.length] as string);
      const bytes = readFileSync(file);
      if (bytes.length === 0) continue;
      const at = Math.floor(random() * bytes.length);
      bytes[at] = (bytes[at] as number) ^ (1 << Math.floor(random() * 8));
      writeFileSync(file, bytes);
      await open(partitions(1 << 20));
      // The end of what was written last may be cut off as well as changed: then it goes on from before.
      if (/ldb$|CURRENT$/.test(file)) expect({ seed, file, at, loads: loads() }).toEqual({ seed, file, at, loads: 1 });
      await agrees();
      await world.client.close();
    }
  });

  it('a byte that changes under a database that is open is found when its value is read', async () => {
    await open(partitions(1 << 20));
    await agrees();
    await world.client.close();
    const kept = partitions(64 * 1024);
    await open(kept);
    for (const name of readdirSync(database()).filter((each) => each.endsWith('.ldb'))) {
      const file = join(database(), name);
      const bytes = readFileSync(file);
      // The first blocks are data.
      for (let at = 40; at < bytes.length / 2; at += 97) bytes[at] = (bytes[at] as number) ^ 1;
      copyFileSync(file, `${file}.was`);
      writeFileSync(file, bytes);
    }
    const answers = await Promise.all(names.map((name) => world.keys.get(name).catch((error: Error) => error.message)));
    for (const [i, answer] of answers.entries())
      if (answer !== 'of the portal') expect(answer).toBe(oracle.get(names[i] as string));
    await eventually('it is read anew', () => world.kept.isComplete);
    await world.near();
    await agrees();
  });

  it('is left to the one that has the folder: another client says so, and its portals answer', async () => {
    await open();
    await agrees();
    const second = new LocalWorld();
    second.log.put('k', 'second');
    try {
      await second.open({ kept: partitions() });
      await eventually('it is told', () => /open in this process already/.test(second.kept.problem ?? ''));
      expect(await second.keys.get('k')).toBe('of the portal');
      await agrees();
      await world.client.close();
      // It has the folder then, of which it believes nothing that its own log does not say.
      await eventually('it has the folder', () => second.kept.isComplete, 30_000);
      await second.near();
    } finally {
      await second.close();
    }
  });

  it('where the disk takes no more portals answer; what it holds is gone on from once there is room', async () => {
    let isFull = false;
    const bent = new (class implements KeptPartitions {
      readonly real = partitions();
      async open(place: Parameters<KeptPartitions['open']>[0]): ReturnType<KeptPartitions['open']> {
        if (isFull) throw fullDisk();
        const { held, anew } = await this.real.open(place);
        const apply: HeldPartition['apply'] = (...span) => (isFull ? Promise.reject(fullDisk()) : held.apply(...span));
        const asBefore = new Proxy(held, {
          get: (of, name) => {
            if (name === 'apply') return apply;
            const found = Reflect.get(of, name, of) as unknown;
            return typeof found === 'function' ? (found as (...args: unknown[]) => unknown).bind(of) : found;
          },
        });
        return { held: asBefore, anew };
      }
      close(): Promise<void> {
        return this.real.close();
      }
    })();
    await open(bent);
    await agrees();
    isFull = true;
    write(10);
    await eventually('it is told', () => /No space left/.test(world.kept.problem ?? ''));
    expect(await world.by('k')).toBe('portal');
    expect(await world.keys.get('k')).toBe('of the portal');
    isFull = false;
    await eventually('it goes on', () => world.kept.isComplete, 30_000);
    await world.near();
    await agrees();
    expect(loads()).toBe(1);
  });
});

const fullDisk = (): Error =>
  Object.assign(new Error('IO error: 000012.log: No space left on device'), { code: 'LEVEL_IO_ERROR' });
