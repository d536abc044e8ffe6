import { asOffset, asPartition } from '@levee/kernel';
import { KafkaLog } from '@levee/log-kafka';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { kafkaJars } from '../../../test/support/kafka-jars';
import { KafkaProcess } from './kafka-process';

const root = join(__dirname, '../../..');
const p0 = asPartition(0);

const run = promisify(execFile);

/** What `test/interop/compression/Produce.java` sends under one prefix. */
function sent(prefix: string): string[] {
  return Array.from({ length: 200 }, (_, i) => {
    const key = i % 50 === 7 ? 'null' : `${prefix}:${i}`;
    const value = i % 50 === 9 ? 'null' : `${prefix} `.repeat(i);
    return `${1_700_000_000_000 + i} ${key}=${value} ${i % 50 === 3 ? `traceparent:00-${i}` : ''}`;
  });
}

describe('batches that Java producers compress', () => {
  let kafka: KafkaProcess;
  let log: KafkaLog;

  beforeAll(async () => {
    kafka = await KafkaProcess.start(1);
    log = await KafkaLog.open({ brokers: kafka.brokers, clientId: 'reader' });
  }, 120_000);

  afterAll(async () => {
    await log?.close();
    await kafka?.stop();
  }, 30_000);

  it('are read record by record, by every codec, with producers’ timestamps, and without what was aborted', async () => {
    const topic = `compressed-${process.pid}`;
    const settings = { 'compression.type': 'producer', 'message.timestamp.type': 'CreateTime', 'retention.ms': '-1' };
    await log.ensureTopics([{ name: topic, partitions: 1, settings }]);
    const program = join(root, 'test/interop/compression/Produce.java');
    const args = ['-cp', join(await kafkaJars(), '*'), program, kafka.brokers.join(','), topic];
    await run('java', args, { timeout: 120_000 });
    const end = (await log.offsets(topic))[0]?.endOffset ?? 0;
    const expected = ['none', 'gzip', 'snappy', 'lz4', 'zstd'].flatMap((codec) =>
      [codec, `${codec}-committed-0`, `${codec}-committed-2`].flatMap(sent),
    );
    for (const bytesMax of [1, 2 ** 20]) {
      const found: string[] = [];
      for await (const batch of log.tail(topic, p0, { nextOffset: asOffset(0), leaderEpoch: -1 }, { bytesMax })) {
        for (const { timestampMs, key, value, headers } of batch.records) {
          const header = headers.map((one) => `${one.key}:${one.value.toString()}`).join();
          found.push(`${timestampMs} ${key?.toString() ?? 'null'}=${value?.toString() ?? 'null'} ${header}`);
        }
        if (batch.nextOffset >= end) break;
      }
      expect(found).toEqual(expected);
    }
  }, 180_000);
});
