import { encode } from '@levee/codec';
import { asOffset } from '@levee/kernel';
import { LogFailure, type LogFailureCode, systemClock } from '@levee/log';
import { genesisKey } from '@levee/journal';
import { BentLog } from './bent-log';
import { SmallCluster, until } from './small-cluster';

const ns = 'shop.orders';
const dayMs = 86_400_000;
const one = { partitions: 1, chunks: 1 };

describe('a replica whose log is not what it was', () => {
  let cluster: SmallCluster;
  let log: BentLog;
  let binlog: string;

  beforeEach(async () => {
    cluster = await SmallCluster.start();
    log = new BentLog(cluster.log);
    await cluster.node('n1', { log });
    await cluster.ready();
    await cluster.namespace(ns, one);
    binlog = cluster.view.state.namespace(ns)!.binlog;
    for (let i = 0; i < 20; i++) await cluster.append(ns, `k${i}`, `v${i}`);
    await until('the writes', async () => (await cluster.read('n1', ns, ['k19']))[0] === 'v19');
  });
  afterEach(() => cluster.close());

  const rebuilds = (): number => Number(cluster.nodes.get('n1')!.stats()['rebuilds']);
  const problem = async (): Promise<string> => String((await cluster.stat('n1'))['problem']);

  /** Fails the next tails of the binlog that start above offset 0. */
  function failTails(code: LogFailureCode, times: number): void {
    let left = times;
    log.onTail = (topic, _, from) => {
      if (topic === binlog && from.nextOffset > 0 && left-- > 0) throw new LogFailure(code, `bent: ${code}`);
    };
  }

  async function restart(): Promise<void> {
    await cluster.stopNode('n1');
    await cluster.node('n1', { log });
  }

  it.each<LogFailureCode>(['LOG_UNAVAILABLE', 'RECORD_CORRUPT'])(
    '%s: tried again from the same place',
    async (code) => {
      failTails(code, 2);
      await restart();
      await cluster.ready();
      expect(rebuilds()).toBe(0);
      expect(await cluster.read('n1', ns, ['k0', 'k19'])).toEqual(['v0', 'v19']);
    },
  );

  it('I14: nothing is cleared while the log no longer begins at 0, and the replica says so', async () => {
    failTails('OFFSET_OUT_OF_RANGE', 1);
    log.onOffsets = (topic, offsets) =>
      topic === binlog ? offsets.map((each) => ({ ...each, startOffset: asOffset(22) })) : offsets;
    await restart();
    await until('the alarm', async () => (await problem()).includes('I14'));
    expect(rebuilds()).toBe(0);
    expect((await cluster.read('n1', ns, ['k0']))[0]).toMatch(/^LVNOTREADY/);
  });

  it('I14: nothing is cleared while the log begins without our Genesis; once it is restored, the replica goes on', async () => {
    let gone: boolean | undefined;
    log.onTail = (topic, _, from) => {
      if (topic !== binlog || from.nextOffset === 0 || gone !== undefined) return;
      gone = true;
      throw new LogFailure('LOG_TRUNCATED', 'the topic was deleted and created again');
    };
    log.onBatch = (batch) =>
      gone === true && batch.topic === binlog && batch.firstOffset === 0 ? { ...batch, records: [] } : batch;
    await restart();
    await until('the alarm', async () => /I14.*is a witness/.test(await problem()));
    // Longer than a witness waits for its next look.
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    expect(await problem()).toMatch(/I14.*is a witness/);
    expect(rebuilds()).toBe(0);
    gone = false;
    await cluster.ready();
    expect(await cluster.read('n1', ns, ['k0', 'k19'])).toEqual(['v0', 'v19']);
    expect(rebuilds()).toBe(0);
  });

  it('records that an open transaction holds back let the age grow, and the replica says why, until it ends', async () => {
    let open = true;
    log.onBatch = (batch) =>
      open && batch.topic === binlog && batch.nextOffset >= batch.endOffset
        ? { ...batch, withheldTo: asOffset(batch.endOffset + 3) }
        : batch;
    interface Stat {
      readonly replicas: { readonly positions: { readonly ageMs: number; readonly problem: string | null }[] }[];
    }
    const position = async () => ((await cluster.stat('n1')) as unknown as Stat).replicas[0]?.positions[0];
    await until('the trouble', async () => (await position())?.problem?.includes('transaction') === true);
    expect((await position())?.problem).toContain('from offset 21 to 24');
    await until('the age grows', async () => ((await position())?.ageMs ?? 0) > 1_500);
    expect(await cluster.read('n1', ns, ['k19'])).toEqual(['v19']);
    open = false;
    await until('the age falls', async () => {
      const now = await position();
      return now?.problem === null && now.ageMs < 600;
    });
  });

  it('I13: not readable before the end that the log had after the decision, however far that is', async () => {
    log.onOffsets = (topic, offsets) =>
      topic === binlog ? offsets.map((each) => ({ ...each, endOffset: asOffset(each.endOffset + 1) })) : offsets;
    await restart();
    await until('the loading', async () => (await problem()).includes('at 21 of 22'));
    expect((await cluster.read('n1', ns, ['k0']))[0]).toMatch(/^LVNOTREADY/);
    await cluster.append(ns, 'k20', 'v20');
    await cluster.ready();
    expect(await cluster.read('n1', ns, ['k20'])).toEqual(['v20']);
  });

  it('a log that begins with another Genesis is neither applied nor a reason to clear anything', async () => {
    const genesis = {
      clusterId: 'another',
      namespace: ns,
      binlog,
      partition: 0,
      partitions: 1,
      hashAlgorithm: 'murmur2',
    };
    const value = encode('Genesis', { ...genesis, nonce: 'x', createdAtMs: 0 });
    log.onBatch = (batch) =>
      batch.topic === binlog && batch.firstOffset === 0
        ? { ...batch, records: batch.records.map((each) => (each.key?.equals(genesisKey) ? { ...each, value } : each)) }
        : batch;
    await restart();
    await until('the refusal', async () => (await problem()).includes('the Genesis names clusterId another'));
    expect(rebuilds()).toBe(0);
  });

  it('I5: away for longer than half of delete.retention: rebuilt, since deletions may be gone from the log', async () => {
    await cluster.stopNode('n1');
    const later = (ms: number): number => ms + 4 * dayMs;
    log.onBatch = (batch) => ({
      ...batch,
      records: batch.records.map((each) => ({ ...each, timestampMs: later(each.timestampMs) })),
    });
    const node = await cluster.node('n1', { log });
    await until('the rebuild', () => Number(node.stats()['rebuilds']) === 1);
    await cluster.ready();
    expect(await cluster.read('n1', ns, ['k0', 'k19'])).toEqual(['v0', 'v19']);
    expect(rebuilds()).toBe(1);
  });

  it('a node whose own clock is days ahead neither rebuilds nor forgets anything', async () => {
    await cluster.stopNode('n1');
    const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + 40 * dayMs };
    const node = await cluster.node('n1', { log, clock });
    await cluster.ready();
    expect(node.stats()['rebuilds']).toBe(0);
    expect(await cluster.read('n1', ns, ['k0'])).toEqual(['v0']);
  });

  it('REPLICA_DAMAGED: a value that fails its checksum is never served; the replica is rebuilt', async () => {
    await cluster.stopNode('n1');
    await cluster.damage('n1', 'd/k7');
    await cluster.node('n1', { log });
    await cluster.ready();
    const [text] = await cluster.read('n1', ns, ['k7']);
    // The sweep may come across it before the reader does.
    expect(text).toMatch(/^(LVDAMAGED|LVNOTREADY .* fails its checksum)/);
    await until('the rebuild', () => rebuilds() === 1);
    await cluster.ready();
    expect(await cluster.read('n1', ns, ['k7'])).toEqual(['v7']);
  });
});
