import type { ChunkState } from '@levee/events';
import { asOffset } from '@levee/kernel';
import { BareHost, type BareHostOptions, contentsOf, orderOf, pieceOf } from './bare-host';
import { BentLog } from './bent-log';
import { BentNetwork } from './bent-network';
import { SmallCluster, until } from './small-cluster';

const ns = 'shop.orders';
const blob = (name: string): string => `${name} ${'x'.repeat(20_000)}`;
/** More than three blocks. */
const keys = Array.from({ length: 180 }, (_, i) => `key-${i}`);

describe('a replica that a plan makes', () => {
  let cluster: SmallCluster;
  let network: BentNetwork;
  const hosts: BareHost[] = [];

  beforeEach(async () => {
    cluster = await SmallCluster.start();
    network = new BentNetwork();
  });
  afterEach(async () => {
    for (const host of hosts.splice(0)) await host.close();
    await cluster.close();
  });

  async function filled(nodeIds: readonly string[], knobs: object = {}): Promise<ChunkState[]> {
    for (const nodeId of nodeIds) await cluster.node(nodeId, { units: '4x16MiB' });
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 1, chunks: 1, chunkCapacityBytes: 16 << 20, ...knobs });
    for (const key of keys) await cluster.append(ns, key, blob(key));
    const { endOffset } = (await cluster.log.offsets(cluster.view.state.namespace(ns)!.binlog))[0]!;
    for (const nodeId of nodeIds)
      await cluster.read(nodeId, ns, [keys.at(-1)!], { minOffset: endOffset, deadlineMs: 10_000 });
    return [...cluster.view.state.chunksOf(ns)];
  }

  async function bare(options: BareHostOptions = {}): Promise<BareHost> {
    const host = await BareHost.open(cluster, 'n9', { network, units: '4x16MiB', ...options });
    hosts.push(host);
    return host;
  }

  const following = (host: BareHost, number = 0): Promise<void> =>
    until('the copy', () => host.hosted(number)?.state === 'following', 20_000);

  /** At the end of the log, with everything that was written. */
  async function caughtUp(host: BareHost, number = 0): Promise<void> {
    await following(host, number);
    const { endOffset } = (await cluster.log.offsets(cluster.view.state.namespace(ns)!.binlog))[0]!;
    await until('the end', () => host.hosted(number)!.nextOffset(0) >= endOffset);
  }

  /** What the log says the keys are; those in `changed` are as given, null = deleted. */
  const expected = (changed: Readonly<Record<string, string | null>> = {}): string[] =>
    Object.entries({ ...Object.fromEntries(keys.map((key) => [key, blob(key)])), ...changed })
      .filter(([, value]) => value !== null)
      .map(([key, value]) => `${key}=${value}`)
      .sort();

  const own = async (host: BareHost, number = 0): Promise<string[]> => (await contentsOf(host.hosted(number)!)).sort();

  it('is copied from another node, then follows the log from the snapshot on; it is not readable as a learner', async () => {
    const [chunk] = await filled(['n1']);
    const host = await bare();
    host.host.adopt([host.assignment(0, chunk!, 'learner', orderOf([pieceOf(cluster, chunk!, ['n1'])]))]);
    await following(host);
    await cluster.append(ns, 'later', 'v');
    await caughtUp(host);
    expect(await own(host)).toEqual(expected({ later: 'v' }));
    const hosted = host.hosted(0)!;
    expect(hosted.readable).toBe(false);
    expect(hosted.copy.progress.recordsCopied).toBe(keys.length);
    expect(hosted.copy.progress.from).toMatch(/^n1\/u/);
    expect(host.host.feeds.counts().records).toBeLessThan(5);
    expect(cluster.nodes.get('n1')!.stats()['copies']).toMatchObject({ open: 0, opened: 1 });
    host.host.adopt([host.assignment(0, chunk!, 'follower')]);
    await until('being readable', () => hosted.readable);
  });

  it('is copied from a replica on the same disk without a word to anybody, between engines and back', async () => {
    const [chunk] = await filled(['n1']);
    const host = await bare({ units: '2x16MiB:leveldb,2x16MiB:memory' });
    const serving = host.assignment(0, chunk!, 'primary');
    const local = (from: number) => orderOf([{ ...pieceOf(cluster, chunk!, []), sources: [host.source(from)] }]);
    host.host.adopt([serving]);
    await until('the source', () => host.hosted(0)!.readable);
    const toMemory = host.assignment(2, chunk!, 'learner', local(0));
    host.host.adopt([serving, toMemory]);
    await caughtUp(host, 2);
    expect(await own(host, 2)).toEqual(expected());
    const memory = host.assignment(2, chunk!, 'primary');
    host.host.adopt([host.assignment(0, chunk!, 'retired'), memory]);
    await until('the copy in memory being read', () => host.host.chunk(chunk!.chunkId) === host.hosted(2));
    expect(host.host.at(`${ns}#1`, 5)).toBe(host.hosted(2));
    host.host.adopt([memory, host.assignment(1, chunk!, 'learner', local(2))]);
    await caughtUp(host, 1);
    expect(await own(host, 1)).toEqual(expected());
    expect(network.received).toBe(0);
  });

  it('cut off, goes on behind the last key: what came does not come again', async () => {
    const [chunk] = await filled(['n1']);
    const host = await bare();
    network.after(2_500_000, () => {
      void cluster.append(ns, 'key-0', null);
      void cluster.append(ns, 'key-99', 'changed');
      return 'cut';
    });
    host.host.adopt([host.assignment(0, chunk!, 'learner', orderOf([pieceOf(cluster, chunk!, ['n1'])]))]);
    await caughtUp(host);
    await until('everything seen again', () => !host.hosted(0)!.rewound);
    expect(await own(host)).toEqual(expected({ 'key-0': null, 'key-99': 'changed' }));
    expect(network.received).toBeLessThan(keys.length * 20_000 + 2_000_000);
    expect(host.hosted(0)!.copy.restarts).toBe(0);
    await until('the snapshots closed', () => {
      const copies = cluster.nodes.get('n1')!.stats()['copies'] as Record<string, number>;
      return copies['opened'] === 2;
    });
  });

  it('goes on from another node when the source dies in the middle', async () => {
    const [chunk] = await filled(['n1', 'n2'], { replicas: 2 });
    const host = await bare();
    let first = '';
    const from = pieceOf(cluster, chunk!, ['n1', 'n2']);
    network.after(1_500_000, () => {
      void cluster.stopNode('n1');
      first = host.hosted(0)!.copy.progress.from;
      return 'cut';
    });
    host.host.adopt([host.assignment(0, chunk!, 'learner', orderOf([from]))]);
    await caughtUp(host);
    expect(first).toMatch(/^n1/);
    expect(host.hosted(0)!.copy.progress.from).toMatch(/^n2/);
    expect(await own(host)).toEqual(expected());
  });

  it('a block damaged on its way is noticed and asked for again', async () => {
    const [chunk] = await filled(['n1']);
    const host = await bare();
    let damaged = false;
    network.after(700_000, (piece) => {
      damaged = true;
      piece[piece.length >> 1]! ^= 0x40;
      return piece;
    });
    host.host.adopt([host.assignment(0, chunk!, 'learner', orderOf([pieceOf(cluster, chunk!, ['n1'])]))]);
    await caughtUp(host);
    expect(damaged).toBe(true);
    expect(await own(host)).toEqual(expected());
  });

  it('a source whose disk returns other bytes is left and rebuilt; nothing of the damage is copied', async () => {
    const [chunk] = await filled(['n1', 'n2'], { replicas: 2 });
    const source = cluster.nodes.get('n1')!.serving()!.host.chunk(chunk!.chunkId)!;
    const damaged = Buffer.from('d/key-42');
    const stored = (await source.replica.db.get(damaged))!;
    stored[60]! ^= 1;
    await source.replica.db.put(damaged, stored);
    const host = await bare();
    host.host.adopt([host.assignment(0, chunk!, 'learner', orderOf([pieceOf(cluster, chunk!, ['n1', 'n2'])]))]);
    await caughtUp(host);
    expect(await own(host)).toEqual(expected());
    await until('the rebuild of the source', () => source.rebuilds === 1);
  });

  it('a process that ends in the middle goes on where it was, and never serves the half', async () => {
    const [chunk] = await filled(['n1']);
    let host = await bare({ copyBytesPerSecond: 1_500_000 });
    const order = orderOf([pieceOf(cluster, chunk!, ['n1'])]);
    const start = (): void => host.host.adopt([host.assignment(0, chunk!, 'learner', order)]);
    start();
    await until('some blocks', () => (host.hosted(0)?.copy.progress.recordsCopied ?? 0) > 50);
    await hosts.pop()!.close();
    host = await bare({ copyBytesPerSecond: 1_500_000 });
    host.host.adopt([host.assignment(0, chunk!, 'learner')]);
    await until('waiting', () => host.hosted(0)!.reason.includes('its plan does not go on'));
    start();
    // One that begins anew has a block of some records first.
    await until('some records', () => host.hosted(0)!.copy.progress.recordsCopied > 0);
    expect(host.hosted(0)!.copy.progress.recordsCopied).toBeGreaterThan(50);
    await caughtUp(host);
    expect(await own(host)).toEqual(expected());
    await hosts.pop()!.close();
    host = await bare();
    start();
    await caughtUp(host);
    expect(host.hosted(0)!.copy.progress.recordsCopied).toBe(keys.length);
  });

  it('a half copy that is called a replica is built from the log instead', async () => {
    const [chunk] = await filled(['n1']);
    const host = await bare({ copyBytesPerSecond: 1_500_000 });
    host.host.adopt([host.assignment(0, chunk!, 'learner', orderOf([pieceOf(cluster, chunk!, ['n1'])]))]);
    await until('some blocks', () => (host.hosted(0)?.copy.progress.recordsCopied ?? 0) > 50);
    host.host.adopt([host.assignment(0, chunk!, 'follower')]);
    await until('being readable', () => host.hosted(0)!.readable, 20_000);
    expect(host.hosted(0)!.copy.progress.from).toBe('log');
    expect(await own(host)).toEqual(expected());
  });

  it('I5: deleted while it was copied, the tombstone compacted away since: begins anew, and the key stays deleted', async () => {
    const [chunk] = await filled(['n1']);
    const { binlog } = cluster.view.state.namespace(ns)!;
    await cluster.log.alterTopic(binlog, { 'delete.retention.ms': '60000' });
    const log = new BentLog(cluster.log);
    let aheadMs = 0;
    let compacted = -1;
    // The cleaner has been here: the tombstone is gone from what the target reads.
    log.onBatch = (batch) => ({ ...batch, records: batch.records.filter(({ offset }) => offset !== compacted) });
    const host = await bare({ log, copyBytesPerSecond: 1_500_000, logTimeAheadMs: () => aheadMs });
    host.host.adopt([host.assignment(0, chunk!, 'learner', orderOf([pieceOf(cluster, chunk!, ['n1'])]))]);
    await until('some blocks', () => (host.hosted(0)?.copy.progress.recordsCopied ?? 0) > 50);
    const { offset } = await cluster.append(ns, 'key-0', null);
    compacted = offset;
    await until(
      'the deletion',
      async () => (await cluster.read('n1', ns, ['key-0'], { minOffset: offset + 1 }))[0] === 'nil',
    );
    aheadMs = 31_000;
    await until('another copy', () => host.hosted(0)!.copy.restarts > 0);
    aheadMs = 0;
    await caughtUp(host);
    expect(await own(host)).toEqual(expected({ 'key-0': null }));
  });

  it('split and merged: pieces of chunks whose replicas stand at different positions', async () => {
    const chunks = await filled(['n1'], { chunks: 2 });
    const [left, right] = chunks.sort((a, b) => a.slotStart - b.slotStart) as [ChunkState, ChunkState];
    const host = await bare();
    const merged = { ...left, chunkId: `${ns}#1/c00100`, slotEnd: right.slotEnd };
    const part = { ...left, chunkId: `${ns}#1/c00101`, slotEnd: left.slotEnd / 2 };
    await cluster.append(
      ns,
      keys.find((key) => cluster.place(ns, key).slot >= right.slotStart)!,
      blob('again'),
    );
    const both = orderOf([pieceOf(cluster, left, ['n1']), pieceOf(cluster, right, ['n1'])]);
    host.host.adopt([
      host.assignment(0, merged, 'learner', both),
      host.assignment(1, part, 'learner', orderOf([pieceOf(cluster, left, ['n1'], part)])),
    ]);
    await caughtUp(host, 0);
    await caughtUp(host, 1);
    const again = keys.find((key) => cluster.place(ns, key).slot >= right.slotStart)!;
    expect(await own(host, 0)).toEqual(expected({ [again]: blob('again') }));
    const inPart = keys.filter((key) => cluster.place(ns, key).slot < part.slotEnd);
    expect(inPart.length).toBeGreaterThan(10);
    expect(await own(host, 1)).toEqual(inPart.map((key) => `${key}=${blob(key)}`).sort());
  });

  it('without a readable source it is built from the log, and refused where the log is no longer whole', async () => {
    const [chunk] = await filled(['n1']);
    const log = new BentLog(cluster.log);
    const host = await bare({ log });
    const nobody = { ...pieceOf(cluster, chunk!, ['n1']), sources: [] };
    host.host.adopt([host.assignment(0, chunk!, 'learner', orderOf([nobody]))]);
    await caughtUp(host);
    expect(host.hosted(0)!.copy.progress.from).toBe('log');
    expect(await own(host)).toEqual(expected());
    log.onOffsets = (_, offsets) => offsets.map((each) => ({ ...each, startOffset: asOffset(3) }));
    host.host.adopt([host.assignment(1, chunk!, 'learner', orderOf([nobody]))]);
    await until('the failure', () => host.hosted(1)?.moveFailure?.code === 'NO_SOURCE');
  });

  it('takes no more bytes a second than it may', async () => {
    const [chunk] = await filled(['n1']);
    const host = await bare({ copyBytesPerSecond: 2_000_000 });
    const startedMs = performance.now();
    host.host.adopt([host.assignment(0, chunk!, 'learner', orderOf([pieceOf(cluster, chunk!, ['n1'])]))]);
    await following(host);
    // Three blocks of a MiB are paid for before the rest comes.
    expect(performance.now() - startedMs).toBeGreaterThan(900);
  });

  it('a chunk too large for its unit fails with the limit and the mend', async () => {
    const [chunk] = await filled(['n1']);
    const host = await bare({ units: '4x1MiB' });
    host.host.adopt([host.assignment(0, chunk!, 'learner', orderOf([pieceOf(cluster, chunk!, ['n1'])]))]);
    await until('the failure', () => host.hosted(0)?.moveFailure?.code === 'UNIT_FULL');
    expect(host.hosted(0)!.moveFailure!.message).toMatch(/1048576 bytes of unit n9\/u.*larger unit/);
  });

  it('a retired replica answers on; called back, it serves only after the end as read after that decision (I13)', async () => {
    const [chunk] = await filled(['n1']);
    const log = new BentLog(cluster.log);
    const host = await bare({ log });
    host.host.adopt([host.assignment(0, chunk!, 'primary')]);
    const hosted = host.hosted(0)!;
    await until('being readable', () => hosted.readable);
    host.host.adopt([host.assignment(0, chunk!, 'retired')]);
    expect(hosted.readable).toBe(true);
    await cluster.append(ns, 'more', 'v');
    await caughtUp(host);
    let beyond = 1;
    log.onOffsets = (_, offsets) => offsets.map((each) => ({ ...each, endOffset: asOffset(each.endOffset + beyond) }));
    host.host.adopt([host.assignment(0, chunk!, 'primary')]);
    await until('the end being read', () => hosted.reason.includes('of '));
    expect(hosted.readable).toBe(false);
    beyond = 0;
    await cluster.append(ns, 'one more', 'v');
    await until('being readable', () => hosted.readable);
  });
});
