import { sessionTimeMs } from '@levee/client';
import type { Session } from '@levee/keyspace';
import type { PortalSide } from '../client/near';
import type { How } from '../client/reach';
import { directStoreLimits } from '../direct/direct-limits';
import type { World } from '../world';
import type { FollowedNamespace } from './followed-namespace';
import type { FollowedPartition } from './followed-partition';
import { localLimits } from './local-limits';
import type { LocalWorld } from './local-namespace';

/** The session of a client as reads of a replica here take part in it. */
export class LocalSession {
  private learning = false;

  constructor(
    private readonly portal: PortalSide,
    private readonly of: Pick<LocalWorld, 'clock'> & { readonly world: World },
  ) {}

  /** `undefined`: not of the log that is followed, or not known yet. */
  ofLog({ log, partitions }: Pick<FollowedNamespace, 'log' | 'partitions'>): Session | undefined {
    const { current } = this.portal.requests.memory;
    if (current?.scope.binlog === log && current.scope.partitions === partitions) return current;
    // [safety] One of both is of an earlier creation of the namespace: positions of one say nothing in the other.
    this.learn();
    return undefined;
  }

  /** What it has seen as expired stays so, unless that was by a clock that portals would refuse. */
  clockMs(session: Session | undefined): number {
    return sessionTimeMs(session, this.of.clock.nowMs(), directStoreLimits.sessionClockAheadMsMax);
  }

  /** Resolves when it stands there, when that takes too long, and when nobody waits for it any more. */
  untilApplied(
    part: FollowedPartition,
    nextOffset: number,
    { deadlineAtMs, signal }: How,
    beganAtMs: number,
  ): Promise<void> {
    const { timers } = this.of.world;
    const waitMs = Math.max(0, Math.min(localLimits.patienceMs, (deadlineAtMs - beganAtMs) / 2));
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        leave();
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const cancel = timers.after(waitMs, end);
      const leave = part.whenApplied(nextOffset, end);
      signal?.addEventListener('abort', end, { once: true });
    });
  }

  /** Asks a portal of which log the session is. */
  private learn(): void {
    if (this.learning) return;
    this.learning = true;
    const { timers, clock } = this.of.world;
    const done = (): void => void timers.after(learnPauseMs, () => (this.learning = false));
    this.portal.reach.learnSession(clock.monotonicMs() + localLimits.askWaitMs).then(done, done);
  }
}

const learnPauseMs = 100;
