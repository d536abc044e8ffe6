import { join } from 'node:path';
import Redis from 'ioredis';
import { type AclEntry, AclOperationTypes, type Admin, Kafka, logLevel, Partitioners } from 'kafkajs';
import { encodePut } from '@levee/codec';
import { KafkaProcess } from '../../libs/log-kafka/test/kafka-process';
import { ClusterProcess } from '../support/cluster-process';
import { eventually } from '../support/deadline';
import { documentedAcls } from '../support/kafka-roles';
import { leveeWith, type CommandResult } from '../support/levee-command';
import { scratchFolder } from '../support/standalone-process';

const roles = ['master', 'portal', 'node', 'dispatcher', 'auditor', 'producer'] as const;
const password = 'right';

/** A master, a dispatcher, two nodes and a portal, each a Kafka user with the ACLs that docs/security.md prints, and no more. */
describe('a Kafka with an authorizer', () => {
  const dir = scratchFolder('kafka-acls');
  let kafka: KafkaProcess;
  let cluster: ClusterProcess;
  let admin: Admin;
  let client: Redis;
  const as = (role: string) => ({
    KAFKA_BROKERS: kafka.brokers.join(','),
    KAFKA_SASL_MECHANISM: 'plain',
    KAFKA_SASL_USERNAME: role,
    KAFKA_SASL_PASSWORD: password,
  });
  const kafkaAs = (username: string): Kafka =>
    new Kafka({
      brokers: [...kafka.brokers],
      logLevel: logLevel.NOTHING,
      retry: { retries: 2 },
      sasl: { mechanism: 'plain', username, password },
    });
  const remove = (acls: readonly AclEntry[]): Promise<unknown> => admin.deleteAcls({ filters: [...acls] });
  const url = (): string => cluster.doors.portals[0]!.http;
  const keyOf = async (namespace: string, key: string): Promise<string> =>
    (await fetch(`${url()}/v1/kv/${namespace}/${key}`)).text();
  const levee = (...args: string[]): Promise<CommandResult> => leveeWith({ ...as('auditor'), LEVEE_URL: url() }, args);

  beforeAll(async () => {
    const users = ['broker', 'root', ...roles].map((name) => `user_${name}="${password}"`).join(' ');
    const login = `org.apache.kafka.common.security.plain.PlainLoginModule required username="broker" password="${password}"`;
    kafka = await KafkaProcess.start(1, {
      'listener.security.protocol.map': 'PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT',
      'sasl.enabled.mechanisms': 'PLAIN',
      'sasl.mechanism.inter.broker.protocol': 'PLAIN',
      'listener.name.plaintext.plain.sasl.jaas.config': `${login} ${users};`,
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:broker;User:root;User:ANONYMOUS',
    });
    admin = kafkaAs('root').admin();
    await admin.connect();
    await admin.createAcls({ acl: documentedAcls() });
    const members = { m1: 'master', d1: 'dispatcher', n1: 'node', n2: 'node', p1: 'portal' };
    cluster = await ClusterProcess.start(
      [
        ...['--brokers', kafka.brokers.join(','), '--dir', join(dir, 'cluster')],
        ...[
          '--masters',
          '1',
          '--dispatchers',
          '1',
          '--nodes',
          '2',
          '--portals',
          '1',
          '--replicas',
          '2',
          '--partitions',
          '4',
        ],
        ...Object.entries(members).flatMap(([name, role]) => ['--env', `${name}:KAFKA_SASL_USERNAME=${role}`]),
      ],
      { KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_PASSWORD: password },
    );
    client = new Redis({ port: cluster.respPorts[0] as number, host: '127.0.0.1', maxRetriesPerRequest: 0 });
    client.on('error', () => undefined);
  }, 240_000);
  afterAll(async () => {
    client?.disconnect();
    const printed = await cluster?.end();
    await admin?.disconnect();
    await kafka?.stop();
    expect(printed).not.toMatch(/did not stop cleanly/);
  }, 120_000);

  it('the page names every role', () => {
    const named = new Set(documentedAcls().map(({ principal }) => principal));
    expect([...named].sort()).toEqual(roles.map((role) => `User:${role}`).sort());
  });

  it('does all of its work with exactly these', async () => {
    for (let i = 0; i < 50; i++) await client.set(`k${i}`, `v${i}`);
    await client.call('LV.CONSISTENCY', 'strong');
    expect(await client.get('k7')).toBe('v7');
    await client.call('LV.CONSISTENCY', 'session');
    const done = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await levee(...args);
      expect([args, code, stderr]).toEqual([args, 0, expect.any(String)]);
      return stdout;
    };
    await done('namespace', 'create', 'shop', '--partitions', '2', '--replicas', '1');
    await done('namespace', 'resize', 'default', '--chunks', '6', '--observe', '1s', '--watch');
    expect(await done('namespace', 'digests', 'default')).toMatch(/all replicas agree/);
    await done('namespace', 'alter', 'shop', '--history-window', '2d');
    await done('namespace', 'delete', 'shop', '--yes');
    // A moment that is over by the clock of everybody here.
    const at = new Date(Date.now() - 1_000).toISOString();
    await done('namespace', 'fork', 'default', 'past', '--at', at, '--clock-margin', '1ms');
    await eventually('the fork is served', async () => (await keyOf('past', 'k7')) === 'v7');
    await eventually('the doctor finds nothing', async () => (await levee('doctor')).code === 0, 60_000, 500);
    expect(await done('audit', 'verify', '--quiet')).toMatch(/nothing is wrong with what was read/);
  }, 240_000);

  it('takes what a producer writes into its namespace, and lets it write nowhere else', async () => {
    const producer = kafkaAs('producer').producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    const key = Buffer.from('of-a-producer');
    const message = { key, value: encodePut(key, Buffer.from('hello'), null) };
    await producer.send({ topic: 'levee.binlog.default', messages: [message] });
    await eventually('it is served', async () => (await client.get('of-a-producer')) === 'hello');
    for (const topic of ['levee.journal', 'levee.commands'])
      await expect(producer.send({ topic, messages: [message] })).rejects.toThrow(/authoriz/i);
    await producer.disconnect();
  }, 60_000);

  it('nodes that may not read say so, and go on where they were once they may', async () => {
    const acls = documentedAcls().filter(
      ({ principal, operation }) => principal === 'User:node' && operation === AclOperationTypes.READ,
    );
    await remove(acls);
    const told = await eventually(
      'the doctor names the right',
      async () => {
        const { stdout } = await levee('doctor');
        return /TOPIC_AUTHORIZATION_FAILED/.test(stdout) ? stdout : undefined;
      },
      120_000,
      1_000,
    );
    expect(told).toMatch(/levee\.(binlog\.default|journal).*may not read the topic/);
    await admin.createAcls({ acl: acls });
    await eventually('the doctor finds nothing', async () => (await levee('doctor')).code === 0, 60_000, 500);
    expect(await client.get('k3')).toBe('v3');
  }, 240_000);

  it('a portal that may not write refuses definitely and names the topic; once it may, it writes', async () => {
    const acl = documentedAcls().find(
      ({ principal, resourceName }) => principal === 'User:portal' && resourceName === 'levee.binlog.',
    ) as AclEntry;
    await remove([acl]);
    const refusal = await eventually('it is refused', () =>
      client.set('k1', 'other').then(
        () => undefined,
        (error: Error) => error.message,
      ),
    );
    expect(refusal).toMatch(/^LVDEFINITE .*levee\.binlog\.default.*TOPIC_AUTHORIZATION_FAILED/);
    expect(await client.get('k2')).toBe('v2');
    await admin.createAcls({ acl: [acl] });
    await eventually('it writes again', () =>
      client.set('k1', 'again').then(
        () => true,
        () => undefined,
      ),
    );
    expect(await client.get('k1')).toBe('again');
  }, 60_000);
});
