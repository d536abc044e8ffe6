import { networkInterfaces } from 'node:os';
import { asOffset, asPartition } from '@levee/kernel';
import { KafkaLog } from '@levee/log-kafka';
import { KafkaProcess } from './kafka-process';

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));
if (!hasIpv6) process.stderr.write('not run: this machine has no IPv6 loopback (::1)\n');
const itOnIpv6 = hasIpv6 ? it : it['skip'];

describe('log-kafka on a broker that listens on ::1 alone', () => {
  let kafka: KafkaProcess | undefined;

  afterAll(async () => {
    await kafka?.stop();
  }, 30_000);

  itOnIpv6(
    'administration, appends, tails, fenced writers, the look at its health',
    async () => {
      kafka = await KafkaProcess.start(1, {}, {}, { host: '::1' });
      expect(kafka.brokers).toEqual([expect.stringMatching(/^\[::1\]:\d+$/)]);
      const log = await KafkaLog.open({ brokers: kafka.brokers, clientId: 'ipv6' });
      const p0 = asPartition(0);
      const records = [{ key: null, value: Buffer.from('x') }];
      await log.ensureTopics([{ name: 'ipv6', partitions: 1, settings: {} }]);
      expect(await log.append('ipv6', p0, records)).toEqual({ baseOffset: 0 });
      const writer = await log.fencedWriter('ipv6');
      expect(await writer.append('ipv6', p0, records)).toEqual({ baseOffset: 1 });
      const tail = log.tail('ipv6', p0, { nextOffset: asOffset(0), leaderEpoch: -1 })[Symbol.asyncIterator]();
      const step = await tail.next();
      expect(step.done === true ? 0 : step.value.records.length).toBe(2);
      await tail.return?.();
      expect((await log.describeTopics(['ipv6']))[0]).toMatchObject({ name: 'ipv6', partitions: 1 });
      expect((await log.examine(['ipv6'])).brokers).toEqual([expect.objectContaining({ address: kafka.brokers[0] })]);
      await log.close();
    },
    120_000,
  );

  it('an address without brackets is refused, with how it is written', async () => {
    await expect(KafkaLog.open({ brokers: ['::1'], clientId: 'ipv6' })).rejects.toThrow(
      "'::1' is no broker address: use 127.0.0.1:9092, or [::1]:9092",
    );
  });
});
