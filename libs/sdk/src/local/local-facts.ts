import { messageOf, type SteadyClock } from '@levee/kernel';
import type { PortalClock } from '../direct/portal-clock';
import type { PortalReach } from '../portal/portal-reach';
import type { World } from '../world';
import { type FactsAnswer, followedOf, type FollowedNamespace, isSame, older, readFacts } from './followed-namespace';
import { localLimits } from './local-limits';

export interface FactsWorld {
  readonly world: World;
  readonly steady: SteadyClock;
  readonly clock: PortalClock;
  /** No answer here may rest on what is older. */
  readonly stalenessMs: number;
}

const { askMs, askWaitMs, portalAheadMs } = localLimits;

/** Who says so knows that nothing may be read here: there is no such namespace, or whoever asks may not read it. */
const final = new Set(['LVNAMESPACE', 'NOPERM', 'NOAUTH', 'WRONGPASS']);

/**
 * What portals say of a namespace: which log is its own now, how that is read, and which partitions of it must not be
 * answered from. Asked again and again, as long as the client is open.
 */
export class LocalFacts {
  current: FollowedNamespace | undefined;
  problem: string | undefined = 'no portal was asked yet';
  /** [safety] Of these partitions nodes hold what the log has lost. */
  stopped: ReadonlySet<number> = new Set();
  /** Monotonic: it was so at that moment, as a portal that was asked later said. */
  private confirmedAtMs = -Infinity;
  private version: number | undefined;
  private portalAheadMs: number | undefined;
  private cancelNext: () => void = () => undefined;
  private closed = false;

  constructor(
    private readonly portals: Pick<PortalReach, 'routes'>,
    private readonly of: FactsWorld,
    /** `current` is another one. */
    private readonly changed: () => void,
  ) {}

  start(): void {
    void this.ask();
  }

  /** A portal was asked not too long ago, and this machine has not slept since. */
  isConfirmed(nowMs: number): boolean {
    return nowMs - this.confirmedAtMs <= this.of.stalenessMs && this.confirmedAtMs > this.of.steady.soundSinceMs;
  }

  close(): void {
    this.closed = true;
    this.cancelNext();
  }

  private async ask(): Promise<void> {
    const { steady, world, stalenessMs } = this.of;
    const askedMs = steady.nowMs();
    try {
      const answer = readFacts(await this.portals.routes(this.version, askedMs + askWaitMs));
      if (!this.closed) this.take(answer, askedMs);
    } catch (error) {
      if (!this.closed) this.failed(error);
    }
    if (this.closed) return;
    const pauseMs = Math.min(askMs, stalenessMs / 4) * (0.5 + world.random.next() / 2);
    this.cancelNext = world.timers.after(pauseMs, () => void this.ask());
  }

  private take(answer: FactsAnswer, askedMs: number): void {
    this.tellTime(answer.nowMs);
    if (answer.change === 'metaChange') {
      const told = followedOf(answer);
      this.version = told === older ? undefined : answer.version;
      if (typeof told === 'string') return this.set(undefined, told);
      this.set(told, undefined);
    }
    // One of an older version knows nothing of partitions that stand still.
    const { stopped, unheardMs } = answer;
    if (stopped === undefined || typeof unheardMs !== 'number' || this.current === undefined) return;
    this.stopped = new Set(stopped);
    // [safety] What it has not heard of the journal it cannot say.
    this.confirmedAtMs = Math.max(this.confirmedAtMs, askedMs - unheardMs);
    this.problem = undefined;
  }

  private failed(error: unknown): void {
    const { code } = error as { code?: string };
    const nowMs = this.of.steady.nowMs();
    if (code !== undefined && final.has(code)) {
      this.version = undefined;
      return this.set(undefined, messageOf(error));
    }
    this.problem = messageOf(error);
    // It counts anew, or has not heard of what another one said.
    if (code === 'LVVERSION' && !this.isConfirmed(nowMs)) this.version = undefined;
  }

  private set(told: FollowedNamespace | undefined, problem: string | undefined): void {
    const before = this.current;
    this.problem = problem;
    this.current = told;
    if (before === told || (before !== undefined && told !== undefined && isSame(before, told))) return;
    this.confirmedAtMs = -Infinity;
    this.changed();
  }

  /** Where this machine's own clock says nothing of a sleep, that of portals does. */
  private tellTime(nowMs: number): void {
    const { clock, steady } = this.of;
    const aheadMs = nowMs - steady.passedMs();
    const by = aheadMs - (this.portalAheadMs ?? aheadMs);
    if (by > portalAheadMs) steady.slept(by);
    this.portalAheadMs = aheadMs;
    clock.tell(nowMs);
  }
}
