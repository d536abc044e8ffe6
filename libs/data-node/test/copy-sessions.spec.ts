import { LoopReader } from '@levee/chunk-store';
import { copyLimits, CopySessions } from '@levee/data-node';
import type { ChunkState } from '@levee/events';
import { silentLogger, type Timers } from '@levee/kernel';
import { systemClock, systemTimers } from '@levee/log';
import {
  copyCloseCommand,
  copyNextCommand,
  type CopyOpened,
  copyOpenCommand,
  parseCopyFrame,
  parseCopyOpened,
  RespError,
  type RespReply,
  sealOfCommand,
} from '@levee/wire';
import { SmallCluster } from './small-cluster';

const ns = 'shop.orders';

describe('LV.COPY', () => {
  let cluster: SmallCluster;
  let chunk: ChunkState;

  beforeEach(async () => {
    cluster = await SmallCluster.start();
    await cluster.node('n1');
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 1, chunks: 2 });
    for (let i = 0; i < 50; i++) await cluster.append(ns, `key-${i}`, `value ${i}`);
    chunk = [...cluster.view.state.chunksOf(ns)].sort((a, b) => a.slotStart - b.slotStart)[0]!;
  });
  afterEach(() => cluster.close());

  const openCommand = (change: object = {}): readonly (string | Buffer)[] => {
    const { chunkId, slotStart, slotEnd } = chunk;
    return copyOpenCommand({ namespace: ns, chunkId, slotStart, slotEnd, after: Buffer.alloc(0), ...change });
  };
  const open = (change: object = {}): Promise<RespReply> => cluster.send('n1', openCommand(change));
  const opened = async (): Promise<CopyOpened> =>
    parseCopyOpened((await open()) as Buffer, sealOfCommand(openCommand()));
  const text = (reply: RespReply): string => (reply instanceof RespError ? reply.text : 'a reply');

  it('hands out a snapshot block by block, in order, each block once', async () => {
    const end = (await cluster.log.offsets(cluster.view.state.namespace(ns)!.binlog))[0]!.endOffset;
    await cluster.read('n1', ns, ['key-49'], { minOffset: end });
    const { copyId, positions } = await opened();
    expect(positions).toHaveLength(1);
    const position = positions[0]!;
    expect(position).toMatchObject({ partition: 0, leaderEpoch: expect.any(Number) as number });
    expect(position.completeAtMs).toBeGreaterThan(systemClock.nowMs() - 60_000);
    const sizes: number[] = [];
    for (let sequence = 0; ; sequence++) {
      const next = copyNextCommand(copyId, sequence, 200);
      const frame = parseCopyFrame((await cluster.send('n1', next)) as Buffer, sequence, sealOfCommand(next));
      sizes.push(frame.block.length);
      if (frame.last) break;
    }
    expect(sizes.length).toBeGreaterThan(3);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(200);
    expect(text(await cluster.send('n1', copyNextCommand(copyId, 0, 200)))).toMatch(/^LVCOPYGONE/);
    expect(cluster.nodes.get('n1')!.stats()['copies']).toMatchObject({ open: 0, opened: 1 });
    expect(await cluster.send('n1', copyCloseCommand(copyId))).toBe('OK');
    expect(text(await cluster.send('n1', copyNextCommand(copyId, sizes.length, 200)))).toMatch(/^LVCOPYGONE/);
  });

  it('refuses slots and chunks that it does not hold, and what is no request', async () => {
    expect(text(await open({ chunkId: `${ns}#1/c09999` }))).toMatch(/^LVMOVED \d+ this node has no replica/);
    expect(text(await open({ slotEnd: chunk.slotEnd + 1 }))).toMatch(/^LVMOVED .* has the slots 0 to/);
    expect(text(await open({ slotStart: 7, slotEnd: 7 }))).toMatch(/^LVMOVED/);
    expect(text(await cluster.send('n1', ['LV.COPY', 'CLOSE', 'x']))).toMatch(/^ERR 'LV.COPY' takes one frame/);
    expect(text(await cluster.send('n1', ['LV.COPY', 'CLOSE']))).toMatch(/^ERR .* fails its checksum/);
    expect(text(await cluster.send('n1', copyNextCommand('x', 0, 0)))).toMatch(/^ERR bytesMax is at least 1/);
    expect(text(await cluster.send('n1', copyNextCommand('nobody-1', 0, 5)))).toMatch(/^LVCOPYGONE/);
  });

  it(`holds ${copyLimits.openMax} snapshots open at most; one that is closed makes room`, async () => {
    const copies: string[] = [];
    for (let i = 0; i < copyLimits.openMax; i++) copies.push((await opened()).copyId);
    expect(new Set(copies).size).toBe(copyLimits.openMax);
    expect(text(await open())).toMatch(/^LVCOPYBUSY 4 copies are open/);
    await cluster.send('n1', copyCloseCommand(copies[1]!));
    expect(text(await open())).toBe('a reply');
  });

  it('closes a snapshot that nobody asks anything of any more', async () => {
    const due = new Map<() => void, number>();
    const timers: Timers = {
      after: (ms, run) => {
        due.set(run, ms);
        return () => due.delete(run);
      },
    };
    const reader = new LoopReader({ copy: systemClock, digest: systemClock });
    const sessions = new CopySessions({ incarnation: 'i1', reader, timers, logger: silentLogger });
    const hosted = cluster.nodes.get('n1')!.serving()!.host.chunk(chunk.chunkId)!;
    const { copyId } = await sessions.begin(hosted, chunk);
    await sessions.next(copyId, 0, 100);
    expect([...due.values()]).toEqual([copyLimits.idleMs]);
    [...due.keys()][0]!();
    expect(sessions.open).toBe(0);
    await expect(sessions.next(copyId, 1, 100)).rejects.toMatchObject({ code: 'LVCOPYGONE' });
  });

  it('makes blocks that are asked for ahead one after another, and no more of them than it should', async () => {
    const reader = new LoopReader({ copy: systemClock, digest: systemClock });
    const sessions = new CopySessions({ incarnation: 'i1', reader, timers: systemTimers, logger: silentLogger });
    const hosted = cluster.nodes.get('n1')!.serving()!.host.chunk(chunk.chunkId)!;
    const [one, other] = [await sessions.begin(hosted, chunk), await sessions.begin(hosted, chunk)];
    const asked = Array.from({ length: copyLimits.blocksAhead + 1 }, (_, n) => sessions.next(one.copyId, n, 100));
    await expect(sessions.next(one.copyId, asked.length, 100)).rejects.toMatchObject({ code: 'LVCOPYGONE' });
    const single: Buffer[] = [];
    for (const n of asked.keys()) single.push((await sessions.next(other.copyId, n, 100)).bytes);
    expect((await Promise.all(asked)).map(({ bytes }) => bytes)).toEqual(single);
    const [next, never] = [sessions.next(one.copyId, asked.length, 100), sessions.next(one.copyId, 77, 100)];
    await expect(never).rejects.toMatchObject({ code: 'LVCOPYGONE' });
    expect((await next).bytes.length).toBeGreaterThan(0);
    const behindTheLast = [0, 1, 2].map((n) => sessions.next(other.copyId, asked.length + n, 1 << 20));
    const ends = await Promise.allSettled(behindTheLast);
    expect(ends.map((end) => end.status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    sessions.close();
  });

  it('ends with the replica: a rebuild under it is no half snapshot', async () => {
    const { copyId } = await opened();
    await cluster.send('n1', copyNextCommand(copyId, 0, 50));
    cluster.nodes.get('n1')!.serving()!.host.chunk(chunk.chunkId)!.mustRebuild('the test asks for it');
    expect(text(await open())).toMatch(/^LVNOTREADY/);
    let reply = '';
    for (let sequence = 1; reply === '' || reply === 'a reply'; sequence++)
      reply = text(await cluster.send('n1', copyNextCommand(copyId, sequence, 50)));
    expect(reply).toMatch(/^LVCOPYGONE/);
    await cluster.ready();
    expect(text(await open())).toBe('a reply');
  });
});
