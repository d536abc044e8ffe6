import { randomUUID } from 'node:crypto';
import { encodePut } from '@levee/codec';
import { asOffset, asPartition } from '@levee/kernel';
import { systemClock } from '@levee/log';
import { KafkaLog } from '@levee/log-kafka';
import { seed } from '../../../test/support/seed';
import { type Cut, prove } from '../src/proof/provability';
import { readKey } from '../src/proof/read-key';

const p0 = asPartition(0);
const lagMs = 1500;
const clockMarginMs = 100;
const runMs = 25_000;
const keys = Array.from({ length: 15 }, (_, i) => `key${i}`);
/** Each proves something here. */
const rules = ['contiguity', 'window', 'value', 'before-window'] as const;
const settings = {
  'cleanup.policy': 'compact',
  'message.timestamp.type': 'LogAppendTime',
  'min.compaction.lag.ms': String(lagMs),
  'max.compaction.lag.ms': String(lagMs + 500),
  'segment.ms': '300',
  'delete.retention.ms': '2500',
  'min.cleanable.dirty.ratio': '0.01',
};

interface Written {
  readonly key: string;
  readonly deleted: boolean;
  readonly offset: number;
  readonly stampMs: number;
}

/** mulberry32 */
function randomOf(of: number): (below: number) => number {
  let a = of;
  return (below) => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

test('on Kafka, whose cleaner runs meanwhile, what is proved is what was written', async () => {
  const brokers = process.env['KAFKA_BROKERS'];
  if (brokers === undefined) throw new Error('KAFKA_BROKERS is not set: run npm test, or npm run kafka:start');
  const log = await KafkaLog.open({ brokers: brokers.split(','), clientId: 'proof' });
  const topic = `proof-${randomUUID().slice(0, 8)}`;
  const stop = new AbortController();
  try {
    await log.ensureTopics([{ name: topic, partitions: 1, settings }]);
    const upTo = randomOf(seed);
    const all: Written[] = [];
    // What everybody could see when it was written, with the broker's own stamps.
    const watching = (async () => {
      const from = { nextOffset: asOffset(0), leaderEpoch: -1 };
      for await (const { records } of log.tail(topic, p0, from, { signal: stop.signal, idleMs: 50 }))
        for (const { key, value, offset, timestampMs: stampMs } of records)
          all.push({ key: key?.toString() ?? '', deleted: value === null, offset, stampMs });
    })();
    const counts: Record<string, number> = {};
    let appended = 0;
    const ask = async (): Promise<void> => {
      const key = keys[upTo(keys.length)] as string;
      const ageMs = upTo(2) === 0 ? upTo(2 * lagMs) : upTo(runMs);
      const cut: Cut = upTo(3) > 0 ? { timeMs: Date.now() - ageMs } : { nextOffset: upTo(appended + 1) };
      const question = { topic, partition: p0, key: Buffer.from(key), cut, recordsMax: 1, earlier: [], clockMarginMs };
      const { reading, readEndMs, rules: ofTopic } = await readKey(log, question, { clock: systemClock });
      const proof = prove(cut, reading.evidence(readEndMs), ofTopic);
      const name = proof.verdict === 'proved' ? proof.by : proof.reason;
      counts[name] = (counts[name] ?? 0) + 1;
      if (proof.verdict !== 'proved') return;
      while (all.length < appended) await new Promise((resolve) => setTimeout(resolve, 5));
      const cutAt = all.findIndex((w) => ('timeMs' in cut ? w.stampMs > cut.timeMs : w.offset >= cut.nextOffset));
      const truth = (cutAt < 0 ? all : all.slice(0, cutAt)).findLast((w) => w.key === key);
      const said = proof.offset === undefined ? 'absent' : proof.offset;
      const is = proof.offset === undefined && (truth?.deleted ?? true) ? 'absent' : truth?.offset;
      expect({ cut, key, by: proof.by, said }).toEqual({ cut, key, by: proof.by, said: is });
    };
    const questions = (): number => Object.values(counts).reduce((a, b) => a + b, 0);
    // On a machine that is busy fewer are asked in that time: it goes on until there was enough of everything.
    const isEnough = (): boolean => questions() > 200 && rules.every((rule) => (counts[rule] ?? 0) > 0);
    const endMs = performance.now() + runMs;
    const latestMs = endMs + 60_000;
    let quietUntilMs = 0;
    while (performance.now() < endMs || (!isEnough() && performance.now() < latestMs)) {
      for (let n = upTo(8); n >= 0 && performance.now() > quietUntilMs; n--) {
        const records = Array.from({ length: 1 + upTo(4) }, () => {
          const key = Buffer.from(keys[upTo(keys.length)] as string);
          return { key, value: upTo(3) === 0 ? null : encodePut(key, Buffer.from(`v${appended}`), null) };
        });
        await log.append(topic, p0, records);
        appended += records.length;
        if (upTo(60) === 0) quietUntilMs = performance.now() + upTo(2_500);
      }
      await Promise.all(Array.from({ length: 16 }, ask));
    }
    stop.abort();
    await watching;
    expect({ counts, isEnough: isEnough() }).toEqual({ counts, isEnough: true });
  } finally {
    stop.abort();
    await log.close();
  }
}, 180_000);
