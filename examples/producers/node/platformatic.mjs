// node platformatic.mjs check <binlog.json> | produce <brokers> <topic> <name> | consume <brokers> <topic>
import {
  compatibilityPartitioner,
  Consumer,
  FetchIsolationLevels,
  MessagesStreamModes,
  ProduceAcks,
  Producer,
} from '@platformatic/kafka';
import { check, orders, Table } from './put.mjs';

async function produce(brokers, topic, name) {
  const producer = new Producer({
    clientId: 'orders',
    bootstrapBrokers: brokers.split(','),
    acks: ProduceAcks.ALL,
    idempotent: true,
    autocreateTopics: false,
    // Java's. The default takes the hash as an unsigned number: another partition, unless their count is a power of two.
    partitioner: compatibilityPartitioner,
  });
  try {
    await producer.send({ messages: orders(name).map((record) => ({ topic, ...record })) });
    console.log(`orders of ${name} are in ${topic}`);
  } finally {
    await producer.close();
  }
}

async function consume(brokers, topic) {
  const consumer = new Consumer({
    clientId: 'orders',
    groupId: `orders-${process.pid}`,
    bootstrapBrokers: brokers.split(','),
    isolationLevel: FetchIsolationLevels.READ_COMMITTED,
    autocommit: false,
  });
  const ends = (await consumer.listOffsets({ topics: [topic] })).get(topic);
  const stream = await consumer.consume({ topics: [topic], mode: MessagesStreamModes.EARLIEST });
  const table = new Table();
  const left = new Set(ends.keys());
  for await (const { partition, offset, key, value } of stream) {
    table.apply(key, value);
    // A follower goes on for ever; this one ends where the binlog ended when it began.
    if (offset + 1n >= ends[partition]) left.delete(partition);
    if (left.size === 0) break;
  }
  await consumer.close(true);
  table.print();
}

const [command, ...args] = process.argv.slice(2);
if (command === 'check') check(args[0], (key, partitions) => compatibilityPartitioner({ key }, key) % partitions);
if (command === 'produce') await produce(...args);
if (command === 'consume') await consume(...args);
