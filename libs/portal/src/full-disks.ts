import type { Heartbeat } from '@levee/events';
import type { HeartbeatView } from '@levee/journal';
import type { Clock, HealthTrouble } from '@levee/kernel';

interface Heard {
  readonly beat: Heartbeat;
  readonly heardMs: number;
}

/** A node that was not heard of for so long does not answer for its replicas. */
const silentMs = 15_000;
/** A replica that has not stood at the end of its log for so long does not follow it. */
const behindMs = 10_000;
/** A disk with less stands where it is, or soon will. */
const roomBytesMin = 64 * 1024 * 1024;

/**
 * Chunks whose every replica stands still on a full disk: the log takes writes on, so no write fails, and yet nobody
 * can read them. One replica that follows is enough for readers; then the node alone says it.
 */
export class FullDisks {
  private readonly nodes = new Map<string, Heard>();

  constructor(
    heartbeats: Pick<HeartbeatView, 'onHeartbeat'>,
    private readonly clock: Pick<Clock, 'monotonicMs'>,
  ) {
    heartbeats.onHeartbeat((beat) => {
      // Only each tenth or so tells of positions.
      if (beat.kind !== 'node' || beat.positions.length === 0) return;
      this.forgetSilent();
      this.nodes.set(beat.id, { beat, heardMs: this.clock.monotonicMs() });
    });
  }

  /** Of how many nodes something is remembered. */
  get size(): number {
    return this.nodes.size;
  }

  get troubles(): readonly HealthTrouble[] {
    const standing = new Map<string, { readonly chunkId: string; readonly nodes: Set<string> }>();
    const followed = new Set<string>();
    this.forgetSilent();
    for (const { beat } of this.nodes.values()) {
      const full = beat.freeDiskBytes >= 0 && beat.freeDiskBytes < roomBytesMin;
      for (const { chunkId, partition, atEndAtMs } of beat.positions) {
        const place = `${chunkId}/${partition}`;
        // Both are by the clock of the node.
        if (!full || beat.sentAtMs - atEndAtMs <= behindMs) followed.add(place);
        else {
          const nodes = standing.get(place)?.nodes ?? new Set();
          standing.set(place, { chunkId, nodes: nodes.add(beat.id) });
        }
      }
    }
    const byChunk = new Map<string, ReadonlySet<string>>();
    for (const [place, { chunkId, nodes }] of standing) if (!followed.has(place)) byChunk.set(chunkId, nodes);
    const troubles: HealthTrouble[] = [];
    for (const [chunkId, on] of byChunk) {
      const nodes = [...on].sort();
      const message =
        `every replica of ${chunkId} stands still on a full disk (${nodes.join(', ')}): writes are taken, what is ` +
        'written cannot be read; free space there, and it goes on by itself';
      troubles.push({ what: 'disksFull', chunkId, nodes, message });
    }
    return troubles;
  }

  private forgetSilent(): void {
    const nowMs = this.clock.monotonicMs();
    for (const [nodeId, { heardMs }] of this.nodes) if (nowMs - heardMs > silentMs) this.nodes.delete(nodeId);
  }
}
