/**
 * Topics as Java's producer leaves them, bound as they are: how quickly a node with an empty disk holds them, by
 * compression and size of values, beside the same records as Puts and Kafka Streams' GlobalKTable on the same topics.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { startKafka } from '../../tools/kafka/local-kafka.mjs';
import { java, load, materialise, records, streams } from './catch-up.bench.mjs';
import { cluster, eventually, scratch, stop } from './processes.mjs';
import { perSecond } from './report.mjs';

const partitions = 8;
const mebibyte = 2 ** 20;
const runs = 3;
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
      const beside = codec === 'none' ? puts : plain.get(bytes);
      // Of compressed topics, and of large values, the ratio is told and explained, not asked.
      const isEnough = (codec !== 'none' || bytes > 100 || rate >= puts) && (!theirs || rate >= 1.5 * theirs);
      report.add({
        work: `bound topic, ${count} records of ${bytes} B, ${codec} (${Math.round(sent / mebibyte)} MiB sent)`,
        measured: perSecond(rate),
        peer:
          (bytes === 100 || codec !== 'none'
            ? `${codec === 'none' ? 'Puts' : 'uncompressed'} ${perSecond(beside)} = ${(rate / beside).toFixed(2)}`
            : '') + (theirs ? `; GlobalKTable ${perSecond(theirs)}` : ''),
        ratio: theirs ? (rate / theirs).toFixed(2) : '',
        reach: [codec === 'none' && bytes === 100 ? '1.0 of Puts' : '', theirs ? '1.5 of GlobalKTable' : '']
          .filter((each) => each !== '')
          .join(', '),
        ok: isEnough,
      });
    }
  } finally {
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function create(brokers, topic) {
  const { KafkaLog } = (await import('./load-built.mjs')).loadBuilt()('@levee/log-kafka');
  const log = await KafkaLog.open({ brokers: [brokers].flat().join(',').split(','), clientId: 'bench-create' });
  const settings = { 'cleanup.policy': 'compact', 'compression.type': 'producer' };
  await log.ensureTopics([{ name: topic, partitions, settings }]);
  await log.close();
}

/** Seconds, the median of some runs, of a node of one cluster with an empty disk. */
async function again(levee, brokers, prefix) {
  const folder = levee.nodeFolder('n1');
  await stop(levee.nodes[0]);
  const took = [];
  for (let run = 0; run < runs; run++) {
    // The disk keeps its identity and loses its data: the wait for a rival of an unknown disk is another matter.
    rmSync(join(folder, 'units'), { recursive: true, force: true });
    took.push(await materialise(brokers, prefix, folder));
  }
  await levee.stop();
  return took.sort((a, b) => a - b)[runs >> 1];
}

async function ofPuts(brokers) {
  const prefix = `puts${Date.now()}`;
  const levee = await cluster(brokers, { nodes: 1, prefix });
  await load(brokers, `${prefix}.binlog.default`, partitions);
  return again(levee, brokers, prefix);
}

async function ofBound(brokers, topic) {
  const prefix = `bound${Date.now()}`;
  const levee = await cluster(brokers, { nodes: 1, prefix });
  const body = { name: 'bound', sourceTopic: topic, recordFormat: 'raw', chunks: partitions, replicas: 1 };
  await eventually('the topic is bound', async () => {
    const answer = await fetch(`${levee.url}/v1/namespaces`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const said = await answer.text();
    if (!answer.ok && answer.status !== 409) console.log(said);
    return answer.ok || answer.status === 409;
  });
  return again(levee, brokers, prefix);
}
