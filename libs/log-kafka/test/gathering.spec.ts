import { asOffset, type Clock } from '@levee/kernel';
import { systemClock, type TailOptions } from '@levee/log';
import { eventually } from '../../../test/support/deadline';
import type { Appender } from '../src/appender';
import type { Fetcher } from '../src/fetcher';
import { standInTopic } from './stand-in-broker';
import { append, p0, StandInCluster } from './stand-in-cluster';

const start = { nextOffset: asOffset(0), leaderEpoch: -1 };
const idleMs = 100;
const clock: Clock = systemClock;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('tails in no hurry', () => {
  let cluster: StandInCluster;
  let fetcher: Fetcher;
  let appender: Appender;
  let stop: AbortController;

  beforeEach(() => {
    cluster = new StandInCluster(1);
    fetcher = cluster.fetcher();
    appender = cluster.appender();
    stop = new AbortController();
  });

  afterEach(async () => {
    stop.abort();
    fetcher.close();
    await appender.close(0);
    cluster.metadata.close();
  });

  /** What a tail has read so far; `ends` counts the batches that found it at the end. */
  function reading(options: TailOptions = {}): { readonly values: string[]; readonly ends: number } {
    const read = { values: [] as string[], ends: 0 };
    void (async () => {
      for await (const batch of fetcher.tail(standInTopic, p0, start, { idleMs, signal: stop.signal, ...options })) {
        for (const { value } of batch.records) read.values.push(`${value?.toString()}`);
        if (batch.records.length === 0) read.ends++;
      }
    })();
    return read;
  }

  it('ask a broker once for what many small appends brought, and miss none of them', async () => {
    const gatherMs = idleMs / 2;
    const read = reading({ gatherMs });
    await eventually('it stands at the end', () => read.ends > 0);
    const wanted = Array.from({ length: 60 }, (_, i) => `v${i}`);
    const [began, asked] = [clock.monotonicMs(), cluster.broker(1).count('Fetch')];
    for (const value of wanted) {
      await append(appender, value);
      await pause(2);
    }
    await eventually('all of them', () => read.values.length >= wanted.length);
    expect(read.values).toEqual(wanted);
    const requests = cluster.broker(1).count('Fetch') - asked;
    expect(requests).toBeGreaterThan(0);
    expect(requests).toBeLessThanOrEqual((clock.monotonicMs() - began) / gatherMs + 2);
  });

  it('go on saying that they stand at the end, and hold up no other tail of their partition', async () => {
    const calm = reading({ gatherMs: 3_600_000, idleMs: 7_200_000 });
    const other = reading();
    await eventually('both stand at the end', () => calm.ends > 0 && other.ends > 0);
    await append(appender, 'a');
    await eventually('both have read', () => calm.values.length === 1 && other.values.length === 1);
    await append(appender, 'b');
    await eventually('the other one reads on', () => other.values.includes('b'));
    expect(calm.values).toEqual(['a']);
  });

  it('rest at most half of the time in which they have to say something', async () => {
    const read = reading({ gatherMs: 3_600_000 });
    await append(appender, 'a');
    await eventually('it has read', () => read.values.length === 1);
    await eventually('it stands at the end', () => read.ends > 0);
    await append(appender, 'b');
    await eventually('it reads on', () => read.values.includes('b'));
  });
});
