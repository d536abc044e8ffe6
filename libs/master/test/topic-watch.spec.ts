import { encode } from '@levee/codec';
import { ClusterView, controlTopicSpecs, defaultControlPolicy } from '@levee/journal';
import { asPartition, type Logger } from '@levee/kernel';
import type { Log, LogCondition } from '@levee/log';
import { TopicWatch } from '../src';
import { openLog, topics, world } from './control-plane';

interface Said {
  readonly level: string;
  readonly text: string;
}

describe("the master's look at the topics", () => {
  let log: Awaited<ReturnType<typeof openLog>>;
  let said: Said[];
  let condition: LogCondition;
  let watch: TopicWatch;

  beforeEach(async () => {
    log = await openLog();
    said = [];
    condition = { brokers: [], weakPartitions: [], openTransactions: [], damage: [] };
    const say =
      (level: string): Logger['info'] =>
      (fields, message) =>
        void said.push({ level, text: `${message}: ${JSON.stringify(fields)}` });
    const logger: Logger = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
    const bent: Log = new Proxy(log, {
      get: (target, name) => {
        if (name === 'examine') return () => Promise.resolve(condition);
        const of = Reflect.get(target, name) as unknown;
        return typeof of === 'function' ? (of.bind(target) as unknown) : of;
      },
    });
    const view = new ClusterView(bent, topics, world);
    watch = new TopicWatch(bent, view, { topics, policy: defaultControlPolicy, clock: world.clock, logger });
  });
  afterEach(() => log.close());

  const alarms = (): string[] => said.filter(({ level }) => level !== 'info').map(({ text }) => text);

  it('makes the control topics of a new cluster, and is content', async () => {
    expect(watch.problem).toBe('the topics were not checked yet');
    expect(await watch.check()).toBe(true);
    expect(watch.problem).toBeUndefined();
    expect((await log.describeTopics()).map(({ name }) => name).sort()).toEqual(
      controlTopicSpecs(topics)
        .map(({ name }) => name)
        .sort(),
    );
  });

  it('does not make a topic anew that is gone later: it says so once, and again when it is back', async () => {
    await watch.check();
    await log.deleteTopics([topics.journal]);
    for (let i = 0; i < 3; i++) expect(await watch.check()).toBe(false);
    expect(watch.problem).toBe('topic levee.journal is missing: somebody deleted it, restore it from a backup');
    expect(alarms()).toHaveLength(1);
    await log.ensureTopics(controlTopicSpecs(topics));
    expect(await watch.check()).toBe(true);
    expect(said.at(-1)?.text).toContain('as they must be again');
  });

  it('does not begin a new journal beside checkpoints of an old one', async () => {
    await log.ensureTopics(controlTopicSpecs(topics).filter(({ name }) => name !== topics.journal));
    const value = encode('Fence', { producer: 'p', number: 1 });
    await log.append(topics.metadata, asPartition(0), [{ key: Buffer.from('k'), value }]);
    expect(await watch.check()).toBe(false);
    expect(watch.problem).toMatch(/levee\.journal is missing and levee\.metadata holds records.*LEVEE_TOPIC_PREFIX/);
    expect((await log.describeTopics([topics.journal])).length).toBe(0);
  });

  it('a setting that is not as it must be is named with is, must and the mend', async () => {
    await watch.check();
    await log.alterTopic(topics.journal, { 'retention.ms': '1000' });
    expect(await watch.check()).toBe(false);
    expect(watch.problem).toMatch(/levee\.journal.*retention\.ms.*1000.*mend it with/);
  });

  it('a transaction left open, and a broker that allows long ones, are told while they last, and logged once', async () => {
    const lastAppendMs = world.clock.nowMs() - 60_000;
    const at = { topic: 'levee.binlog.shop', partition: asPartition(3), startOffset: 7, withheldTo: 9 };
    const open = { ...at, producerId: 4711, producerEpoch: 2, transactionalId: 'nightly', lastAppendMs };
    const settings = { 'transaction.max.timeout.ms': '3600000' };
    condition = {
      brokers: [{ nodeId: 1, address: 'k1:9092', settings }],
      weakPartitions: [],
      openTransactions: [open as LogCondition['openTransactions'][number]],
      damage: [],
    };
    for (let i = 0; i < 3; i++) expect(await watch.check()).toBe(true);
    expect(watch.stats()).toEqual({ problem: 0, advice: 2, openTransactions: 1 });
    expect(watch.advice.join('\n')).toMatch(/timeout\.ms of broker 1 is 3600000, it should be at most 900000/);
    expect(watch.advice.join('\n')).toMatch(
      /producer 4711 epoch 2 \(transactional id 'nightly'\) left a transaction open on levee\.binlog\.shop partition 3/,
    );
    expect(alarms()).toHaveLength(2);
    condition = { ...condition, openTransactions: [], damage: [] };
    await watch.check();
    expect(watch.stats().openTransactions).toBe(0);
  });
});
