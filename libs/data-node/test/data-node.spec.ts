import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeAs, encode, encodePut } from '@levee/codec';
import { DataNode } from '@levee/data-node';
import type { ReplicaDigest } from '@levee/events';
import { barrierKey } from '@levee/journal';
import { asOffset, asPartition, reservedKeyPrefix } from '@levee/kernel';
import {
  parseAwaitReply,
  parseRangeReply,
  awaitCommand,
  rangeCommand,
  nodeCommands,
  RespError,
  sealOfCommand,
} from '@levee/wire';
import { BentLog } from './bent-log';
import { SmallCluster, topics, until } from './small-cluster';

const ns = 'shop.orders';
const keys = Array.from({ length: 60 }, (_, i) => `key-${i}`);

describe('a data node', () => {
  let cluster: SmallCluster;
  beforeEach(async () => {
    cluster = await SmallCluster.start();
  });
  afterEach(() => cluster.close());

  async function filled(...nodeIds: string[]): Promise<void> {
    for (const nodeId of nodeIds) await cluster.node(nodeId);
    await cluster.ready();
    await cluster.namespace(ns);
    for (const key of keys) await cluster.append(ns, key, `value of ${key}`);
  }

  const values = (): string[] => keys.map((key) => `value of ${key}`);

  /** Every key, each at least at the position of its partition's end. */
  async function readAll(nodeId: string): Promise<string[]> {
    const ends = await cluster.log.offsets(cluster.view.state.namespace(ns)!.binlog);
    const found: string[] = [];
    for (const key of keys) {
      const { endOffset } = ends[cluster.place(ns, key).partition]!;
      found.push(...(await cluster.read(nodeId, ns, [key], { minOffset: endOffset })));
    }
    return found;
  }

  it('registers, opens what it is given, applies, and answers what was written before the position asked for', async () => {
    await filled('n1');
    expect(await readAll('n1')).toEqual(values());
    const { offset } = await cluster.append(ns, 'key-3', null);
    expect(await cluster.read('n1', ns, ['key-3', 'never'], { minOffset: 0 })).toHaveLength(2);
    expect(await cluster.read('n1', ns, ['key-3'], { minOffset: offset + 1 })).toEqual(['nil']);
  });

  it('lets a chunk be asked so often a second and no more, says so, and lets go when the limit is raised', async () => {
    await cluster.node('n1');
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 1, chunks: 1, chunkRequestsPerSecond: 1 });
    await cluster.append(ns, 'k', 'v');
    await until('the value', async () => (await cluster.read('n1', ns, ['k']))[0] === 'v');
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    // At the same time: in a second there is room for one more.
    const reading = cluster.read('n1', ns, Array<string>(8).fill('k'));
    const getting = cluster.send('n1', [nodeCommands.get, ns, 'k']);
    const limited =
      'LVLIMIT more than 1 requests a second of chunk shop.orders#1/c00001 at one node: slow down, or raise chunkRequestsPerSecond';
    expect(await reading).toEqual(['v', ...Array<string>(7).fill(limited)]);
    expect(await getting).toEqual(new RespError(limited));
    await cluster.command('AlterNamespace', { name: ns, chunkRequestsPerSecond: null });
    await until('the limit being gone', async () =>
      (await cluster.read('n1', ns, Array<string>(8).fill('k'))).every((value) => value === 'v'),
    );
  });

  it('waits for a position within the deadline, then says how far it is', async () => {
    await filled('n1');
    const { partition } = cluster.place(ns, 'key-1');
    const end = (await cluster.log.offsets(cluster.view.state.namespace(ns)!.binlog))[partition]!.endOffset;
    const late = cluster.read('n1', ns, ['key-1'], { minOffset: end + 1, deadlineMs: 5_000 });
    await cluster.append(ns, 'key-1', 'late');
    expect(await late).toEqual(['late']);
    const behind = await cluster.read('n1', ns, ['key-1'], { minOffset: end + 5, deadlineMs: 30 });
    expect(behind).toEqual([`LVBEHIND ${partition}:${end + 1}`]);
  });

  it('LV.AWAIT answers when the positions are applied; names what is behind, and what it does not hold', async () => {
    await filled('n1');
    const { partition, slot } = cluster.place(ns, 'key-1');
    const chunk = [...cluster.view.state.chunksOf(ns)].find((each) => slot >= each.slotStart && slot < each.slotEnd)!;
    const { offset } = await cluster.append(ns, 'key-1', 'x');
    const ask = async (nextOffset: number, deadlineMs: number, chunkId = chunk.chunkId) => {
      const entries = [{ chunkId, partition, nextOffset }];
      const command = awaitCommand({ namespace: ns, tableVersion: 0, deadlineMs, entries });
      const reply = await cluster.send('n1', command);
      return parseAwaitReply(reply as Buffer, sealOfCommand(command)).outcomes[0];
    };
    expect(await ask(offset + 1, 5_000)).toEqual({ kind: 'applied' });
    expect(await ask(offset + 2, 20)).toEqual({ kind: 'behind', nextOffset: offset + 1 });
    expect(await ask(1, 20, 'shop.orders#1/c99999')).toMatchObject({ kind: 'moved' });
  });

  it('LV.RANGE gives a chunk page by page in key order', async () => {
    await filled('n1');
    await readAll('n1');
    const found: string[] = [];
    for (const chunk of cluster.view.state.chunksOf(ns)) {
      let from = Buffer.alloc(0);
      for (;;) {
        const request = {
          namespace: ns,
          tableVersion: 0,
          maxAgeMs: -1,
          nowMs: 1,
          deadlineMs: 1_000,
          chunkId: chunk.chunkId,
        };
        const rest = { from, to: Buffer.alloc(0), limit: 7, bytesMax: 1 << 20, keysOnly: false, positions: [] };
        const command = rangeCommand({ ...request, ...rest });
        const page = parseRangeReply((await cluster.send('n1', command)) as Buffer, sealOfCommand(command));
        found.push(...page.items.map(({ key, value }) => `${key.toString()}=${value.toString()}`));
        if (page.nextKey === undefined) break;
        from = Buffer.from(page.nextKey);
      }
    }
    expect(found.sort()).toEqual(keys.map((key) => `${key}=value of ${key}`).sort());
  });

  it('a slot it does not hold is LVMOVED with the route in force; an unknown namespace and a stranger are refused', async () => {
    await cluster.node('n1');
    await cluster.node('n2');
    await cluster.ready();
    await cluster.namespace(ns, { replicas: 1 });
    const route = [...cluster.view.state.routesOf(ns)].find((each) => each.replicas[0]!.nodeId === 'n2')!;
    const [text] = await cluster.read('n1', ns, ['any'], { slot: route.slotStart });
    expect(text).toMatch(new RegExp(`^LVMOVED ${route.seq} `));
    expect(JSON.parse(text!.split(' ').slice(2).join(' '))).toMatchObject({ chunkId: route.chunkId });
    expect(await cluster.send('n1', [nodeCommands.get, 'no.such', 'k'])).toMatchObject({
      text: expect.stringMatching(/^LVNAMESPACE/) as string,
    });
    const hello = await cluster.send('n1', [nodeCommands.hello, '', 'n2', '']);
    expect((hello as RespError).text).toMatch(/^LVWRONGNODE this is n1/);
    const other = await cluster.send('n1', [nodeCommands.hello, 'another', 'n1', '']);
    expect((other as RespError).text).toMatch(/^LVWRONGCLUSTER/);
    expect(((await cluster.send('n1', ['SET', 'a', 'b'])) as RespError).text).toMatch(/answered by a portal/);
    expect(((await cluster.send('n1', ['lv.get', ns])) as RespError).text).toMatch(/^ERR write LV.GET/);
    expect(await cluster.send('n1', ['ping'])).toBe('PONG');
  });

  it('a request that was damaged on its way is refused, whatever it asks for', async () => {
    await cluster.node('n1');
    await cluster.ready();
    for (const name of [nodeCommands.read, nodeCommands.await, nodeCommands.range, nodeCommands.copy])
      expect(await cluster.send('n1', [name, 'bent bytes'])).toMatchObject({
        text: expect.stringMatching(/^ERR .* fails its checksum: it was damaged on its way/) as string,
      });
  });

  it('goes on from its position after a restart, and is readable only at the end read after that', async () => {
    await filled('n1');
    await readAll('n1');
    await cluster.stopNode('n1');
    await cluster.append(ns, 'key-7', 'written while it was away');
    const node = await cluster.node('n1');
    await cluster.ready();
    expect(await cluster.read('n1', ns, ['key-7', 'key-8'])).toEqual(['written while it was away', 'value of key-8']);
    expect(Number((node.stats()['feeds'] as Record<string, number>)['records'])).toBeLessThan(20);
  });

  it('I5: what was deleted while it was away stays deleted', async () => {
    await filled('n1');
    await readAll('n1');
    await cluster.stopNode('n1');
    await cluster.append(ns, 'key-9', null);
    await cluster.node('n1');
    await cluster.ready();
    expect(await cluster.read('n1', ns, ['key-9'])).toEqual(['nil']);
  });

  it('I17: garbage makes exactly its key unreadable, is in quarantine, and the next write heals it', async () => {
    await filled('n1');
    const { partition, offset } = await cluster.append(ns, 'key-5', Buffer.from('no avro at all'));
    const wrong = (partition + 1) % 4;
    const stray = await cluster.append(ns, 'key-5', 'in the wrong place', { partition: wrong });
    const foreign = Buffer.concat([reservedKeyPrefix, Buffer.from('mine')]);
    await cluster.append(ns, foreign, 'x', { partition });
    expect(await readAll('n1').then((all) => all[5])).toBe(`LVUNREADABLE ${partition}:${offset} garbage`);
    expect((await readAll('n1')).filter((text) => text.startsWith('LV'))).toHaveLength(1);
    await until('three records in quarantine', async () => (await cluster.records(topics.quarantine)).length >= 3);
    const copies = (await cluster.records(topics.quarantine)).map((value) => decodeAs('Quarantined', value));
    expect(copies.map(({ partition: p, offset: o, reason }) => `${p}:${o} ${reason}`).sort()).toEqual(
      [
        `${partition}:${offset} garbage`,
        `${wrong}:${stray.offset} wrongPartition`,
        `${partition}:${offset + 1} reservedKey`,
      ].sort(),
    );
    expect(copies.find(({ reason }) => reason === 'garbage')!.value!.toString()).toBe('no avro at all');
    const healed = await cluster.append(ns, 'key-5', 'healed');
    expect(await cluster.read('n1', ns, ['key-5'], { minOffset: healed.offset + 1 })).toEqual(['healed']);
  });

  it('three replicas digest the same at a barrier, also after the node folders were deleted', async () => {
    await filled('n1', 'n2', 'n3');
    await cluster.append(ns, 'key-2', null);
    const { clusterId, binlog } = {
      clusterId: cluster.view.clusterId!,
      binlog: cluster.view.state.namespace(ns)!.binlog,
    };
    const digests = async (digestPlan: string): Promise<Map<string, Set<string>>> => {
      const value = encode('Barrier', { clusterId, number: 1, digestPlan, chunks: [], writtenAtMs: 0 });
      const offsets: number[] = [];
      for (let p = 0; p < 4; p++)
        offsets.push((await cluster.log.append(binlog, asPartition(p), [{ key: barrierKey, value }])).baseOffset);
      const ofBarrier = async (): Promise<ReplicaDigest[]> =>
        (await cluster.records(topics.digests))
          .map((each) => decodeAs('ReplicaDigest', each))
          .filter((each) => each.barrierOffset === offsets[each.partition]);
      await until('a digest of each replica', async () => (await ofBarrier()).length >= 12);
      const found = new Map<string, Set<string>>();
      for (const { chunkId, partition, keys: count, digest } of await ofBarrier()) {
        const at = `${chunkId}/${partition}`;
        found.set(at, (found.get(at) ?? new Set()).add(`${count}:${digest}`));
      }
      return found;
    };
    const first = await digests('audit-1');
    expect([...first.values()].map((each) => each.size)).toEqual([1, 1, 1, 1]);
    expect([...first.values()].flatMap((each) => [...each]).reduce((sum, text) => sum + parseInt(text, 10), 0)).toBe(
      59,
    );

    for (const nodeId of ['n1', 'n2', 'n3']) {
      await cluster.stopNode(nodeId);
      const units = join(cluster.folder, nodeId, 'units');
      for (const unit of await readdir(units)) await rm(join(units, unit), { recursive: true });
    }
    for (const nodeId of ['n1', 'n2', 'n3']) await cluster.node(nodeId);
    await cluster.ready();
    expect(await digests('audit-2')).toEqual(first);
  });

  it('an empty disk takes the place of a lost one, but not of one that is alive', async () => {
    await filled('n1', 'n2');
    await cluster.stopNode('n1');
    await rm(join(cluster.folder, 'n1'), { recursive: true });
    await cluster.append(ns, 'key-1', 'after the loss');
    await cluster.node('n1');
    await cluster.ready();
    expect((await readAll('n1'))[1]).toBe('after the loss');
    expect((await readAll('n1'))[2]).toBe('value of key-2');

    const imposter = new DataNode({ ...cluster.config('n1'), folder: join(cluster.folder, 'x') }, { log: cluster.log });
    await imposter.start();
    imposter.announce('127.0.0.1:1');
    await until('the refusal', () => imposter.readyProblem()?.includes('is alive at') === true);
    await imposter.close();
    expect(cluster.nodes.get('n1')!.readyProblem()).toBeUndefined();
  });

  it('a barrier in the middle of a batch is digested as of its own offset', async () => {
    await cluster.node('n1');
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 1, chunks: 1 });
    const { binlog } = cluster.view.state.namespace(ns)!;
    const barrier = { clusterId: cluster.view.clusterId!, number: 1, digestPlan: 'p', chunks: [], writtenAtMs: 0 };
    const put = (key: string): Buffer => encodePut(Buffer.from(key), Buffer.from('v'), null);
    await cluster.log.append(binlog, asPartition(0), [
      { key: Buffer.from('a'), value: put('a') },
      { key: barrierKey, value: encode('Barrier', barrier) },
      { key: Buffer.from('b'), value: put('b') },
      { key: barrierKey, value: encode('Barrier', { ...barrier, number: 2 }) },
    ]);
    await until('two digests', async () => (await cluster.records(topics.digests)).length >= 2);
    const found = (await cluster.records(topics.digests)).map((each) => decodeAs('ReplicaDigest', each));
    expect(found.map(({ keys: count }) => count)).toEqual([1, 2]);
  });

  it('a namespace that accepts a second of staleness is never staler at rest, and is told when it would be', async () => {
    const log = new BentLog(cluster.log);
    await cluster.node('n1', { log });
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 1, chunks: 1, maxStalenessMs: 1_000 });
    const { offset } = await cluster.append(ns, 'k', 'v');
    expect(await cluster.read('n1', ns, ['k'], { minOffset: offset + 1 })).toEqual(['v']);
    log.onBatch = (batch) => ({ ...batch, endOffset: asOffset(batch.endOffset + 1) });
    await until('the refusal', async () => /^LVSTALE \d+$/.test((await cluster.read('n1', ns, ['k']))[0]!));
    log.onBatch = (batch) => batch;
    await until('an answer', async () => (await cluster.read('n1', ns, ['k']))[0] === 'v');
  });

  it('a reader that asks for a fresher replica than there is gets LVSTALE; INFO and LV.STAT tell people the rest', async () => {
    await filled('n1');
    await readAll('n1');
    expect((await cluster.read('n1', ns, ['key-1'], { maxAgeMs: 60_000 }))[0]).toBe('value of key-1');
    expect((await cluster.read('n1', ns, ['key-1'], { maxAgeMs: 0 }))[0]).toMatch(/^LVSTALE \d+$/);
    const stat = await cluster.stat('n1');
    expect(stat).toMatchObject({ nodeId: 'n1', ready: true, problem: null });
    expect((stat['replicas'] as { readable: boolean }[]).every(({ readable }) => readable)).toBe(true);
    expect((await cluster.send('n1', ['INFO']))?.toString()).toMatch(/nodeId:n1/);
  });
});
