import type { NodeLinks } from '@levee/client';
import { messageOf, type SteadyClock } from '@levee/kernel';
import type { PortalReach } from '../portal/portal-reach';
import type { World } from '../world';
import { type DirectAnswer, readDirectAnswer } from './direct-answer';
import { DirectNamespace } from './direct-namespace';
import { directLimits } from './direct-limits';
import type { PortalClock } from './portal-clock';

export interface RoutesWorld {
  readonly links: NodeLinks;
  readonly clock: PortalClock;
  readonly steady: SteadyClock;
  readonly world: World;
  /** The nodes of a namespace are others. */
  changed(): void;
}

const { routesMs, hintMsMin, routesWaitMs, routesKeptMs, idleMs } = directLimits;

/**
 * How the nodes of one namespace are asked for it. Portals are asked for what is new: in a rhythm while it is read, and at
 * once when a node knows better. Nothing is decided here.
 */
export class DirectRoutesCache {
  current: DirectNamespace | undefined;
  private lastProblem: string | undefined = 'no portal was asked yet';
  private version: number | undefined;
  private confirmedAtMs = -Infinity;
  /** When a portal was asked that has told the time. */
  private timeAskedAtMs = -Infinity;
  private usedAtMs = -Infinity;
  private asking = false;
  private hinted = false;
  private hintMs: number = hintMsMin;
  private cancelNext: (() => void) | undefined;
  private nextAtMs = Infinity;
  private closed = false;

  constructor(
    private readonly name: string,
    private readonly portals: Pick<PortalReach, 'routes' | 'learnSession'>,
    private readonly of: RoutesWorld,
  ) {}

  /** `undefined` while it is read through portals only. */
  use(): DirectNamespace | undefined {
    const nowMs = this.of.steady.nowMs();
    const wasIdle = nowMs - this.usedAtMs > idleMs;
    this.usedAtMs = nowMs;
    // What was known before is asked about first.
    if (wasIdle) this.confirmedAtMs = -Infinity;
    const { hasSlept } = this;
    if (!this.asking && (hasSlept || !this.cancelNext)) this.askIn(0);
    // [safety] While a machine sleeps its monotonic clock stands still: what has expired meanwhile would be told (I5).
    if (hasSlept) return undefined;
    const { current } = this;
    if (!current || current.notDirect !== undefined || nowMs - this.confirmedAtMs > routesKeptMs) return undefined;
    return current;
  }

  /** No portal has told the time since this machine woke up, or its clock jumped. */
  private get hasSlept(): boolean {
    return this.timeAskedAtMs <= this.of.steady.soundSinceMs;
  }

  get problem(): string | undefined {
    if (!this.current) return this.lastProblem;
    if (this.hasSlept) return 'no portal has told the time since this machine slept, or its clock jumped';
    return this.current.notDirect ?? (this.nowMs() - this.confirmedAtMs > routesKeptMs ? this.lastProblem : undefined);
  }

  get versionKnown(): number {
    return this.current?.table?.version ?? 0;
  }

  /** A node goes by newer routes, or has not what these say. */
  readonly outdated = (): void => {
    this.hinted = true;
    if (!this.asking) this.askIn(this.hintMs);
  };

  close(): void {
    this.closed = true;
    this.cancelNext?.();
    this.forget();
  }

  private askIn(pauseMs: number): void {
    const atMs = this.nowMs() + pauseMs;
    if (this.closed || (this.cancelNext && this.nextAtMs <= atMs)) return;
    this.cancelNext?.();
    this.nextAtMs = atMs;
    this.cancelNext = this.of.world.timers.after(pauseMs, () => {
      this.cancelNext = undefined;
      void this.ask();
    });
  }

  private async ask(): Promise<void> {
    this.asking = true;
    this.hinted = false;
    const askedAtMs = this.nowMs();
    try {
      const text = await this.portals.routes(this.version, this.nowMs() + routesWaitMs);
      if (this.closed) return;
      const isNew = this.take(readDirectAnswer(text));
      this.timeAskedAtMs = askedAtMs;
      this.hintMs = isNew ? hintMsMin : Math.min(routesMs, this.hintMs * 2);
    } catch (error) {
      if (this.closed) return;
      this.failed(error);
    }
    this.asking = false;
    if (this.hinted) this.askIn(this.hintMs);
    else if (this.nowMs() - this.usedAtMs <= idleMs) this.askIn(routesMs * (0.5 + this.of.world.random.next() / 2));
  }

  /** True: it says something new. */
  private take(answer: DirectAnswer): boolean {
    this.of.clock.tell(answer.nowMs);
    this.confirmedAtMs = this.nowMs();
    if (answer.change === 'notChange') return false;
    this.version = answer.version;
    if (this.current?.isOf(answer) === true) this.current.update(answer);
    else {
      this.current?.leave();
      this.current = new DirectNamespace(this.name, answer, this.of.links, this.outdated);
    }
    this.of.changed();
    return true;
  }

  private failed(error: unknown): void {
    this.lastProblem = messageOf(error);
    this.hintMs = Math.min(routesMs, this.hintMs * 2);
    const { code } = error as { code?: unknown };
    // There is none of this name any more, or this is another cluster, which counts anew.
    if (code === 'LVNAMESPACE') this.forget();
    if (code === 'LVVERSION' && this.nowMs() - this.confirmedAtMs > routesKeptMs) this.forget();
  }

  private forget(): void {
    this.current?.leave();
    this.current = undefined;
    this.version = undefined;
  }

  private nowMs(): number {
    return this.of.world.clock.monotonicMs();
  }
}
