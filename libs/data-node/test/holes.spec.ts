import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { acceptLoss, WitnessNodes } from '@levee/audit';
import { encodePut } from '@levee/codec';
import type { DataNodeConfig } from '@levee/data-node';
import { asOffset, asPartition, silentLogger } from '@levee/kernel';
import { LogFailure, systemClock, systemTimers } from '@levee/log';
import type { EmbeddedLog } from '@levee/log-embedded';
import { BentLog } from './bent-log';
import { damagedCopy, olderCopy } from './older-copy';
import { SmallCluster, until } from './small-cluster';

const ns = 'shop.orders';
const noPortals = { stillWriting: () => Promise.resolve(undefined), stillStopped: () => Promise.resolve(undefined) };
const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
const held = (value: string): string => `${value} ${'x'.repeat(2_000)}`;

interface Hole {
  readonly partition: number;
  readonly fromOffset: number;
  readonly toOffset: number | null;
  readonly peers: readonly { readonly unitId: string; readonly says: string | null }[];
}

interface Stat {
  readonly state: string;
  readonly readable: boolean;
  readonly problem: string | null;
  readonly hole: Hole | null;
  readonly copy: { readonly from: string } | null;
}

/**
 * One partition: Genesis at 0, k0..k19 at 1..20, k3 deleted at 21, k4 changed at 22, k5 changed at 23. The offsets 10 to
 * 12 and 21 to 22 are gone: k9..k11, the deletion of k3, and the change of k4.
 */
