// node kafkajs.mjs check <binlog.json> | produce <brokers> <topic> <name> | consume <brokers> <topic>
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import { check, orders, Table } from './put.mjs';

// Not LegacyPartitioner: the default one of kafkajs 2 is Java's.
const createPartitioner = Partitioners.DefaultPartitioner;
const connect = (brokers) => new Kafka({ clientId: 'orders', brokers: brokers.split(','), logLevel: logLevel.ERROR });

async function produce(brokers, topic, name) {
  const producer = connect(brokers).producer({ createPartitioner, idempotent: true, allowAutoTopicCreation: false });
  await producer.connect();
  try {
    // Resolves when all in-sync replicas have the records.
    await producer.send({ topic, acks: -1, messages: orders(name) });
    console.log(`orders of ${name} are in ${topic}`);
  } finally {
    await producer.disconnect();
  }
}

async function consume(brokers, topic) {
  const kafka = connect(brokers);
  const admin = kafka.admin();
  await admin.connect();
  const ends = new Map((await admin.fetchTopicOffsets(topic)).map(({ partition, high }) => [partition, Number(high)]));
  await admin.disconnect();

  const table = new Table();
  const consumer = kafka.consumer({ groupId: `orders-${process.pid}`, readUncommitted: false });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  // A follower goes on for ever; this one ends where the binlog ended when it began.
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    const eachBatch = async ({ batch }) => {
      for (const { key, value } of batch.messages) table.apply(key, value);
      if (Number(batch.lastOffset()) + 1 >= ends.get(batch.partition)) ends.delete(batch.partition);
      if (ends.size === 0) resolve();
    };
    consumer.run({ eachBatch }).catch(reject);
  });
  await consumer.disconnect();
  table.print();
}

function partitionOf(key, partitions) {
  const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({ partitionId, leader: 0 }));
  return createPartitioner()({ topic: 'any', partitionMetadata, message: { key } });
}

const [command, ...args] = process.argv.slice(2);
if (command === 'check') check(args[0], partitionOf);
if (command === 'produce') await produce(...args);
if (command === 'consume') await consume(...args);
