import {
  AclOperationTypes as Operation,
  AclPermissionTypes,
  AclResourceTypes,
  type Admin,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from 'kafkajs';
import { asOffset, asPartition, failureCode } from '@levee/kernel';
import { KafkaLog } from '@levee/log-kafka';
import { eventually } from '../../../test/support/deadline';
import { bound } from '../../../test/support/seed';
import { KafkaProcess } from './kafka-process';

/** What each operation of the log needs of a Kafka with an authorizer, on the topic of its name, or a transactional id. */
const operations: readonly Row[] = [
  {
    name: 'describeTopics',
    needs: ['DESCRIBE', 'DESCRIBE_CONFIGS'],
    run: (log, topic) => log.describeTopics([topic]),
  },
  { name: 'offsets', needs: ['DESCRIBE'], run: (log, topic) => log.offsets(topic) },
  { name: 'tail', needs: ['READ'], run: firstBatch },
  { name: 'append', needs: ['WRITE'], run: (log, topic) => log.append(topic, p0, [record]) },
  { name: 'fencedWriter', needs: ['WRITE', 'WRITE id'], run: appendFenced },
  {
    name: 'ensureTopics',
    needs: ['CREATE', 'DESCRIBE', 'DESCRIBE_CONFIGS'],
    isNew: true,
    run: (log, topic) => log.ensureTopics([{ name: topic, partitions: 1, settings: {} }]),
  },
  {
    name: 'alterTopic',
    needs: ['DESCRIBE', 'ALTER_CONFIGS'],
    run: (log, topic) => log.alterTopic(topic, { 'retention.ms': '86400000' }),
  },
  { name: 'deleteTopics', needs: ['DELETE'], run: (log, topic) => log.deleteTopics([topic]) },
];

interface Row {
  readonly name: string;
  readonly needs: readonly string[];
  /** The topic is not there yet. */
  readonly isNew?: true;
  readonly run: (log: KafkaLog, topic: string) => Promise<unknown>;
}

const p0 = asPartition(0);
const record = { key: null, value: Buffer.from('x') };

async function firstBatch(log: KafkaLog, topic: string): Promise<number> {
  const stop = new AbortController();
  const from = { nextOffset: asOffset(0), leaderEpoch: -1 };
  try {
    for await (const { records } of log.tail(topic, p0, from, { signal: stop.signal, unavailableMs: 3_000 }))
      return records.length;
  } finally {
    stop.abort();
  }
  return 0;
}

async function appendFenced(log: KafkaLog, topic: string): Promise<unknown> {
  const writer = await log.fencedWriter(topic);
  return writer.append(topic, p0, [record]);
}

/** Each with all that it needs, and with all but one. */
const attempts = operations.flatMap(({ needs, ...row }) =>
  [undefined, ...needs].map((lacks) => ({ ...row, lacks, has: needs.filter((each) => each !== lacks) })),
);
const userOf = (at: number): string => `u${at}`;
const topicOf = (at: number): string => `acl.${at}`;

describe('log-kafka on a broker with an authorizer', () => {
  let kafka: KafkaProcess;
  let admin: Admin;
  let root: KafkaLog;
  const open = (username: string): Promise<KafkaLog> =>
    KafkaLog.open({
      brokers: kafka.brokers,
      clientId: username,
      sasl: { mechanism: 'plain', username, password: 'right' },
    });

  beforeAll(async () => {
    const names = ['broker', 'root', ...attempts.map((_, at) => userOf(at))];
    const users = names.map((name) => `user_${name}="right"`).join(' ');
    const login = 'org.apache.kafka.common.security.plain.PlainLoginModule required username="broker" password="right"';
    kafka = await KafkaProcess.start(1, {
      'listener.security.protocol.map': 'PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT',
      'sasl.enabled.mechanisms': 'PLAIN',
      'sasl.mechanism.inter.broker.protocol': 'PLAIN',
      'listener.name.plaintext.plain.sasl.jaas.config': `${login} ${users};`,
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:broker;User:root;User:ANONYMOUS',
    });
    root = await open('root');
    const topics = attempts.flatMap(({ isNew }, at) => (isNew ? [] : [topicOf(at)]));
    await root.ensureTopics(topics.map((name) => ({ name, partitions: 1, settings: {} })));
    for (const topic of topics) await root.append(topic, p0, [record]);
    admin = new Kafka({
      brokers: [...kafka.brokers],
      logLevel: logLevel.NOTHING,
      sasl: { mechanism: 'plain', username: 'root', password: 'right' },
    }).admin();
    await admin.connect();
    const acl = attempts.flatMap(({ has }, at) =>
      has.map((need) => ({
        resourceType: need.endsWith(' id') ? AclResourceTypes.TRANSACTIONAL_ID : AclResourceTypes.TOPIC,
        resourceName: topicOf(at),
        resourcePatternType: ResourcePatternTypes.LITERAL,
        principal: `User:${userOf(at)}`,
        host: '*',
        operation: Operation[need.replace(' id', '') as keyof typeof Operation],
        permissionType: AclPermissionTypes.ALLOW,
      })),
    );
    await admin.createAcls({ acl });
    // The controller answers before the broker goes by them.
    const any = {
      resourceType: AclResourceTypes.ANY,
      resourcePatternType: ResourcePatternTypes.ANY,
      operation: Operation.ANY,
      permissionType: AclPermissionTypes.ANY,
    };
    await eventually('the broker knows them', async () => {
      const { resources } = await admin.describeAcls(any);
      return resources.reduce((sum, { acls }) => sum + acls.length, 0) >= acl.length;
    });
  }, 120_000);
  afterAll(async () => {
    await admin?.disconnect();
    await root?.close();
    await kafka?.stop();
  }, 60_000);

  it.each(attempts.map((each, at) => [each.name, each.lacks ?? 'nothing', each, at] as const))(
    '%s without %s',
    async (name, _lacks, { run, lacks }, at) => {
      const log = await open(userOf(at));
      const began = performance.now();
      const outcome = await run(log, topicOf(at)).then(
        () => 'done',
        (error: unknown) => error,
      );
      const tookMs = performance.now() - began;
      await log.close();
      if (lacks === undefined) return expect(outcome).toBe('done');
      expect(outcome).toBeInstanceOf(Error);
      const { message } = outcome as Error;
      // Not missing, not empty, not a leader that cannot be found: nobody may see it.
      expect([failureCode(outcome), message]).toEqual(['LOG_UNAVAILABLE', expect.stringContaining(topicOf(at))]);
      expect(message).toMatch(/authoriz|AUTHORIZATION_FAILED/i);
      expect(message).toMatch(/docs\/security\.md/);
      expect(tookMs).toBeLessThan(bound(10_000));
      if (name === 'deleteTopics') expect(await root.describeTopics([topicOf(at)])).toHaveLength(1);
    },
    60_000,
  );
});
