#!/usr/bin/env node
/**
 * Asks the partitioners of real clients and writes `test/golden/partitioners.json`. Needs Java, Maven, Go and Python
 * with venv, and what their package managers bring. Fails when two clients of one algorithm disagree.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import kafkajs from 'kafkajs';
import { cacheFolder, kafkaJars } from '../../../tools/kafka/artifacts.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const cache = join(cacheFolder(), 'partitioners');
const confluentKafka = 'confluent-kafka==2.16.1';
const counts = [1, 3, 6, 7, 8, 12, 24, 64, 100, 1000];
const slots = 1_000_000n;

/** Lengths around the words of murmur2, bytes above 127, and what FNV-1a maps to 0, and to -2^31. */
const keys = [
  ...['', 'a', 'ab', 'abc', 'abcd', 'abcde', 'user:1000', '{user}:cart', 'ключ', '鍵', 'ma9 #jk'].map((t) =>
    Buffer.from(t),
  ),
  Buffer.from('00', 'hex'),
  Buffer.from('ff', 'hex'),
  Buffer.from('80ff7f00c3', 'hex'),
  Buffer.from('cc2431c4', 'hex'),
  Buffer.from('a'.repeat(1024)),
  ...Array.from({ length: 48 }, (_, i) => bytesOf(i)),
];

/** Bytes that look random and are the same each time. */
function bytesOf(seed) {
  let state = seed + 1;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24;
  return Buffer.from(Array.from({ length: 1 + (seed % 24) }, next));
}

const run = (program, args, options = {}) =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], ...options });

mkdirSync(cache, { recursive: true });
const file = join(cache, 'keys');
writeFileSync(file, keys.map((key) => key.toString('hex')).join('\n'));
const asked = [file, counts.join(',')];

const python = join(cache, 'venv', 'bin', 'python');
if (!existsSync(python)) run('python3', ['-m', 'venv', join(cache, 'venv')]);
run(python, ['-m', 'pip', 'install', '--quiet', confluentKafka]);

const jars = await kafkaJars();
const answers = {
  'Java, kafka-clients: the default partitioner': run('java', [
    '-cp',
    join(jars, '*'),
    join(here, 'Partitions.java'),
    ...asked,
  ]),
  'librdkafka: consistent_random, murmur2_random': run(python, [join(here, 'librdkafka.py'), ...asked]),
  'Go, franz-go: StickyKeyPartitioner; sarama: NewHashPartitioner': run('go', ['run', '.', ...asked], { cwd: here }),
  'kafkajs: DefaultPartitioner': byKafkajs(),
};

function byKafkajs() {
  const partition = kafkajs.Partitioners.DefaultPartitioner();
  const partitionMetadata = (count) => Array.from({ length: count }, (_, partitionId) => ({ partitionId, leader: 0 }));
  return keys
    .filter((key) => key.length > 0)
    .map((key) => {
      const at = counts.map((count) =>
        partition({ topic: 't', partitionMetadata: partitionMetadata(count), message: { key } }),
      );
      return `murmur2 ${key.toString('hex')} - ${at.join(' ')}\n`;
    })
    .join('');
}

/** algorithm -> key -> { hash, partitions } */
const found = { murmur2: new Map(), crc32: new Map(), fnv1a: new Map() };
for (const [client, lines] of Object.entries(answers))
  for (const line of lines.split('\n').filter((one) => one !== '')) {
    const [algorithm, keyHex, hash, ...partitions] = line.split(' ');
    const before = found[algorithm].get(keyHex);
    if (before !== undefined && before.partitions.join() !== partitions.join())
      throw new Error(`${client} puts ${keyHex} into ${partitions}, others into ${before.partitions}`);
    found[algorithm].set(keyHex, { hash: hash === '-' ? before?.hash : hash, partitions });
  }

/** By the definition, in whole numbers: partition p owns [ceil(p N / P), ceil((p + 1) N / P)). */
function slotOf(hash, partition, count) {
  const [h, p, P] = [BigInt(hash), BigInt(partition), BigInt(count)];
  const first = (q) => (q * slots + P - 1n) / P;
  return first(p) + ((h / P) % (first(p + 1n) - first(p)));
}

const vectors = Object.entries(found).flatMap(([algorithm, ofKey]) =>
  [...ofKey].map(([keyHex, { hash, partitions }]) => {
    const at = counts.map((count, i) => `[${count}, ${partitions[i]}, ${slotOf(hash, partitions[i], count)}]`);
    return `    {"keyHex": "${keyHex}", "algorithm": "${algorithm}", "hash": ${hash}, "at": [${at.join(', ')}]}`;
  }),
);
const about =
  'Where real clients put keys: per partition count [count, partition, slot]. Written by test/interop/partitioners/generate.mjs; ' +
  `the slot is that of DESIGN section 11. Asked were ${Object.keys(answers).join('; ')}. Empty keys: none by crc32, librdkafka puts them anywhere.`;
const golden = join(here, '..', '..', 'golden', 'partitioners.json');
writeFileSync(golden, `{\n  "about": ${JSON.stringify(about)},\n  "vectors": [\n${vectors.join(',\n')}\n  ]\n}\n`);
console.log(`${vectors.length} vectors in test/golden/partitioners.json`);
