import { dice, seed } from '../../../test/support/seed';
import type { ProduceReply, ProduceStep } from './stand-in-broker';
import { append, outcome, placesOf, StandInCluster } from './stand-in-cluster';

const noProof = [-1, 3, 5, 6, 7, 9, 20, 56, 74, 75, 4711];
const proof = [2, 10, 17, 18, 19, 29, 31, 32, 87];
const worlds = 60;
const writesPerWorld = 12;

interface Written {
  readonly value: string;
  readonly outcome: string;
}

/**
 * Each attempt is stored or not, and answered truly, with an error that proves nothing, with proof (only when that
 * attempt stored nothing), or not at all. Whatever comes: what was acknowledged is there, what failed definitely is not.
 */
async function play(random: () => number): Promise<{ written: Written[]; faults: number; cluster: StandInCluster }> {
  const limits = { appendDeadlineMs: 60, requestMs: 25, produceMs: 15, retryMsMax: 4 };
  const cluster = new StandInCluster(1, { limits });
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  let faults = 0;
  cluster.broker(1).onProduce = ({ store }: ProduceStep): ProduceReply => {
    const die = random();
    if (die < 0.35) return store();
    faults++;
    if (die < 0.5) return { errorCode: pick(proof), baseOffset: -1 };
    if (random() < 0.7) store();
    return die < 0.85
      ? { errorCode: pick(noProof), baseOffset: -1 }
      : pick<ProduceReply>(['silence', 'reset', 'omit', 'garbage']);
  };
  const appender = cluster.appender();
  const written: Written[] = [];
  for (let n = 0; n < writesPerWorld; n++) {
    const values = Array.from({ length: 1 + Math.floor(random() * 2) }, (_, i) => `<${n}.${i}>`);
    const outcomes = await Promise.all(values.map((value) => outcome(append(appender, value))));
    for (const [i, value] of values.entries()) written.push({ value, outcome: outcomes[i] as string });
  }
  const closing = outcome(append(appender, '<last>'));
  await appender.close(5);
  written.push({ value: '<last>', outcome: await closing });
  return { written, faults, cluster };
}

it(`I3, I20: whatever a broker answers to whatever it stored, no answer is untrue (seed ${seed})`, async () => {
  const random = dice();
  const played = await Promise.all(Array.from({ length: worlds }, () => play(dice(Math.floor(random() * 2 ** 32)))));
  const seen = { stored: 0, unknown: 0, definite: 0, faults: 0 };
  for (const { written, faults, cluster } of played) {
    seen.faults += faults;
    expect(cluster.log.mistaken).toEqual([]);
    for (const { value, outcome: said } of written) {
      const batches = placesOf(cluster.log, value);
      const offset = /^stored at (\d+)$/.exec(said)?.[1];
      if (offset !== undefined) {
        seen.stored++;
        const holding = cluster.log.batches.filter(({ bytes }) => bytes.includes(value));
        expect({ value, batches: holding.length }).toEqual({ value, batches: 1 });
        const [batch] = holding;
        const within = batch !== undefined && +offset >= batch.baseOffset && +offset < batch.baseOffset + batch.count;
        expect({ value, offset, within }).toEqual({ value, offset, within: true });
      } else if (said === 'OUTCOME_UNKNOWN') {
        seen.unknown++;
        expect(batches.length).toBeLessThanOrEqual(1);
      } else {
        seen.definite++;
        expect({ value, said, batches }).toEqual({ value, said, batches: [] });
      }
    }
  }
  // The dice threw everything that the rule is about.
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(worlds / 2);
}, 60_000);
