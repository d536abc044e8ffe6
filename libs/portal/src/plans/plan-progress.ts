import type { Heartbeat, HeartbeatMove } from '@levee/events';
import type { HeartbeatView } from '@levee/journal';
import type { Clock } from '@levee/kernel';

/** How far one replica of a plan is, as its node says, and how long it will take at this pace. */
export interface ReplicaProgress extends Omit<HeartbeatMove, 'planId'> {
  readonly nodeId: string;
  readonly bytesPerSecond: number;
  /** `null`: the total is unknown. */
  readonly percent: number | null;
  readonly remainingMs: number | null;
}

interface Pace {
  readonly move: HeartbeatMove;
  readonly nodeId: string;
  readonly sentAtMs: number;
  readonly heardMs: number;
  readonly bytesPerSecond: number;
}

/** A node that says nothing of a replica for so long is not making it any more. */
const forgottenAfterMs = 10_000;
/** Share of the newest pace in the mean that is shown. */
const newestShare = 0.4;

/** Follows the heartbeats of nodes that make replicas for plans. Soft: for people who watch. */
export class PlanProgress {
  private readonly paces = new Map<string, Pace>();

  constructor(
    heartbeats: HeartbeatView,
    private readonly clock: Clock,
  ) {
    heartbeats.onHeartbeat((beat) => this.take(beat));
  }

  /** By unit. */
  of(planId: string): ReplicaProgress[] {
    this.forget();
    return [...this.paces.values()]
      .filter(({ move }) => move.planId === planId)
      .sort((a, b) => (a.move.unitId < b.move.unitId ? -1 : 1))
      .map(({ move: { planId: _, ...move }, nodeId, bytesPerSecond }) => {
        const { bytesCopied, bytesTotal, step } = move;
        const left = Math.max(0, bytesTotal - bytesCopied);
        const copying = step === 'copy' && bytesTotal > 0;
        return {
          nodeId,
          ...move,
          bytesPerSecond: step === 'copy' ? Math.round(bytesPerSecond) : 0,
          percent: step !== 'copy' ? 100 : copying ? Math.min(100, (bytesCopied / bytesTotal) * 100) : null,
          remainingMs: copying && bytesPerSecond > 0 ? Math.round((left / bytesPerSecond) * 1_000) : null,
        };
      });
  }

  private take(beat: Heartbeat): void {
    for (const move of beat.moves) {
      const key = `${move.unitId}@${move.generation}`;
      const before = this.paces.get(key);
      const ms = beat.sentAtMs - (before?.sentAtMs ?? beat.sentAtMs);
      const newest = before === undefined || ms <= 0 ? 0 : ((move.bytesCopied - before.move.bytesCopied) / ms) * 1_000;
      const mean = before?.bytesPerSecond ?? 0;
      const bytesPerSecond = mean === 0 ? Math.max(0, newest) : mean + (Math.max(0, newest) - mean) * newestShare;
      const heardMs = this.clock.monotonicMs();
      this.paces.set(key, { move, nodeId: beat.id, sentAtMs: beat.sentAtMs, heardMs, bytesPerSecond });
    }
  }

  private forget(): void {
    const beforeMs = this.clock.monotonicMs() - forgottenAfterMs;
    for (const [key, { heardMs }] of this.paces) if (heardMs < beforeMs) this.paces.delete(key);
  }
}
