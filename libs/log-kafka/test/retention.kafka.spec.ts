import { asOffset, asPartition, failureCode, type Offset } from '@levee/kernel';
import { KafkaLog } from '@levee/log-kafka';
import { eventually } from '../../../test/support/deadline';
import { KafkaProcess } from './kafka-process';

const topic = 'aging';
const p0 = asPartition(0);

/** What a log says to readers of a topic that forgets by age: only who missed something hears that it is gone. */
describe('a partition that retention has emptied', () => {
  let kafka: KafkaProcess;
  let log: KafkaLog;

  beforeAll(async () => {
    kafka = await KafkaProcess.start(1);
    log = await KafkaLog.open({ brokers: kafka.brokers, clientId: 'aging' });
    const settings = { 'cleanup.policy': 'delete', 'retention.ms': '-1', 'segment.ms': '200' };
    await log.ensureTopics([{ name: topic, partitions: 1, settings }]);
  }, 120_000);

  afterAll(async () => {
    await log?.close();
    await kafka?.stop();
  }, 60_000);

  const append = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await log.append(topic, p0, [{ key: Buffer.from('k'), value: Buffer.from('v') }]);
  };

  /** Reads to the end, or to what the log says instead. */
  async function read(
    nextOffset: Offset,
    leaderEpoch: number,
  ): Promise<{ next: Offset; epoch: number; count: number }> {
    const stop = new AbortController();
    let [epoch, count] = [leaderEpoch, 0];
    try {
      for await (const batch of log.tail(topic, p0, { nextOffset, leaderEpoch }, { signal: stop.signal })) {
        count += batch.records.length;
        if (batch.records.length > 0) epoch = Math.max(epoch, batch.leaderEpoch);
        if (batch.nextOffset >= batch.endOffset) return { next: batch.nextOffset, epoch, count };
      }
    } finally {
      stop.abort();
    }
    throw new Error('the log closes');
  }

  /** It forgets only now: on a machine that is busy, what is to be read first would be gone. */
  const emptied = async (): Promise<void> => {
    await log.alterTopic(topic, { 'retention.ms': '1000' });
    await eventually(
      'it is empty',
      async () => (await log.offsets(topic)).every((of) => of.startOffset === of.endOffset),
      60_000,
      100,
    );
    await log.alterTopic(topic, { 'retention.ms': '-1' });
  };

  it('who stands at its end reads on, whatever leaders came and went; who is below its start is told so', async () => {
    await append(5);
    const first = await read(asOffset(0), -1);
    await kafka.kill(1);
    await kafka.restart(1);
    await append(5);
    const second = await read(first.next, first.epoch);
    expect([second.count, second.epoch > first.epoch]).toEqual([5, true]);
    await emptied();
    await kafka.kill(1);
    await kafka.restart(1);
    expect(await read(second.next, second.epoch)).toEqual({ ...second, count: 0 });
    await append(1);
    const third = await read(second.next, second.epoch);
    expect([third.count, third.epoch > second.epoch]).toEqual([1, true]);
    const gone = await read(first.next, first.epoch).catch(failureCode);
    expect(gone).toBe('OFFSET_OUT_OF_RANGE');
  }, 180_000);
});
