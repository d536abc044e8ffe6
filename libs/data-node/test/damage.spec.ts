import { readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type NodeDisk, type ReplicaDatabase, UnitDisk, type UnitDiskOptions } from '@levee/chunk-store';
import { silentLogger } from '@levee/kernel';
import { systemClock, systemTimers } from '@levee/log';
import { Scrub, scrubLimits } from '../src/digests/scrub';
import { SmallCluster, until } from './small-cluster';

const ns = 'shop.orders';
const keys = Array.from({ length: 1_200 }, (_, i) => `key ${i}`);

/** The engine finds damage: each of its answers can be made to be that. */
class BentDisk {
  bent: 'get' | 'iterator' | 'batch' | undefined;
  /** So many answers are still true. */
  after = 0;
  struck = 0;
  opened: NodeDisk | undefined;

  readonly open = async (options: UnitDiskOptions): Promise<NodeDisk> => {
    const disk = await UnitDisk.open(options);
    const { openUnit } = disk;
    disk.openUnit = async (unitId, generation) => {
      const db = await openUnit.call(disk, unitId, generation);
      this.bend(db);
      return db;
    };
    return (this.opened = disk);
  };

  private bend(db: ReplicaDatabase): void {
    const { getSync, iterator } = db;
    db.getSync = ((...args: Parameters<typeof getSync>) => {
      if (this.strikes('get')) throw this.corruption();
      return getSync.apply(db, args);
    }) as typeof getSync;
    db.iterator = ((...args: Parameters<typeof iterator>) => {
      const real = iterator.apply(db, args);
      const { nextv } = real;
      real.nextv = ((...page: Parameters<typeof nextv>) =>
        this.strikes('iterator') ? Promise.reject(this.corruption()) : nextv.apply(real, page)) as typeof nextv;
      return real;
    }) as typeof iterator;
    const batch = db.batch.bind(db) as (...args: unknown[]) => { write: (...options: unknown[]) => Promise<void> };
    db.batch = ((...args: unknown[]) => {
      const chained = batch(...args);
      const { write } = chained;
      chained.write = (...options) =>
        this.strikes('batch') ? Promise.reject(this.corruption()) : write.apply(chained, options);
      return chained;
    }) as typeof db.batch;
  }

  private strikes(what: typeof this.bent): boolean {
    if (this.bent !== what || this.after-- > 0) return false;
    this.bent = undefined;
    this.struck++;
    return true;
  }

  private corruption(): Error {
    return Object.assign(new Error('Corruption: block checksum mismatch'), { code: 'LEVEL_CORRUPTION' });
  }
}

