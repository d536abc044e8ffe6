import { ApplyBudget, ApplyPace } from './apply-pace';
import { followLimits } from './follow-limits';

describe('the pace of applying', () => {
  function pace(awaited = { now: false }) {
    let nowMs = 0;
    const due: { atMs: number; run: () => void }[] = [];
    const subject = new ApplyPace(
      new ApplyBudget({ nowMs: () => nowMs, monotonicMs: () => nowMs }),
      {
        after: (delayMs, run) => {
          const entry = { atMs: nowMs + delayMs, run };
          due.push(entry);
          return () => void due.splice(due.indexOf(entry), 1);
        },
      },
      () => awaited.now,
    );
    return {
      subject,
      due,
      pass(ms: number) {
        nowMs += ms;
        for (const entry of due.filter(({ atMs }) => atMs <= nowMs)) entry.run();
      },
    };
  }
  const running = (): AbortSignal => new AbortController().signal;

  it('holds nothing back at a low rate', () => {
    const { subject, pass } = pace();
    for (let i = 0; i < 1000; i++) {
      expect(subject.linger(1, running())).toBeUndefined();
      pass(1000 / followLimits.appliesPerSecond);
    }
  });

  it('lingers, at most lingerMsMax, once the allowance is used up', async () => {
    const { subject, due, pass } = pace();
    let wait: Promise<void> | undefined;
    for (let i = 0; i < 10 * followLimits.appliesAtOnce; i++) wait = subject.linger(1, running()) ?? wait;
    expect(wait).toBeDefined();
    expect(Math.max(...due.map(({ atMs }) => atMs))).toBeLessThanOrEqual(followLimits.lingerMsMax);
    pass(followLimits.lingerMsMax);
    await wait;
    expect(due).toEqual([]);
  });

  it('is shared by the nodes of a process that share its budget', () => {
    const clock = { nowMs: () => 0, monotonicMs: () => 0 };
    const budget = new ApplyBudget(clock);
    const paces = [1, 2, 3].map(() => new ApplyPace(budget, { after: () => () => undefined }, () => false));
    let free = 0;
    while (paces[free % 3]?.linger(1, running()) === undefined) free++;
    expect(free).toBe(followLimits.appliesAtOnce);
  });

  it('goes on at once when somebody waits for a position, before or meanwhile, and when it is stopped', async () => {
    const awaited = { now: false };
    const { subject, due } = pace(awaited);
    const stopping = new AbortController();
    let wait: Promise<void> | undefined;
    while (wait === undefined) wait = subject.linger(8, running());
    subject.hurry();
    await wait;
    const stopped = subject.linger(8, stopping.signal);
    stopping.abort();
    await stopped;
    awaited.now = true;
    expect(subject.linger(8, running())).toBeUndefined();
    expect(due).toEqual([]);
  });
});
