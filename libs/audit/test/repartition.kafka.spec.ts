import { encodePut } from '@levee/codec';
import { asOffset, asPartition } from '@levee/kernel';
import { hashOf, partitionOf } from '@levee/keyspace';
import type { FencedWriter, Log, LogRecord } from '@levee/log';
import { KafkaLog } from '@levee/log-kafka';
import { Kafka, logLevel, type Producer } from 'kafkajs';
import { Repartitioning, type Settled, takeOverRepartition } from '../src';
import { homeHeader } from '../src/repartition/home-mark';
import { JournaledLog } from './journaled-log';
import { bent } from './scripted-journal';

jest.setTimeout(120_000);
process.env['KAFKAJS_NO_PARTITIONER_WARNING'] = '1';

const key = Buffer.from('k');
const partitions = 4;
const home = asPartition(partitionOf(hashOf(key, 'murmur2'), partitions));
const elsewhere = asPartition((home + 1) % partitions);
const put = (value: string): Buffer => encodePut(key, Buffer.from(value), null);

describe('records in wrong partitions come home beside what other Kafka producers do', () => {
  const brokers = (process.env['KAFKA_BROKERS'] ?? '').split(',');
  const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING });
  let log: KafkaLog;
  let of: JournaledLog;
  beforeAll(async () => {
    log = await KafkaLog.open({ brokers, clientId: 'repartition' });
    of = await JournaledLog.on(log);
  });
  afterAll(() => log.close());

  async function run(name: string, binlog: string, through: Log = log): Promise<Settled> {
    const question = { name, binlog, beyondTombstones: false };
    const repartitioning = await Repartitioning.open({ ...of.world, log: through }, question);
    let writer: FencedWriter | undefined;
    try {
      await repartitioning.read();
      const taken = await takeOverRepartition(through, { binlog, partitions });
      ({ writer } = taken);
      await repartitioning.read(taken.positions);
      return await repartitioning.bringHome(taken, () => undefined);
    } finally {
      await writer?.close();
      await repartitioning.close();
    }
  }

  /** The log, with something before and behind each append of a fenced writer. */
  const beside = (
    before: (records: readonly LogRecord[]) => Promise<unknown>,
    behind: (partition: number, records: readonly LogRecord[]) => Promise<unknown>,
  ): Log =>
    bent(log, {
      fencedWriter: async (id: string) => {
        const writer = await log.fencedWriter(id);
        const append: FencedWriter['append'] = async (topic, partition, records) => {
          await before(records);
          const appended = await writer.append(topic, partition, records);
          await behind(partition, records);
          return appended;
        };
        return { producerId: writer.producerId, epoch: writer.epoch, append, close: () => writer.close() };
      },
    });

  async function last(binlog: string): Promise<{ readonly value: string; readonly mark: string } | undefined> {
    let found: { value: string; mark: string } | undefined;
    const stop = new AbortController();
    const from = { nextOffset: asOffset(0), leaderEpoch: -1 };
    for await (const { records, nextOffset, endOffset } of log.tail(binlog, home, from, { signal: stop.signal })) {
      for (const { key: of, value, headers } of records)
        if (of?.equals(key) === true) {
          const mark = headers.find((each) => each.key === homeHeader)?.value.toString() ?? '';
          found = { value: value?.toString('hex') ?? '', mark };
        }
      if (nextOffset >= endOffset) break;
    }
    stop.abort();
    return found;
  }
  const holds = async (binlog: string, value: string): Promise<void> =>
    expect((await last(binlog))?.value).toBe(put(value).toString('hex'));
  const goAstray = (binlog: string, value: string) => log.append(binlog, elsewhere, [{ key, value: put(value) }]);
  const message = (value: string) => ({ key, value: put(value), partition: home });

  async function transactional(id: string): Promise<Producer> {
    const settings = { transactionalId: `${id}-${process.pid}`, maxInFlightRequests: 1, idempotent: true };
    const producer = kafka.producer(settings);
    await producer.connect();
    return producer;
  }

  it('what a transaction that is open when it begins has written is read before anything is brought home', async () => {
    const { binlog } = await of.namespace('open.before');
    await goAstray(binlog, 'stray');
    const producer = await transactional('before');
    const transaction = await producer.transaction();
    await transaction.send({ topic: binlog, messages: [message('newer')] });
    const commits = beside(
      () => Promise.resolve(),
      async (partition) => partition === partitions - 1 && (await transaction.commit()),
    );
    expect(await run('open.before', binlog, commits)).toMatchObject({ home: 0, restored: 0, stays: { later: 1 } });
    await holds(binlog, 'newer');
    await producer.disconnect();
  });

  it('what one wrote that opens between look and append is put last again', async () => {
    const { binlog } = await of.namespace('open.between');
    await goAstray(binlog, 'stray');
    const producer = await transactional('between');
    let transaction: Awaited<ReturnType<Producer['transaction']>> | undefined;
    let isOver = false;
    const isUsers = (records: readonly LogRecord[]): boolean => records.some((each) => each.key?.equals(key) === true);
    const opens = beside(
      async (records) => {
        if (!isUsers(records) || transaction !== undefined) return;
        transaction = await producer.transaction();
        await transaction.send({ topic: binlog, messages: [message('newer')] });
      },
      async (_partition, records) => {
        if (!isUsers(records) || isOver) return;
        isOver = true;
        await transaction?.commit();
      },
    );
    expect(await run('open.between', binlog, opens)).toMatchObject({ home: 0, restored: 1, stays: { later: 1 } });
    await holds(binlog, 'newer');
    expect(await run('open.between', binlog)).toMatchObject({ home: 0, restored: 0 });
    await producer.disconnect();
  });

  it('who copies the header of a record that came home has brought nothing home', async () => {
    const { binlog } = await of.namespace('copied');
    await goAstray(binlog, 'first stray');
    expect(await run('copied', binlog)).toMatchObject({ home: 1 });
    const { mark = '' } = (await last(binlog)) ?? {};
    expect(mark).toMatch(new RegExp(`^${elsewhere}:\\d+@\\d+/\\d+$`));
    await goAstray(binlog, 'second stray');
    for (const idempotent of [false, true]) {
      const producer = kafka.producer({ idempotent, maxInFlightRequests: 1 });
      await producer.connect();
      const copied = { ...message(`copied ${idempotent}`), headers: { [homeHeader]: mark } };
      await producer.send({ topic: binlog, acks: -1, messages: [copied] });
      await producer.disconnect();
      expect(await run('copied', binlog)).toMatchObject({ home: 0, restored: 0 });
      await holds(binlog, `copied ${idempotent}`);
    }
  });
});
