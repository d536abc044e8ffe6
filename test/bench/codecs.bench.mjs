/**
 * Topics as Java's producer leaves them, bound as they are: how quickly a node with an empty disk holds them, by
 * compression and size of values, beside the same records as Puts and Kafka Streams' GlobalKTable on the same topics.
 */
import { rmSync } from 'node:fs';
import { startKafka } from '../../tools/kafka/local-kafka.mjs';
import { caughtUp, java, load, openLog, records, streams } from './catch-up.bench.mjs';
import { cluster, createNamespace, scratch } from './processes.mjs';
import { perSecond } from './report.mjs';

const partitions = 8;
const mebibyte = 2 ** 20;
/** GlobalKTable is held against three of them: it takes as long again. */
const topics = [
  { codec: 'none', bytes: 100, peer: true },
  { codec: 'lz4', bytes: 100, peer: true },
  { codec: 'zstd', bytes: 100, peer: true },
  { codec: 'snappy', bytes: 100 },
  { codec: 'gzip', bytes: 100 },
  { codec: 'none', bytes: 1024 },
  { codec: 'lz4', bytes: 1024 },
  { codec: 'zstd', bytes: 1024 },
];

export async function codecs(report) {
  const dir = scratch('codecs');
  const kafka = await startKafka({ nodes: 1, dir, c2: true });
  const brokers = [kafka.brokers].flat().join(',');
  try {
    const puts = records / (await ofPuts(brokers));
    console.log(`codecs: ${records} Puts of 100 B are held at ${perSecond(puts)}`);
    const plain = new Map();
    for (const { codec, bytes, peer } of topics) {
      const topic = `prices-${codec}-${bytes}`;
      const count = bytes > 100 ? records / 4 : records;
      await create(kafka.brokers, topic);
      const [lastKeys, sent] = await java('FillTopic.java', [brokers, topic, codec, `${count}`, `${bytes}`], dir);
      const rate = count / (await ofBound(brokers, topic));
      if (codec === 'none') plain.set(bytes, rate);
      const theirs = peer ? count / (await streams(brokers, topic, lastKeys.split(','), dir, 'global')) : undefined;
      // Of compressed topics, and of large values, the ratio to these is told and explained, not asked.
      const [name, beside] =
        codec !== 'none' ? ['uncompressed', plain.get(bytes)] : bytes === 100 ? ['Puts', puts] : [];
      const goals = [
        ...(name === 'Puts' ? [{ reach: '1.0 of Puts', ok: rate >= puts }] : []),
        ...(theirs ? [{ reach: '1.5 of GlobalKTable', ok: rate >= 1.5 * theirs }] : []),
      ];
      const peers = [
        ...(name ? [`${name} ${perSecond(beside)} = ${(rate / beside).toFixed(2)}`] : []),
        ...(theirs ? [`GlobalKTable ${perSecond(theirs)}`] : []),
      ];
      report.add({
        work: `bound topic, ${count} records of ${bytes} B, ${codec} (${Math.round(sent / mebibyte)} MiB sent)`,
        measured: perSecond(rate),
        peer: peers.join('; '),
        ratio: theirs ? (rate / theirs).toFixed(2) : '',
        reach: goals.map(({ reach }) => reach).join(', ') || 'told',
        ok: goals.every(({ ok }) => ok),
      });
    }
  } finally {
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function create(brokers, topic) {
  const log = await openLog(brokers, 'bench-create');
  const settings = { 'cleanup.policy': 'compact', 'compression.type': 'producer' };
  await log.ensureTopics([{ name: topic, partitions, settings }]);
  await log.close();
}

async function ofPuts(brokers) {
  const prefix = `puts${Date.now()}`;
  const levee = await cluster(brokers, { nodes: 1, prefix });
  await load(brokers, `${prefix}.binlog.default`, partitions);
  return caughtUp(levee, brokers, prefix);
}

async function ofBound(brokers, topic) {
  const prefix = `bound${Date.now()}`;
  const levee = await cluster(brokers, { nodes: 1, prefix });
  const of = { name: 'bound', sourceTopic: topic, recordFormat: 'raw', chunks: partitions, replicas: 1 };
  await createNamespace(levee.url, of);
  return caughtUp(levee, brokers, prefix);
}
