import { asOffset, asPartition, failureCode } from '@levee/kernel';
import { KafkaLog } from '@levee/log-kafka';
import { KafkaProcess } from './kafka-process';

const login = 'org.apache.kafka.common.security.plain.PlainLoginModule required';
const users = 'username="broker" password="b" user_broker="b" user_levee="right";';
let kafka: KafkaProcess;

beforeAll(async () => {
  kafka = await KafkaProcess.start(1, {
    'listener.security.protocol.map': 'PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT',
    'sasl.enabled.mechanisms': 'PLAIN',
    'sasl.mechanism.inter.broker.protocol': 'PLAIN',
    'listener.name.plaintext.plain.sasl.jaas.config': `${login} ${users}`,
  });
}, 120_000);

afterAll(async () => {
  await kafka?.stop();
}, 30_000);

const open = (password: string): Promise<KafkaLog> =>
  KafkaLog.open({
    brokers: kafka.brokers,
    clientId: 'secured',
    openMs: 1500,
    sasl: { mechanism: 'plain', username: 'levee', password },
  });

describe('log-kafka on a broker that asks who it is', () => {
  it('every connection logs in: administration, appends, tails, fenced writers', async () => {
    const log = await open('right');
    const p0 = asPartition(0);
    const records = [{ key: null, value: Buffer.from('x') }];
    await log.ensureTopics([{ name: 'secured', partitions: 1, settings: {} }]);
    expect(await log.append('secured', p0, records)).toEqual({ baseOffset: 0 });
    const writer = await log.fencedWriter('secured');
    expect(await writer.append('secured', p0, records)).toEqual({ baseOffset: 1 });
    const tail = log.tail('secured', p0, { nextOffset: asOffset(0), leaderEpoch: -1 })[Symbol.asyncIterator]();
    const step = await tail.next();
    expect(step.done === true ? 0 : step.value.records.length).toBe(2);
    await tail.return?.();
    await log.close();
  }, 60_000);

  it('a wrong password is LOG_UNAVAILABLE, saying so', async () => {
    const failure: unknown = await open('wrong').catch((error: unknown) => error);
    expect(failureCode(failure)).toBe('LOG_UNAVAILABLE');
    expect((failure as Error).message).toMatch(/authentication failed/i);
  }, 60_000);
});
