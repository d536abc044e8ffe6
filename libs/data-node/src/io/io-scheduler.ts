import type { Pace } from '@levee/chunk-store';
import { ByteRate, type Clock, type Timers } from '@levee/kernel';
import { type IoClass, ioClasses, ioLimits, ioRules, restMs, Turns } from './io-rule';

export interface IoSchedulerOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Most bytes a second that digests and sweeps read, together; 0 = no limit. */
  readonly digestBytesPerSecond?: number | undefined;
  /** Calls back in the next round of the event loop; real by default. */
  readonly nextRound?: (goOn: () => void) => void;
}

interface IoCounts {
  granted: number;
  bytes: number;
  restedMs: number;
}

/**
 * One for all background work of a node: at most one slice of it runs in a round of the event loop, whichever class's
 * turn it is, and while rounds are long because of reads and writes it rests. While clients are served it leaves a part
 * of the time free anyway: their requests pass through other processes too, which want the same processors.
 */
export class IoScheduler {
  private readonly queues: Record<IoClass, (() => void)[]> = { scan: [], copy: [], digest: [], sweep: [] };
  private readonly counts: Record<IoClass, IoCounts>;
  private readonly turns = new Turns();
  private readonly digestRate: ByteRate;
  private readonly nextRound: (goOn: () => void) => void;
  private readonly closing = new AbortController();
  private armed = false;
  /** Ends the rest that somebody takes now. */
  private cutRest: (() => void) | undefined;
  private busyMs = 0;
  private servedAtMs = -Infinity;
  /** The slice under way. */
  private slice: { readonly ioClass: IoClass; readonly atMs: number } | undefined;
  /** Rest that is owed for slices while clients were served, in ms. */
  private readonly owedMs: Record<IoClass, number> = { scan: 0, copy: 0, digest: 0, sweep: 0 };

  constructor(private readonly options: IoSchedulerOptions) {
    const { clock, timers, digestBytesPerSecond = 0 } = options;
    this.digestRate = new ByteRate(digestBytesPerSecond, clock, timers);
    this.nextRound = options.nextRound ?? ((goOn) => void setImmediate(goOn));
    const none = (): IoCounts => ({ granted: 0, bytes: 0, restedMs: 0 });
    this.counts = { scan: none(), copy: none(), digest: none(), sweep: none() };
  }

  /** For the loops of that class: time, and a turn each time they give way. */
  pace(ioClass: IoClass): Pace {
    const { clock } = this.options;
    return {
      monotonicMs: () => clock.monotonicMs(),
      giveWay: (bytes) => this.giveWay(ioClass, bytes),
      passed: (bytes) => void (this.counts[ioClass].bytes += bytes),
    };
  }

  /** A client asked for something. */
  served(): void {
    this.servedAtMs = this.options.clock.monotonicMs();
  }

  /** Between two slices: resolves when the next may begin. `bytes` = what the last one read. */
  async giveWay(ioClass: IoClass, bytes = 0): Promise<void> {
    this.counts[ioClass].bytes += bytes;
    this.owe(ioClass);
    const { signal } = this.closing;
    if (ioClass === 'digest' || ioClass === 'sweep') await this.digestRate.pass(bytes, signal);
    if (signal.aborted) return new Promise((resolve) => this.nextRound(resolve));
    await new Promise<void>((resolve) => {
      const queue = this.queues[ioClass];
      if (queue.length === 0) this.turns.arrive(ioClass);
      queue.push(resolve);
      // What needs no rest does not wait for what rests.
      if (ioRules[ioClass].rest === 0) this.cutRest?.();
      this.arm();
    });
  }

  /** Numbers for metrics. */
  stats(): { readonly [name: string]: number } {
    const found: Record<string, number> = { loopBusyMs: this.busyMs };
    for (const ioClass of ioClasses) {
      const { granted, bytes, restedMs } = this.counts[ioClass];
      found[`${ioClass}Waiting`] = this.queues[ioClass].length;
      found[`${ioClass}Granted`] = granted;
      found[`${ioClass}Bytes`] = bytes;
      found[`${ioClass}RestedMs`] = restedMs;
    }
    return found;
  }

  /** Nobody waits any more: whoever goes on finds what it works on closed. */
  close(): void {
    this.closing.abort();
    this.cutRest?.();
    for (const ioClass of ioClasses) for (const goOn of this.queues[ioClass].splice(0)) goOn();
  }

  private arm(): void {
    if (this.armed) return;
    this.armed = true;
    const askedAtMs = this.options.clock.monotonicMs();
    this.nextRound(() => this.round(askedAtMs));
  }

  private round(askedAtMs: number): void {
    this.busyMs = this.options.clock.monotonicMs() - askedAtMs;
    const chosen = this.turns.next((ioClass) => this.queues[ioClass].length > 0);
    if (chosen === undefined) return void (this.armed = false);
    const ms = Math.max(restMs(chosen, this.busyMs), this.due(chosen));
    const goOn = this.queues[chosen].shift() as () => void;
    if (ms === 0) return this.grant(chosen, goOn);
    this.counts[chosen].restedMs += ms;
    const end = (): void => {
      cancel();
      this.cutRest = undefined;
      this.grant(chosen, goOn);
    };
    const cancel = this.options.timers.after(ms, end);
    this.cutRest = () => {
      cancel();
      this.cutRest = undefined;
      // Goes on resting behind those who need none, first of its class.
      this.queues[chosen].unshift(goOn);
      this.armed = false;
      this.arm();
    };
  }

  private owe(ioClass: IoClass): void {
    const { slice } = this;
    if (slice?.ioClass !== ioClass) return;
    this.slice = undefined;
    const nowMs = this.options.clock.monotonicMs();
    if (nowMs - this.servedAtMs >= ioLimits.servedMs) this.owedMs[ioClass] = 0;
    else this.owedMs[ioClass] += Math.min(nowMs - slice.atMs, ioLimits.sliceMsMax) * ioRules[ioClass].yields;
  }

  /** Timers know whole milliseconds: what is owed is gathered until there is one. */
  private due(ioClass: IoClass): number {
    const ms = Math.floor(this.owedMs[ioClass]);
    this.owedMs[ioClass] -= ms;
    return ms;
  }

  private grant(ioClass: IoClass, goOn: () => void): void {
    this.counts[ioClass].granted++;
    this.armed = false;
    this.slice = { ioClass, atMs: this.options.clock.monotonicMs() };
    goOn();
    if (ioClasses.some((each) => this.queues[each].length > 0)) this.arm();
  }
}