describe('a replica that needs what its log lost', () => {
  let cluster: SmallCluster;
  let log: BentLog;
  let binlog: string;
  const copies: EmbeddedLog[] = [];

  beforeEach(async () => {
    cluster = await SmallCluster.start();
    log = new BentLog(cluster.log);
  });
  afterEach(async () => {
    await cluster.close();
    for (const copy of copies.splice(0)) await copy.close();
  });

  const start = (nodeId: string, options: Partial<DataNodeConfig> = {}) => cluster.node(nodeId, { log, ...options });

  async function onBoth(work: (nodeId: string) => Promise<unknown>): Promise<void> {
    for (const nodeId of ['n1', 'n2']) await work(nodeId);
  }

  async function begin(): Promise<void> {
    await onBoth((nodeId) => start(nodeId));
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 1, chunks: 1 });
    binlog = cluster.view.state.namespace(ns)!.binlog;
    for (const key of keys) await cluster.append(ns, key, held(key));
  }

  async function change(): Promise<void> {
    await cluster.append(ns, 'k3', null);
    await cluster.append(ns, 'k4', held('changed'));
    await cluster.append(ns, 'k5', held('changed'));
  }

  const expected = keys.map((key, i) => (i === 3 ? 'nil' : held(i === 4 || i === 5 ? 'changed' : key)));
  const reads = (nodeId: string, minOffset = 0): Promise<string[]> => cluster.read(nodeId, ns, keys, { minOffset });
  const caughtUp = (nodeId: string): Promise<void> =>
    until(`${nodeId} having all`, async () => (await reads(nodeId)).join() === expected.join());

  async function damage(offsets: readonly number[] = [10, 11, 12, 21, 22]): Promise<void> {
    const copy = await damagedCopy(cluster.log as EmbeddedLog, binlog, offsets);
    copies.push(copy);
    log.instead.set(binlog, copy);
  }

  async function stat(nodeId: string): Promise<Stat> {
    const { replicas } = await cluster.stat(nodeId);
    const nothing = { state: 'joining', readable: false, problem: null, hole: null, copy: null };
    return (replicas as readonly Stat[])[0] ?? nothing;
  }
  const waits = async (nodeId: string): Promise<boolean> => {
    const { hole } = await stat(nodeId);
    return hole !== null && hole.peers.length > 0 && hole.peers.every(({ says }) => says !== null);
  };

  /** The files of the only replica of a stopped node. */
  function unitOf(nodeId: string): string {
    const { unitId, generation } = [...cluster.view.state.chunksOf(ns)][0]!.replicas.find(
      (of) => of.nodeId === nodeId,
    )!;
    return join(cluster.folder, nodeId, 'units', unitId.split('/')[1]!, `g${generation}`);
  }

  /** Both replicas hold what was written first. */
  async function filled(): Promise<void> {
    await begin();
    await onBoth((nodeId) => until(nodeId, async () => (await reads(nodeId))[19] === held('k19')));
  }

  /** Both are past everything, and their processes have ended. */
  async function wholeAndStopped(): Promise<void> {
    await begin();
    await change();
    await onBoth(caughtUp);
    await onBoth((nodeId) => cluster.stopNode(nodeId));
  }

  it.each<[string, (folder: string) => void]>([
    ['all its files', (folder) => rmSync(folder, { recursive: true })],
    ['one of its files', (folder) => rmSync(join(folder, 'CURRENT'))],
    ['what one of its files says', (folder) => writeFileSync(join(folder, 'CURRENT'), 'MANIFEST-999999\n')],
  ])('and lost %s is copied from one that is past it', async (_, lose) => {
    await wholeAndStopped();
    lose(unitOf('n2'));
    await damage();
    await onBoth((nodeId) => start(nodeId));
    await cluster.ready();
    expect(await reads('n2', 24)).toEqual(expected);
    expect(await stat('n2')).toMatchObject({ state: 'following', readable: true, hole: null });
    await goesOn('n2');
  });

  async function goesOn(nodeId: string): Promise<void> {
    const record = { key: Buffer.from('k6'), value: encodePut(Buffer.from('k6'), Buffer.from('later'), null) };
    await log.append(binlog, asPartition(0), [record]);
    await until('what comes later', async () => (await cluster.read(nodeId, ns, ['k6']))[0] === 'later');
  }

  it('even its Genesis: who is past it goes on, who lost its files is copied', async () => {
    await wholeAndStopped();
    rmSync(unitOf('n2'), { recursive: true });
    await damage([0]);
    await onBoth((nodeId) => start(nodeId));
    await cluster.ready();
    await goesOn('n2');
  });

  it('and was away when it was written is copied too; what it held is kept until then', async () => {
    await filled();
    await cluster.stopNode('n2');
    await change();
    await caughtUp('n1');
    await cluster.stopNode('n1');
    await damage();
    await onBoth((nodeId) => start(nodeId));
    await cluster.ready();
    expect(await reads('n2', 24)).toEqual(expected);
    await until('what it held going', () => readdirSync(join(cluster.folder, 'n2', 'set-aside')).length === 0);
    expect((await stat('n2')).state).toBe('following');
  });

  it('waits where no other is past it, keeps what it has, and says which stretch and who was asked', async () => {
    await filled();
    await onBoth((nodeId) => cluster.stopNode(nodeId));
    await change();
    await damage();
    await onBoth((nodeId) => start(nodeId));
    await onBoth((nodeId) => until(`${nodeId} waiting`, () => waits(nodeId), 20_000));
    const { hole, state, readable, problem } = await stat('n2');
    expect({ hole, state, readable }).toMatchObject({
      hole: { partition: 0, fromOffset: 21, toOffset: 23, peers: [{ nodeId: 'n1' }] },
      state: 'atHole',
      readable: false,
    });
    expect(problem).toMatch(/waits: partition 0 of .* cannot be read from offset 21 to 23 .*no other replica/);
    expect((await cluster.stat('n2'))['ready']).toBe(false);
    expect(cluster.nodes.get('n2')!.stats()['rebuilds']).toBe(0);
    // People may let the stretch go; looking changes nothing.
    expect(await accept(false)).toMatch(/offsets 21 to 22 .* would be let go; .*nothing was changed/s);
    expect(await waits('n1')).toBe(true);
    // A copy of the log's folder heals it.
    log.instead.delete(binlog);
    await cluster.ready();
    expect(await reads('n2')).toEqual(expected);
    expect((await stat('n2')).hole).toBeNull();
  });

  it('goes on once people let go a stretch that nobody is past, with what stands behind it', async () => {
    await filled();
    await onBoth((nodeId) => cluster.stopNode(nodeId));
    await change();
    await damage();
    await start('n1');
    await until('n1 waiting', async () => (await stat('n1')).hole !== null);
    // n2 may be past it.
    await expect(accept(true)).rejects.toMatchObject({ code: 'NODE_UNREACHABLE' });
    await start('n2');
    await until('n2 waiting', async () => (await stat('n2')).hole !== null);
    expect(await accept(true)).toMatch(
      /offsets 21 to 22 .* was let go: readers pass over it; .*changed or deleted there/,
    );
    await cluster.ready();
    for (const nodeId of ['n1', 'n2'])
      expect(await reads(nodeId, 24)).toEqual(keys.map((key, i) => held(i === 5 ? 'changed' : key)));
    expect(await accept(true)).toMatch(/offsets 10 to 12 are left alone/);
  });

  it('keeps people from letting go what a replica still holds', async () => {
    await wholeAndStopped();
    await damage();
    await onBoth((nodeId) => start(nodeId));
    await cluster.ready();
    await log.examine([binlog]);
    await until('the damage being known', async () => (await log.examine([binlog])).damage.length > 0);
    expect(await accept(true)).toMatch(/are left alone: .* is past it and holds what was there/);
    expect((await log.examine([binlog])).damage.length).toBeGreaterThan(0);
  });

  async function accept(yes: boolean): Promise<string> {
    const shared = { clock: systemClock, timers: systemTimers, logger: silentLogger };
    const nodes = new WitnessNodes({ ...shared, state: () => cluster.view.state });
    const lines: string[] = [];
    for await (const { message } of acceptLoss(
      { nodes, log, portals: noPortals },
      { namespace: ns, yes },
      new AbortController().signal,
    ))
      lines.push(message);
    return lines.join('\n');
  }

  it('is never copied from a witness of something that is not decided', async () => {
    await wholeAndStopped();
    rmSync(unitOf('n2'), { recursive: true });
    // The end is gone, and the start.
    const copy = await olderCopy(cluster.log as EmbeddedLog, binlog, 20);
    copies.push(copy);
    log.instead.set(binlog, copy);
    bendStart(10);
    await onBoth((nodeId) => start(nodeId));
    await until('the witness', async () => (await stat('n1')).state === 'witness');
    const says = async (): Promise<string> => (await stat('n2')).hole?.peers[0]?.says ?? '';
    await until('n2 having asked it', async () => (await says()).includes('is a witness of partition 0'));
    const { hole, state, readable } = await stat('n2');
    expect({ hole, state, readable }).toMatchObject({
      hole: { fromOffset: 0, toOffset: 10 },
      state: 'stuck',
      readable: false,
    });
  });

  it('since its beginning was removed is copied from one that is past it', async () => {
    await wholeAndStopped();
    rmSync(unitOf('n2'), { recursive: true });
    bendStart(22);
    await onBoth((nodeId) => start(nodeId));
    await cluster.ready();
    expect(await reads('n2', 24)).toEqual(expected);
  });

  it('and whose copy is cut short by the end of its process goes on with it', async () => {
    await begin();
    for (const key of keys) await cluster.append(ns, key, `${key} ${'x'.repeat(250_000)}`);
    const want = keys.map((key) => `${key} ${'x'.repeat(250_000)}`).join();
    await onBoth((nodeId) => until(nodeId, async () => (await reads(nodeId)).join() === want));
    await onBoth((nodeId) => cluster.stopNode(nodeId));
    rmSync(join(unitOf('n2'), 'CURRENT'));
    await damage();
    await start('n1');
    await start('n2', { copyBytesPerSecond: 500_000 });
    const copied = () =>
      until('the copy', async () => (await stat('n2')).copy?.from.startsWith('n1/') === true, 20_000);
    await copied();
    expect((await stat('n2')).problem).toMatch(/cannot be read from offset 10 to 13/);
    await cluster.stopNode('n2');
    await start('n2', { copyBytesPerSecond: 500_000 });
    await copied();
    await cluster.stopNode('n2');
    await cluster.stopNode('n1');
    // Nobody is there to go on with: it waits and is named, with a part of the copy in its unit.
    await start('n2');
    await until('n2 waiting', async () => (await stat('n2')).hole !== null, 30_000);
    await start('n1');
    await cluster.ready();
    expect((await reads('n2')).join()).toBe(want);
  }, 60_000);

  function bendStart(startOffset: number): void {
    log.onOffsets = (topic, offsets) =>
      topic === binlog ? offsets.map((each) => ({ ...each, startOffset: asOffset(startOffset) })) : offsets;
    log.onTail = (topic, _, from) => {
      if (topic !== binlog || from.nextOffset >= startOffset) return;
      throw new LogFailure('OFFSET_OUT_OF_RANGE', `the topic begins at ${startOffset}`);
    };
  }
});
