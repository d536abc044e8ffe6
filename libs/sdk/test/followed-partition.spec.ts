import { encodePut } from '@levee/codec';
import { ApplyBudget, ApplyPace, LogClock } from '@levee/follow';
import { asPartition, silentLogger, SteadyClock } from '@levee/kernel';
import { systemClock, systemNewId, systemRandom, systemTimers } from '@levee/log';
import { eventually } from '../../../test/support/deadline';
import { ScriptedLog, scriptedPlace } from '../../follow/test/scripted-log';
import { FollowedPartition } from '../src/local/followed-partition';
import type { FollowedNamespace } from '../src/local/followed-namespace';
import { MemoryBudget } from '../src/local/memory-budget';
import { valueOf } from '../src/local/held-partition';

const dayMs = 86_400_000;
const followed = {} as FollowedNamespace;
const world = { clock: systemClock, timers: systemTimers, random: systemRandom, newId: systemNewId };

describe('a partition as it is followed in an application', () => {
  let log: ScriptedLog;
  let steady: SteadyClock;
  let budget: MemoryBudget;
  let part: FollowedPartition;

  beforeEach(() => {
    log = new ScriptedLog();
    steady = new SteadyClock(systemClock);
    budget = new MemoryBudget(1 << 30);
    const { clock, timers } = world;
    part = new FollowedPartition(asPartition(0), {
      world,
      steady,
      budget,
      log: log.asLog,
      slots: { slotStart: 0, slotEnd: 1_000_000 },
      feed: {
        place: scriptedPlace,
        hashAlgorithm: 'murmur2',
        recordFormat: 'put',
        hiddenAfterMs: undefined,
        clock,
        timers,
        logger: silentLogger,
        logClock: new LogClock(clock),
        pace: new ApplyPace(new ApplyBudget(clock), timers, () => true),
      },
      stalenessMs: () => 10_000,
      deletionsKeptMs: () => dayMs,
      cutMs: 100,
      digests: true,
      kept: undefined,
      keptPlace: { name: 'shop.orders', followed },
      clock,
      full: () => undefined,
      ready: () => part.follow('first'),
      doubtTopic: () => undefined,
    });
  });
  afterEach(() => part.close());

  const isComplete = (): boolean => part.isComplete(steady.nowMs(), 10_000);

  async function complete(): Promise<void> {
    part.follow('first');
    await eventually('it is complete', isComplete);
  }

  function putUntil(key: string, expiresAtMs: number | null): void {
    const bytes = Buffer.from(key);
    log.add(bytes, encodePut(bytes, Buffer.from('v'), expiresAtMs));
  }

  it('removes what is over, and gives its memory back', async () => {
    for (let i = 0; i < 5_000; i++) putUntil(`k${i}`, i % 2 === 0 ? 1_000 : 9_000);
    putUntil('ever', null);
    await complete();
    const before = budget.usedBytes;
    await part.sweep(5_000);
    expect(part.replica.keys).toBe(2_501);
    expect(budget.usedBytes).toBeLessThan(before * 0.6);
    await part.sweep(10_000);
    expect([...part.memory!.entries()].map(([key]) => key)).toEqual(['ever']);
    log.delete('ever');
    await eventually('it is deleted', () => part.replica.keys === 0);
    expect(budget.usedBytes).toBe(0);
  });

  it('what it removed by a clock that was ahead is there again when the clock is right', async () => {
    putUntil('k', 5_000);
    await complete();
    await part.sweep(6_000);
    expect(part.holdsAt(6_000)).toBe(true);
    expect(part.replica.get('k', 6_000)).toBeUndefined();
    expect(part.holdsAt(4_000)).toBe(false);
    expect(isComplete()).toBe(false);
    await eventually('it is read from the beginning', isComplete);
    expect(part.holdsAt(4_000)).toBe(true);
    expect(valueOf(part.replica.get('k', 4_000)!).toString()).toBe('v');
  });

  it('after a sleep of its machine it is complete when the log has said so since', async () => {
    putUntil('k', null);
    await complete();
    log.idleMs = 1_000_000;
    await eventually('it waits', () => log.followed === 1);
    steady.slept(2_000);
    expect(isComplete()).toBe(false);
    log.idleMs = 10;
    putUntil('l', null);
    await eventually('it is complete', isComplete);
    expect(part.status(steady.nowMs(), 10_000)).toMatchObject({ loads: 1, keys: 2 });
  });

  it('away for longer than half of delete.retention.ms it is read from the beginning: deletions may be gone', async () => {
    putUntil('gone', null);
    await complete();
    // Compaction has removed the key and what deleted it, while this machine slept.
    log.removed.add(1);
    steady.slept(dayMs / 2 + 1);
    expect(isComplete()).toBe(false);
    putUntil('l', null);
    await eventually('it is read from the beginning', () => part.status(0, 0).loads === 2);
    await eventually('it is complete', isComplete);
    expect([...part.memory!.entries()].map(([key]) => key)).toEqual(['l']);
  });

  it('who waits for a position is woken when it is there, and when the partition is dropped', async () => {
    await complete();
    const woken: string[] = [];
    part.whenApplied(log.end + 1, () => woken.push('applied'));
    part.whenApplied(log.end + 100, () => woken.push('dropped'));
    part.whenApplied(log.end + 100, () => woken.push('never'))();
    putUntil('k', null);
    await eventually('it is applied', () => woken.length === 1);
    part.drop('by a test');
    expect(woken).toEqual(['applied', 'dropped']);
    expect(part.status(0, 0)).toMatchObject({ problem: 'by a test', keys: 0, isComplete: false });
  });
});
