import { connect } from 'node:net';
import { encodeCommand, parseRangeReply, rangeCommand, RespError, respServerLimits, sealOfCommand } from '@levee/wire';
import { SmallCluster, until } from './small-cluster';

const ns = 'shop.orders';
const MiB = 2 ** 20;
/** Until what was appended is applied; the machine may be busy. */
const deadlineMs = 20_000;
type Figures = Readonly<Record<string, number>>;

/** What one node says of its memory and of its background work while it serves more data than it may keep. */
describe('resources of a node', () => {
  let cluster: SmallCluster;
  beforeEach(async () => {
    cluster = await SmallCluster.start();
  });
  afterEach(() => cluster.close());

  /** A page waits two seconds for room and is refused then: long enough unless the machine is busy. Asked for again. */
  const sent = async (page: ReturnType<typeof rangeCommand>): Promise<Buffer> => {
    for (let left = 10; ; left--) {
      const reply = await cluster.send('n1', page, 60_000);
      if (!(reply instanceof RespError)) return reply as Buffer;
      if (!/^LVNOTREADY .* on their way/.test(reply.text) || left === 0) throw new Error(reply.text);
    }
  };

  it('keeps hot values and databases within the budget, and counts background reads by class', async () => {
    const budgetBytes = 4 * MiB;
    const node = await cluster.node('n1', {
      units: '6x8MiB:leveldb,2x8MiB:memory',
      memoryBudgetBytes: budgetBytes,
      digestBytesPerSecond: 64 * MiB,
    });
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 2, chunks: 2 });
    const keys = Array.from({ length: 400 }, (_, i) => `key-${i}`);
    const ends = [0, 0];
    for (const key of keys) {
      const { partition, offset } = await cluster.append(ns, key, `${key} ${'x'.repeat(8_000)}`);
      ends[partition] = Number(offset) + 1;
    }
    const memory = (): Figures => node.stats()['memory'] as Figures;
    const io = (): Figures => node.stats()['io'] as Figures;
    for (let round = 0; round < 3; round++)
      for (const key of keys) {
        const minOffset = ends[cluster.place(ns, key).partition]!;
        expect((await cluster.read('n1', ns, [key], { minOffset, deadlineMs }))[0]).toMatch(new RegExp(`^${key} x+$`));
        expect(memory()['valueUsedBytes']).toBeLessThanOrEqual(memory()['valueBudgetBytes']!);
      }
    const found = memory();
    expect(found['budgetBytes']).toBe(budgetBytes);
    expect(found['engineBudgetBytes']! + found['valueBudgetBytes']!).toBeLessThanOrEqual(budgetBytes);
    expect(found['engineUsedBytes']).toBeGreaterThan(0);
    expect(found['engineUsedBytes']).toBeLessThanOrEqual(found['engineBudgetBytes']!);
    // 3.2 MB are asked for in turn, of which 1.6 MiB are kept: most reads, but not all, go to the disk.
    expect(found['valueUsedBytes']).toBeGreaterThan(0);
    expect(found['valueHitRatio']).toBeLessThan(1);
    await cluster.read('n1', ns, [keys[0]!]);
    const before = memory()['valueHitRatio']!;
    for (let i = 0; i < 200; i++) await cluster.read('n1', ns, [keys[0]!]);
    expect(memory()['valueHitRatio']).toBeGreaterThan(before);
    await until('a sweep having read all of it', () => io()['sweepBytes']! > keys.length * 8_000, 60_000);
    expect(io()['digestBytes']).toBe(0);
    const barrier = { id: 'all', namespace: ns, digest: true };
    await cluster.command('RequestBarrier', barrier);
    await until('digests having read all of it', () => io()['digestBytes']! > keys.length * 8_000, 60_000);
    await until('nothing waiting', () => io()['sweepWaiting'] === 0 && io()['digestWaiting'] === 0);
    expect(io()['copyBytes']).toBe(0);
  }, 240_000);

  it('makes no more pages than the network budget has room for, and slow readers pay for it, not the others', async () => {
    const node = await cluster.node('n1', { units: '6x8MiB:leveldb', memoryBudgetBytes: 4 * MiB });
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 1, chunks: 1 });
    let end = 0;
    for (let i = 0; i < 400; i++)
      end = Number((await cluster.append(ns, `key-${i}`, `${i} ${'x'.repeat(8_000)}`)).offset) + 1;
    expect((await cluster.read('n1', ns, ['key-0'], { minOffset: end, deadlineMs }))[0]).toMatch(/^0 x+$/);
    const [chunk] = cluster.view.state.chunksOf(ns);
    const empty = Buffer.alloc(0);
    const page = rangeCommand({
      ...{ namespace: ns, tableVersion: 0, maxAgeMs: -1, nowMs: 1, deadlineMs: 0, chunkId: chunk!.chunkId },
      ...{ from: empty, to: empty, limit: 10_000, bytesMax: MiB, keysOnly: false, positions: [] },
    });
    const beganMs = performance.now();
    const slow = Array.from({ length: 12 }, () => {
      const socket = connect(node.respPort, '127.0.0.1').pause();
      for (let i = 0; i < 30; i++) for (const piece of encodeCommand(page)) socket.write(piece);
      return socket;
    });
    const memory = (): Figures => node.stats()['memory'] as Figures;
    try {
      const { networkBudgetBytes = 0 } = memory();
      await until(
        'the slow readers holding half of the room',
        () => memory()['networkUsedBytes']! > networkBudgetBytes / 2,
        60_000,
      );
      for (let i = 0; i < 40; i++) {
        expect(parseRangeReply(await sent(page), sealOfCommand(page)).items.length).toBeGreaterThan(100);
        expect((await cluster.read('n1', ns, [`key-${i}`]))[0]).toMatch(new RegExp(`^${i} x+$`));
      }
      // All the room, while nobody is known to be slow, and then a page for each of them that had none.
      expect(memory()['networkPeakBytes']).toBeLessThan(networkBudgetBytes + slow.length * 1.2 * MiB);
      const { closedCrowded, closedSlow } = node.stats()['resp'] as Figures;
      expect(closedCrowded).toBe(0);
      // Whoever takes nothing for longer, while there is too much, is hung up on: here a machine that is busy is so slow.
      if (performance.now() - beganMs < respServerLimits.crowdedSlowMs) expect(closedSlow).toBe(0);
    } finally {
      for (const socket of slow) socket.destroy();
    }
    await until('nothing being on its way', () => memory()['networkUsedBytes'] === 0);
  }, 240_000);

  it('I16: pages of a byte each, asked for without end, wait for their own connection and are refused; others are not', async () => {
    const node = await cluster.node('n1', { units: '6x8MiB:leveldb', memoryBudgetBytes: 4 * MiB });
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 1, chunks: 1 });
    // Expired for whoever asks: a page looks at all of them, gives way again and again, and finds one.
    const expired = Array.from({ length: 3_000 }, (_, i) => `a-${i}`);
    await Promise.all(expired.map((key) => cluster.append(ns, key, 'x', { expiresAtMs: Date.now() + 3_600_000 })));
    const end = Number((await cluster.append(ns, 'b', 'last')).offset) + 1;
    expect(await cluster.read('n1', ns, ['b'], { minOffset: end, deadlineMs })).toEqual(['last']);
    const [chunk] = cluster.view.state.chunksOf(ns);
    const empty = Buffer.alloc(0);
    const page = rangeCommand({
      ...{ namespace: ns, tableVersion: 0, maxAgeMs: -1, nowMs: Date.now() + 7_200_000, deadlineMs: 0 },
      ...{ chunkId: chunk!.chunkId, from: empty, to: empty, limit: 1, bytesMax: 1, keysOnly: true, positions: [] },
    });
    const io = (): Figures => node.stats()['io'] as Figures;
    const greedy = connect(node.respPort, '127.0.0.1');
    let said = '';
    let scanWaiting = 0;
    greedy.on('data', (data) => (said += data.toString('latin1').replaceAll(/[^ -~]/g, '')));
    const asked = Buffer.concat([...encodeCommand(page)].map((piece) => Buffer.from(piece)));
    for (let i = 0; i < 2_000; i++) greedy.write(asked);
    try {
      await until('the greedy one being refused', () => said.includes('LVLIMIT'), 60_000);
      for (let i = 0; i < 20; i++) {
        expect(parseRangeReply(await sent(page), sealOfCommand(page)).items).toHaveLength(1);
        scanWaiting = Math.max(scanWaiting, io()['scanWaiting']!);
      }
      expect(scanWaiting).toBeLessThanOrEqual(9);
    } finally {
      greedy.destroy();
    }
    await until('nothing being on its way', () => (node.stats()['memory'] as Figures)['networkUsedBytes'] === 0);
  }, 240_000);
});
