import { type IoClass, ioClasses, ioLimits, restMs, Turns } from './io-rule';
import { IoScheduler } from './io-scheduler';

/** Time and rounds of the event loop that pass when the test says so. */
class ManualLoop {
  at = 0;
  private rounds: (() => void)[] = [];
  private timers = new Set<{ atMs: number; action: () => void }>();
  readonly clock = { nowMs: () => this.at, monotonicMs: () => this.at };
  readonly after = (delayMs: number, action: () => void): (() => void) => {
    const timer = { atMs: this.at + delayMs, action };
    this.timers.add(timer);
    return () => void this.timers.delete(timer);
  };
  readonly nextRound = (goOn: () => void): void => void this.rounds.push(goOn);

  /** One round that takes `ms`: what others do in it comes first. */
  async round(ms = 0): Promise<void> {
    this.at += ms;
    for (const timer of [...this.timers]) if (timer.atMs <= this.at && this.timers.delete(timer)) timer.action();
    for (const goOn of this.rounds.splice(0)) goOn();
    for (let i = 0; i < 10; i++) await Promise.resolve();
  }
}

const build = (digestBytesPerSecond = 0): { loop: ManualLoop; io: IoScheduler; ran: IoClass[]; work: typeof work } => {
  const loop = new ManualLoop();
  const io = new IoScheduler({
    clock: loop.clock,
    timers: { after: loop.after },
    nextRound: loop.nextRound,
    digestBytesPerSecond,
  });
  const ran: IoClass[] = [];
  const work = async (ioClass: IoClass, slices: number, bytes = 0): Promise<void> => {
    for (let i = 0; i < slices; i++) {
      await io.giveWay(ioClass, bytes);
      ran.push(ioClass);
    }
  };
  return { loop, io, ran, work };
};

describe('turns of background work', () => {
  it('are shared by weight among those that wait, the urgent first', () => {
    const turns = new Turns();
    const counts = { scan: 0, copy: 0, digest: 0, sweep: 0 };
    expect(turns.next(() => false)).toBeUndefined();
    for (let i = 0; i < 150; i++) counts[turns.next(() => true) as IoClass]++;
    expect(counts).toEqual({ scan: 80, copy: 40, digest: 20, sweep: 10 });
  });

  it('are not saved up while nothing waits', () => {
    const turns = new Turns();
    for (let i = 0; i < 1_000; i++) turns.next((ioClass) => ioClass === 'digest');
    turns.arrive('scan');
    const next = Array.from({ length: 20 }, () => turns.next((of) => of === 'scan' || of === 'digest'));
    expect(next.filter((of) => of === 'digest').length).toBeGreaterThanOrEqual(3);
  });

  it.each<[IoClass, number, number]>([
    ['scan', 1_000, 0],
    ['copy', ioLimits.calmMs, 0],
    ['copy', 16, 8],
    ['digest', 16, 32],
    ['sweep', 16, 32],
    ['copy', 1_000, ioLimits.restMsMax],
    ['digest', 26, ioLimits.restMsMax],
  ])('%s rests after a round of %d ms for %d ms', (ioClass, busyMs, ms) => {
    expect(restMs(ioClass, busyMs)).toBe(ms);
  });
});

describe('the scheduler of a node', () => {
  it('lets one slice run in a round of the event loop, however many wait', async () => {
    const { loop, ran, work } = build();
    for (const ioClass of ioClasses) for (let i = 0; i < 3; i++) void work(ioClass, 5);
    for (let round = 1; round <= 60; round++) {
      await loop.round();
      expect(ran).toHaveLength(round);
    }
    expect(new Set(ran).size).toBe(4);
    await loop.round();
    expect(ran).toHaveLength(60);
  });

  it('keeps copies and digests resting while rounds are long, and not longer than the limit', async () => {
    const { loop, io, ran, work } = build();
    void work('copy', 3);
    await loop.round(40);
    expect(ran).toEqual([]);
    await loop.round(19);
    expect(ran).toEqual([]);
    await loop.round(1);
    expect(ran).toEqual(['copy']);
    await loop.round(5_000);
    expect(ran).toEqual(['copy']);
    await loop.round(ioLimits.restMsMax);
    expect(ran).toEqual(['copy', 'copy']);
    expect(io.stats()).toMatchObject({ copyGranted: 2, copyRestedMs: 70, copyWaiting: 1, scanGranted: 0 });
  });

  it('leaves a part of the time free while clients are served, and not when they are gone', async () => {
    const { loop, io } = build();
    /** What 20 slices of 2 ms each take in all. */
    const digestMs = async (served: boolean): Promise<number> => {
      const beganMs = loop.at;
      let slices = 20;
      void (async () => {
        for (; slices > 0; slices--) {
          await io.giveWay('digest');
          loop.at += 2;
        }
      })();
      while (slices > 0) {
        if (served) io.served();
        const before = slices;
        await loop.round();
        if (slices === before) loop.at += 1;
      }
      return loop.at - beganMs;
    };
    expect(await digestMs(false)).toBeLessThan(45);
    expect(await digestMs(true)).toBeGreaterThan(75);
    expect(io.stats()['digestRestedMs']).toBeGreaterThanOrEqual(35);
    loop.at += ioLimits.servedMs;
    expect(await digestMs(false)).toBeLessThan(45);
  });

  it('does not make a scan wait for a copy that rests', async () => {
    const { loop, ran, work } = build();
    void work('copy', 1);
    await loop.round(40);
    void work('scan', 2);
    await loop.round();
    await loop.round();
    await loop.round();
    expect([...ran].sort()).toEqual(['copy', 'scan', 'scan']);
  });

  it('holds digests to their bytes a second, and others not', async () => {
    const { loop, io, ran, work } = build(1_000);
    void work('digest', 3, 500);
    void work('copy', 3, 500);
    for (let i = 0; i < 10; i++) await loop.round(1);
    expect(ran.filter((of) => of === 'digest')).toHaveLength(1);
    expect(ran.filter((of) => of === 'copy')).toHaveLength(3);
    await loop.round(489);
    await loop.round();
    expect(ran.filter((of) => of === 'digest')).toHaveLength(1);
    await loop.round(1);
    await loop.round();
    expect(ran.filter((of) => of === 'digest')).toHaveLength(2);
    expect(io.stats()).toMatchObject({ copyBytes: 1_500 });
  });

  it('lets everybody go when it is closed, resting or not', async () => {
    const { loop, io, ran, work } = build();
    void work('copy', 1);
    void work('sweep', 1);
    await loop.round(30);
    io.close();
    await loop.round();
    expect([...ran].sort()).toEqual(['copy', 'sweep']);
    void work('digest', 1);
    await loop.round();
    await loop.round();
    expect(ran).toHaveLength(3);
  });
});
