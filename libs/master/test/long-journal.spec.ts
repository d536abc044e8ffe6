import { randomUUID } from 'node:crypto';
import { MemoryLevel } from 'memory-level';
import { ClusterView, defaultControlPolicy } from '@levee/journal';
import type { Log } from '@levee/log';
import { EmbeddedLog } from '@levee/log-embedded';
import { bound, full } from '../../../test/support/seed';
import { Master, type Reign } from '../src';
import { nodeRegistration, topics, world } from './control-plane';
import { eventually } from './eventually';
import { closeAll, keep } from './opened';

const decisionsOnce = full ? 2_000 : 60;
const timesMore = 100;
const nodes = 4;
const dayMs = 26 * 3_600_000;

afterEach(closeAll);

/** The log, and how many records were read of it. */
function counted(log: Log): { readonly log: Log; records: number } {
  const counting = { log, records: 0 };
  const tail: Log['tail'] = (...from) => {
    const batches = log.tail(...from);
    return (async function* () {
      for await (const batch of batches) {
        counting.records += batch.records.length;
        yield batch;
      }
    })();
  };
  counting.log = new Proxy(log, {
    get: (of, name) => {
      const value: unknown = name === 'tail' ? tail : Reflect.get(of, name);
      return typeof value === 'function' && name !== 'tail' ? (value.bind(of) as unknown) : value;
    },
  });
  return counting;
}

test(`S14: after ${timesMore} times as many decisions a start reads as many records, and takes as long`, async () => {
  let aheadMs = 0;
  const clock = { ...world.clock, nowMs: () => world.clock.nowMs() + aheadMs, monotonicMs: () => performance.now() };
  const db = new MemoryLevel<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' });
  const log = keep(await EmbeddedLog.open({ db, cleanEveryMs: 0, clock }));
  const policy = { ...defaultControlPolicy, segmentBytes: 64 * 1024 };
  const address = (): string => '127.0.0.1:0';
  const master = keep(new Master(log, { ...world, clock, topics, instance: 'm1', address, claimAtOnce: true, policy }));
  await master.start();
  await eventually('it reigns', () => master.candidacy.reign !== undefined);
  const reign = master.candidacy.reign as Reign;

  /** The same nodes register again and again: other decisions, and the same state but for its versions. */
  const decide = async (count: number): Promise<void> => {
    for (let made = 0; made < count; made += nodes) {
      const batch = Array.from({ length: nodes }, (_, i) => {
        const { payload, ...facts } = nodeRegistration(`n${i}`);
        const command = { ...facts, id: randomUUID(), payload: JSON.stringify(payload), submittedAtMs: clock.nowMs() };
        return { command, offset: -1 };
      });
      await reign.decide(batch);
    }
    await eventually('it is projected', () => reign.projections.seq === master.view.seq, 60_000);
    for (const topic of [topics.metadata, topics.routes, topics.plans]) await log.compact(topic);
  };

  const boot = async (): Promise<{ readonly ms: number; readonly records: number }> => {
    const tookMs: number[] = [];
    let records = 0;
    for (let i = 0; i < 5; i++) {
      const counting = counted(log);
      const view = new ClusterView(counting.log, topics, { ...world, clock });
      const beganMs = performance.now();
      await view.start();
      tookMs.push(performance.now() - beganMs);
      records = counting.records;
      expect(view.boot).toMatchObject({ source: 'checkpoint', reason: undefined });
      expect(view.journal.digest).toBe(master.view.journal.digest);
      await view.close();
    }
    return { ms: Math.min(...tookMs), records };
  };

  const boots: Awaited<ReturnType<typeof boot>>[] = [];
  for (let block = 1; block <= timesMore; block++) {
    await decide(decisionsOnce);
    if (block === 1 || block === timesMore) boots.push(await boot());
    // What became of commands is remembered for a day, and forgotten by the decisions after it.
    aheadMs += dayMs;
  }
  const [first, last] = boots as [(typeof boots)[0], (typeof boots)[0]];
  const journal = (await log.offsets(topics.journal))[0]?.endOffset ?? 0;
  process.stdout.write(
    `a start after ${decisionsOnce} decisions: ${first.records} records, ${first.ms.toFixed(1)} ms; after ` +
      `${decisionsOnce * timesMore}, with ${journal} records in the journal: ${last.records} records, ${last.ms.toFixed(1)} ms\n`,
  );
  expect(Number(journal)).toBeGreaterThanOrEqual(decisionsOnce * timesMore);
  expect(last.records).toBeLessThan(first.records * 2);
  expect(last.ms).toBeLessThan(Math.max(first.ms * 3, bound(100)));
}, 600_000);
