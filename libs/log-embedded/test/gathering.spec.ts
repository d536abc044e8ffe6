import { asPartition, type Timers } from '@levee/kernel';
import { EmbeddedLog, embeddedLimits } from '@levee/log-embedded';
import { Gathering } from '../src/gathering';
import { FileStore } from '../src/store/file-store';
import { CrashFiles } from './crash-files';

/** A clock and its timers, which go on when they are told to. */
function handTime(): { timers: Timers; clock: { nowMs(): number; monotonicMs(): number }; pass(ms: number): void } {
  let nowMs = 0;
  const due = new Set<{ readonly atMs: number; readonly run: () => void }>();
  return {
    clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
    timers: {
      after: (delayMs, run) => {
        const entry = { atMs: nowMs + delayMs, run };
        due.add(entry);
        return () => void due.delete(entry);
      },
    },
    pass: (ms) => {
      nowMs += ms;
      for (const entry of [...due].filter(({ atMs }) => atMs <= nowMs)) {
        due.delete(entry);
        entry.run();
      }
    },
  };
}

const { gatherMs, gatherRecordsMin, gatherShare } = embeddedLimits;

describe('when a batch begins', () => {
  function gathering(): { subject: Gathering; begun: () => number; pass: (ms: number) => void } {
    let begun = 0;
    const { clock, timers, pass } = handTime();
    return { subject: new Gathering(clock, timers, () => begun++), begun: () => begun, pass };
  }

  it.each([
    ['the first of all', [0, 0], 1, true],
    ['a lone caller', [1, 0], 1, true],
    ['few callers', [gatherRecordsMin - 1, 0], 1, true],
    ['many callers of whom one is back', [40, 0], 1, false],
    ['many callers of whom most are back', [40, 0], 40 * gatherShare, true],
    ['those who came meanwhile count', [20, 20], 20, false],
    ['those who came meanwhile are enough', [5, 35], 35, true],
  ] as const)('%s', (_, [answered, cameMeanwhile], waiting, atOnce) => {
    const { subject, begun, pass } = gathering();
    subject.ended(answered, cameMeanwhile);
    subject.consider(waiting);
    expect(begun()).toBe(atOnce ? 1 : 0);
    pass(gatherMs);
    expect(begun()).toBe(1);
  });

  it('nobody is waited for after a pause, nor twice', () => {
    const { subject, begun, pass } = gathering();
    subject.ended(40, 0);
    pass(gatherMs);
    subject.consider(1);
    expect(begun()).toBe(1);
    subject.consider(1);
    expect(begun()).toBe(2);
  });

  it('the wait ends with the first record that makes enough of them', () => {
    const { subject, begun, pass } = gathering();
    subject.ended(10, 0);
    for (let waiting = 1; waiting < 8; waiting++) subject.consider(waiting);
    expect(begun()).toBe(0);
    subject.consider(8);
    expect(begun()).toBe(1);
    pass(gatherMs * 2);
    expect(begun()).toBe(1);
  });
});

describe('callers who come back at once', () => {
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const record = { key: Buffer.from('k'), value: Buffer.from('v') };

  it('share batches: forty of them take hardly more batches than rounds', async () => {
    const { clock, timers, pass } = handTime();
    const store = new FileStore(new CrashFiles().mount(), { isNew: true });
    const log = await EmbeddedLog.open({ store, clock, timers, cleanEveryMs: 0 });
    await log.ensureTopics([{ name: 't', partitions: 4, settings: {} }]);
    const { syncs } = log.stats();
    const rounds = 50;
    const caller = async (n: number): Promise<void> => {
      for (let round = 0; round < rounds; round++) {
        await log.append('t', asPartition(n % 4), [record]);
        // As one whose request takes its way: they are not all back in the same turn.
        for (let turns = 0; turns < n % 5; turns++) await turn();
      }
    };
    let left = 40;
    const callers = Array.from({ length: left }, (_, n) => caller(n).then(() => left--));
    // So seldom that time begins a batch only once nobody comes back any more.
    for (let turns = 1; left > 0; turns++) {
      await turn();
      if (turns % 50 === 0) pass(gatherMs);
    }
    await Promise.all(callers);
    expect(log.stats().syncs - syncs).toBeLessThan(rounds * 1.7);
    await log.close();
  });

  it('and a log that is closed meanwhile answers all of them', async () => {
    const { clock, timers } = handTime();
    const store = new FileStore(new CrashFiles().mount(), { isNew: true });
    const log = await EmbeddedLog.open({ store, clock, timers, cleanEveryMs: 0 });
    await log.ensureTopics([{ name: 't', partitions: 1, settings: {} }]);
    await Promise.all(Array.from({ length: 40 }, () => log.append('t', asPartition(0), [record])));
    // One that waits for the others, in a time that stands still.
    const last = log.append('t', asPartition(0), [record]);
    await turn();
    const closed = log.close();
    expect(await last).toEqual({ baseOffset: 40 });
    await closed;
  });
});
