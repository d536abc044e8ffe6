import type { Admin } from 'kafkajs';
import { ManualTime } from '../../client/test/manual-time';
import type { ClusterMetadata } from './cluster-metadata';
import { kafkaLogLimits } from './limits';
import { kafkaError } from './protocol/error-codes';
import { TopicAdmin } from './topic-admin';

const orders = {
  errorCode: 0,
  name: 'orders',
  topicId: 'AAAA',
  partitions: [{ errorCode: 0, partition: 0, leader: 1, leaderEpoch: 0, replicas: [1], inSync: [1] }],
};

/** `knows`: whether the broker that tells settings has heard of the topic; `exists`: whether the cluster has it. */
function admin(time: ManualTime, { knows, exists }: { knows: () => boolean; exists: () => boolean }) {
  const asked = { settings: 0 };
  const describeConfigs = () => {
    asked.settings++;
    const code = kafkaError.unknownTopicOrPartition;
    if (!knows())
      return Promise.reject(Object.assign(new Error('This server does not host this topic-partition'), { code }));
    const configEntries = [{ configName: 'cleanup.policy', configValue: 'delete' }];
    return Promise.resolve({ resources: [{ resourceName: 'orders', configEntries }] });
  };
  const topics = new TopicAdmin({
    admin: { connect: () => Promise.resolve(), describeConfigs } as unknown as Admin,
    metadata: { ask: () => Promise.resolve({ topics: exists() ? [orders] : [] }) } as unknown as ClusterMetadata,
    ...{ limits: kafkaLogLimits, clock: time, timers: time, replicationFactor: 1, brokers: 'b:9092' },
  });
  return { topics, asked };
}

describe('a broker that hears of a topic later than the others', () => {
  it('is asked again, until it has heard', async () => {
    const time = new ManualTime();
    const { topics, asked } = admin(time, { knows: () => asked.settings > 3, exists: () => true });
    const described = topics.describe(['orders']);
    await time.flow(200);
    expect(await described).toEqual([expect.objectContaining({ name: 'orders', partitions: 1 })]);
    expect(asked.settings).toBe(4);
  });

  it('is no reason to call a topic that was deleted meanwhile an error', async () => {
    const time = new ManualTime();
    const { topics, asked } = admin(time, { knows: () => false, exists: () => asked.settings < 2 });
    const described = topics.describe(['orders']);
    await time.flow(200);
    expect(await described).toEqual([]);
  });

  it('has a deadline', async () => {
    const time = new ManualTime();
    const { topics } = admin(time, { knows: () => false, exists: () => true });
    const described = topics.describe(['orders']).catch((error: unknown) => error);
    await time.flow(kafkaLogLimits.adminMs + 1_000);
    expect(await described).toMatchObject({ code: 'LOG_UNAVAILABLE' });
  });
});
