import { asPartition } from '@levee/kernel';
import { type Case, p0, record } from '../contract-case';

export const topics: readonly Case[] = [
  [
    'ensureTopics creates what is missing, and again changes nothing',
    async (c) => {
      const spec = c.spec({ 'cleanup.policy': 'compact' }, 3);
      await c.log.ensureTopics([spec]);
      await c.append(spec.name, [record('k', 'v')], asPartition(2));
      const before = await c.log.describeTopics([spec.name]);
      await c.log.ensureTopics([spec]);
      await c.log.ensureTopics([spec, c.spec()]);
      expect(await c.log.describeTopics([spec.name])).toEqual(before);
      expect(await c.values(spec.name, 0, asPartition(2))).toEqual(['v']);
    },
  ],
  [
    'ensureTopics by several callers at once creates each topic once',
    async (c) => {
      const specs = [c.spec({}, 2), c.spec()];
      await c.within(Promise.all([1, 2, 3, 4].map(() => c.log.ensureTopics(specs))), 'ensureTopics');
      expect(await c.log.describeTopics(specs.map((s) => s.name))).toHaveLength(2);
    },
  ],
  [
    'a new topic can be written, read and asked at once',
    async (c) => {
      for (let n = 0; n < 5; n++) {
        const topic = await c.topic({}, 4);
        expect((await c.log.offsets(topic)).map((o) => Number(o.partition))).toEqual([0, 1, 2, 3]);
        expect(await c.append(topic, [record('k', `${n}`)], asPartition(3))).toBe(0);
      }
    },
  ],
  [
    'describeTopics tells partitions and settings, and leaves missing topics out',
    async (c) => {
      const spec = c.spec({ 'cleanup.policy': 'compact', 'max.message.bytes': '222222' }, 5);
      await c.log.ensureTopics([spec]);
      const described = await c.log.describeTopics([spec.name, 'contract-missing-topic']);
      expect(described).toHaveLength(1);
      expect(described[0]).toMatchObject({ name: spec.name, partitions: 5, settings: spec.settings });
      expect(described[0]?.replicationFactor).toBeGreaterThanOrEqual(1);
      expect((await c.log.describeTopics()).map((t) => t.name)).toContain(spec.name);
    },
  ],
  [
    'another number of partitions is TOPIC_MISCONFIGURED, naming topic, is and must',
    async (c) => {
      const spec = c.spec({}, 3);
      await c.log.ensureTopics([spec]);
      await c.fails(c.log.ensureTopics([{ ...spec, partitions: 4 }]), 'TOPIC_MISCONFIGURED', spec.name, '3', '4');
    },
  ],
  [
    'another setting is TOPIC_MISCONFIGURED, naming topic, setting, is, must and the mend',
    async (c) => {
      const spec = c.spec({ 'cleanup.policy': 'delete' });
      await c.log.ensureTopics([spec]);
      const wanted = { ...spec, settings: { ...spec.settings, 'cleanup.policy': 'compact' } };
      const mentions = [spec.name, 'cleanup.policy', 'delete', 'compact'];
      const failure = await c.fails(c.log.ensureTopics([wanted]), 'TOPIC_MISCONFIGURED', ...mentions);
      expect(failure.message.length).toBeGreaterThan(mentions.join('').length + 20);
      expect((await c.log.describeTopics([spec.name]))[0]?.settings['cleanup.policy']).toBe('delete');
    },
  ],
  [
    'settings that are not asked for may be what they are',
    async (c) => {
      const spec = c.spec({ 'max.message.bytes': '333333' });
      await c.log.ensureTopics([spec]);
      await c.log.ensureTopics([{ ...spec, settings: {} }]);
    },
  ],
  [
    'altered settings are in force when the call ends, and the others stay; again is no error',
    async (c) => {
      const spec = c.spec({ 'cleanup.policy': 'delete', 'retention.ms': '3600000', 'max.message.bytes': '333333' });
      await c.log.ensureTopics([spec]);
      await c.append(spec.name, [record('k', 'v')]);
      for (const _ of ['first', 'again']) {
        await c.within(c.log.alterTopic(spec.name, { 'retention.ms': '7200000' }), 'altering');
        await c.log.ensureTopics([{ ...spec, settings: { ...spec.settings, 'retention.ms': '7200000' } }]);
      }
      await c.fails(c.log.ensureTopics([spec]), 'TOPIC_MISCONFIGURED', 'retention.ms');
      await c.fails(c.log.alterTopic('contract-missing-topic', {}), 'TOPIC_MISSING', 'contract-missing-topic');
      await c.fails(c.log.alterTopic(spec.name, { 'retention.ms': 'long' }), 'TOPIC_MISCONFIGURED');
      expect(await c.values(spec.name)).toEqual(['v']);
    },
  ],
  [
    'a setting that there is not, or a value that is none, changes nothing',
    async (c) => {
      const topic = await c.topic({ 'cleanup.policy': 'delete', 'retention.ms': '3600000' });
      await c.append(topic, [record('k', 'v')]);
      for (const [name, value] of [
        ['retention.msec', '1'],
        ['retention.ms', ''],
        ['retention.ms', ' '],
        ['retention.ms', '1.5'],
        ['retention.ms', '-2'],
        ['min.cleanable.dirty.ratio', '2'],
        ['cleanup.policy', ''],
      ] as const)
        await c.fails(c.log.alterTopic(topic, { [name]: value }), 'TOPIC_MISCONFIGURED', name);
      const [described] = await c.log.describeTopics([topic]);
      expect(described?.settings).toMatchObject({ 'retention.ms': '3600000', 'cleanup.policy': 'delete' });
      expect(await c.values(topic)).toEqual(['v']);
    },
  ],
  [
    'a deleted topic is gone, for appends, readers and questions; deleting it again is no error',
    async (c) => {
      const topic = await c.topic();
      await c.append(topic, [record('k', 'v')]);
      await c.within(c.log.deleteTopics([topic]), 'deleting');
      await c.until(async () => (await c.log.describeTopics([topic])).length === 0, 'the topic to be gone');
      await c.fails(c.log.append(topic, p0, [record('k', 'v')]), 'TOPIC_MISSING', topic);
      await c.fails(c.tail(topic, 0).next(), 'TOPIC_MISSING');
      await c.fails(c.log.offsets(topic), 'TOPIC_MISSING');
      await c.within(c.log.deleteTopics([topic, 'contract-missing-topic']), 'deleting again');
    },
  ],
  [
    'a topic made again under an old name is another one: empty, with another topicId',
    async (c) => {
      const spec = c.spec();
      await c.log.ensureTopics([spec]);
      await c.append(spec.name, [record('k', 'old')]);
      const [before] = await c.log.describeTopics([spec.name]);
      await c.log.deleteTopics([spec.name]);
      await c.until(async () => (await c.log.describeTopics([spec.name])).length === 0, 'the topic to be gone');
      await c.remake(spec);
      const [after] = await c.log.describeTopics([spec.name]);
      expect(after?.topicId).not.toBe(before?.topicId);
      expect(await c.append(spec.name, [record('k', 'new')])).toBe(0);
      expect(await c.values(spec.name)).toEqual(['new']);
    },
  ],
  [
    'a tail that names a topicId reads that very topic, and never another one under its name',
    async (c) => {
      const spec = c.spec();
      await c.log.ensureTopics([spec]);
      await c.append(spec.name, [record('k', 'old')]);
      const topicId = (await c.log.describeTopics([spec.name]))[0]?.topicId as string;
      const tail = c.tail(spec.name, 0, { topicId });
      expect((await tail.toEnd()).records.map(({ value }) => value?.toString())).toEqual(['old']);
      await c.log.deleteTopics([spec.name]);
      await c.until(async () => (await c.log.describeTopics([spec.name])).length === 0, 'the topic to be gone');
      await c.remake(spec);
      for (const value of ['a', 'b', 'c']) await c.append(spec.name, [record('k', value)]);
      await c.fails(
        (async () => {
          for (;;) expect((await tail.next())?.records).toEqual([]);
        })(),
        'TOPIC_MISSING',
      );
      for (const from of [0, 1, 3]) await c.fails(c.tail(spec.name, from, { topicId }).next(), 'TOPIC_MISSING');
      const [now] = await c.log.describeTopics([spec.name]);
      const again = c.tail(spec.name, 0, { topicId: now?.topicId as string });
      expect((await again.toEnd()).records).toHaveLength(3);
    },
  ],
  [
    'offsets of a missing topic fail, naming it',
    async (c) => {
      await c.fails(c.log.offsets('contract-missing-topic'), 'TOPIC_MISSING', 'contract-missing-topic');
      await c.fails(c.log.offsetAt('contract-missing-topic', p0, 0), 'TOPIC_MISSING', 'contract-missing-topic');
    },
  ],
];