describe('damage in the files of a replica (I19)', () => {
  let cluster: SmallCluster;
  let disk: BentDisk;

  const stats = (): Record<string, unknown> => cluster.nodes.get('n1')!.stats();
  const rebuilds = (): number => Number(stats()['rebuilds']);
  const start = () => cluster.node('n1', { openDisk: disk.open });
  const unit = (): string => {
    const units = join(cluster.folder, 'n1', 'units');
    return join(units, readdirSync(units)[0]!, 'g1');
  };
  const filesOf = (ending: RegExp): string[] => readdirSync(unit()).filter((name) => ending.test(name));
  const values = keys.map((key) => `value of ${key}`);

  beforeEach(async () => {
    cluster = await SmallCluster.start();
    disk = new BentDisk();
    await start();
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 1, chunks: 1 });
    await Promise.all(keys.map((key) => cluster.append(ns, key, `value of ${key}`)));
    await until('the writes', async () => (await cluster.read('n1', ns, keys.slice(-1)))[0] === values.at(-1));
  });
  afterEach(() => cluster.close());

  async function healed(): Promise<void> {
    await until('the rebuild', () => rebuilds() === 1);
    await cluster.ready();
    expect(await cluster.read('n1', ns, keys)).toEqual(values);
    const stat = await cluster.stat('n1');
    expect(stat['setAside']).toEqual([
      expect.objectContaining({ generation: 1, reason: expect.stringMatching(/damaged/) as string }),
    ]);
  }

  /** Twice stopped, so that what was written is in a table. */
  async function stopped(): Promise<void> {
    await cluster.stopNode('n1');
    await start();
    await cluster.ready();
    await cluster.stopNode('n1');
  }

  function flip(ending: RegExp, from: (bytes: Buffer) => number): void {
    const path = join(unit(), filesOf(ending)[0]!);
    const bytes = readFileSync(path);
    bytes[from(bytes)]! ^= 16;
    writeFileSync(path, bytes);
  }

  it.each<[string, RegExp, (bytes: Buffer) => number]>([
    ['the filter', /\.ldb$/, (bytes) => bytes.lastIndexOf('filter.leveldb') - 100],
    ['the data', /\.ldb$/, () => 1_000],
    ['the footer', /\.ldb$/, (bytes) => bytes.length - 45],
    ['the manifest', /^MANIFEST/, () => 20],
    ['CURRENT', /^CURRENT$/, () => 3],
  ])('one byte of %s that changed while it was down is found before anything is served', async (_, ending, from) => {
    await stopped();
    flip(ending, from);
    await start();
    await healed();
  });

  it('a database without CURRENT is set aside, never made anew under its files', async () => {
    await stopped();
    unlinkSync(join(unit(), 'CURRENT'));
    const tables = filesOf(/\.ldb$/);
    await start();
    await healed();
    const [kept] = (await cluster.stat('n1'))['setAside'] as { folder: string }[];
    expect(readdirSync(kept!.folder)).toEqual(expect.arrayContaining(tables));
  });

  it('a unit that ends the process whenever it is opened is set aside before the third try', async () => {
    await stopped();
    writeFileSync(`${unit()}.opening`, '||');
    await start();
    await healed();
  });

  it('what is damaged while it serves is found without being asked', async () => {
    await stopped();
    await start();
    await cluster.ready();
    flip(/\.ldb$/, () => 500);
    const { host } = cluster.nodes.get('n1')!.serving()!;
    // Half an hour later.
    const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + scrubLimits.againMs + 1 };
    const world = { disk: disk.opened!, all: () => host.all, io: host.io, timers: systemTimers, logger: silentLogger };
    const scrub = new Scrub({ ...world, clock });
    expect(scrub.oldestMs).toBeGreaterThan(scrubLimits.againMs);
    await scrub.round();
    expect(scrub.counts.damaged).toBe(1);
    await healed();
    expect((await cluster.stat('n1'))['replicas']).toEqual([
      expect.objectContaining({ checkedMs: expect.any(Number) as number }),
    ]);
  });

  it('a read that meets damage after a breath is answered, and the replica is built anew', async () => {
    disk.bent = 'get';
    disk.after = 800;
    const found = await cluster.read('n1', ns, keys);
    expect(disk.struck).toBe(1);
    expect(found.filter((text) => text.startsWith('LVDAMAGED'))).toHaveLength(1);
    expect(found.filter((text) => text === 'nil')).toEqual([]);
    await healed();
  });

  it.each(['iterator', 'batch'] as const)('damage that the %s of the engine meets has the same end', async (what) => {
    const { host } = cluster.nodes.get('n1')!.serving()!;
    const [hosted] = [...host.all];
    disk.bent = what;
    const { offset } = await cluster.append(ns, keys[0]!, values[0]!);
    if (what === 'iterator') {
      // A sweep passes over a replica to which nothing was written since the last one, which may just have been.
      await until('the write', () => hosted!.nextOffset(0) > offset || disk.struck === 1);
      await host.sweeps.sweepAll();
    }
    await until('the strike', () => disk.struck === 1);
    await healed();
  });

  it('a write of which nobody waits for the end is damage as well: the replica does not serve on', async () => {
    const { host } = cluster.nodes.get('n1')!.serving()!;
    const [hosted] = [...host.all];
    disk.bent = 'batch';
    await expect(hosted!.replica.writePositions()).rejects.toThrow();
    await healed();
  });

  it('a read that waits for a position and meets damage then is answered too', async () => {
    const { offset } = await cluster.append(ns, 'before', 'x');
    const reading = cluster.read('n1', ns, ['key 1'], { minOffset: offset + 2 });
    disk.bent = 'get';
    disk.after = 0;
    await cluster.append(ns, 'after', 'x');
    expect((await reading)[0]).toMatch(/^LVDAMAGED/);
    await until('the rebuild', () => rebuilds() === 1);
  });
});
