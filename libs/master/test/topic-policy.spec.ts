import type { CreateBinlog } from '@levee/cluster';
import { binlogLoss, createBinlog, durabilityAdvice } from '@levee/journal';
import { asPartition } from '@levee/kernel';
import { systemClock, type Log } from '@levee/log';
import { openLog } from './control-plane';

const topic = (settings: Record<string, string>, replicationFactor = 3) => ({
  name: 'levee.journal',
  topicId: 't',
  partitions: 1,
  replicationFactor,
  settings,
});

/** settings | replicas | advice */
test.each<[Record<string, string>, number, RegExp[]]>([
  [{}, 3, []],
  [{ 'min.insync.replicas': '2', 'unclean.leader.election.enable': 'false' }, 3, []],
  [{ 'min.insync.replicas': '1' }, 1, []],
  [
    { 'min.insync.replicas': '1' },
    3,
    [/min.insync.replicas is 1 with 3 replicas, it should be 2: kafka-configs.sh --bootstrap-server k1:9092/],
  ],
  [{ 'unclean.leader.election.enable': 'true' }, 1, [/is true, it should be false: .*--entity-name levee.journal/]],
])('%j with %d replicas', (settings, replicas, expected) => {
  const advice = durabilityAdvice(topic(settings, replicas), 'k1:9092');
  expect(advice).toHaveLength(expected.length);
  expected.forEach((pattern, i) => expect(advice[i]).toMatch(pattern));
});

describe('a binlog', () => {
  const binlog = {
    clusterId: 'c',
    namespace: 'shop',
    binlog: 'levee.binlog.shop',
    partitions: 2,
    hashAlgorithm: 'murmur2',
    createdAtMs: 1,
  } as const;
  const topic: CreateBinlog = {
    ...binlog,
    kind: 'createBinlog',
    number: 1,
    historyWindowMs: 60_000,
    thenSubmit: { kind: 'ActivateNamespace', payload: { name: 'shop', number: 1 } },
  };

  test('as it was made has lost nothing', async () => {
    const log = await openLog();
    await createBinlog(log, topic, systemClock);
    expect(await binlogLoss(log, binlog, systemClock)).toBeUndefined();
    await log.close();
  });

  test('that was grown by hand has lost nothing: partitions that are not its own do not count', async () => {
    const log = await openLog();
    await createBinlog(log, topic, systemClock);
    const grown = new Proxy(log, {
      get: (target, name) => {
        if (name === 'offsets')
          return async (name: string) => [
            ...(await target.offsets(name)),
            { partition: 2, startOffset: 4, endOffset: 9 },
            { partition: 3, startOffset: 0, endOffset: 0 },
          ];
        const of = Reflect.get(target, name) as unknown;
        return typeof of === 'function' ? (of.bind(target) as unknown) : of;
      },
    }) as Log;
    expect(await binlogLoss(grown, binlog, systemClock)).toBeUndefined();
    await log.close();
  });

  test('that begins after 0 is named with its partition', async () => {
    const log = { offsets: () => Promise.resolve([{ partition: 1, startOffset: 7, endOffset: 9 }]) } as unknown as Log;
    expect(await binlogLoss(log, binlog, systemClock)).toMatch(
      /shop partition 1 begins at offset 7, it must begin at 0/,
    );
  });

  test('that was deleted and created again is known by its missing Genesis', async () => {
    const log = await openLog();
    await createBinlog(log, topic, systemClock);
    await log.deleteTopics([binlog.binlog]);
    await log.ensureTopics([{ name: binlog.binlog, partitions: 2, settings: {} }]);
    expect(await binlogLoss(log, binlog, systemClock)).toMatch(/partition 0 is empty, without its Genesis/);
    await log.append(binlog.binlog, asPartition(0), [{ key: Buffer.from('k'), value: Buffer.from('v') }]);
    expect(await binlogLoss(log, binlog, systemClock)).toMatch(
      /created again: its first record, at offset 0, is no Genesis/,
    );
    await log.close();
  });

  test('of another creation, or another cluster, is known by its Genesis', async () => {
    const log = await openLog();
    await createBinlog(log, { ...topic, clusterId: 'another' }, systemClock);
    expect(await binlogLoss(log, binlog, systemClock)).toMatch(/its clusterId is another, not c/);
    await log.close();
  });
});
