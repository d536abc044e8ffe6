import type { ExpectedDigest, PlanDigest, VerifyForPlan } from '@levee/cluster';
import type { ClusterView, DigestTail } from '@levee/journal';
import { asPartition, assert, Failure, failureCode, Waits } from '@levee/kernel';
import type { Log } from '@levee/log';
import { askForDigests, type DigestAsking } from '../barriers/ask-for-digests';

export interface DigestRoundOptions extends DigestAsking {
  /** Id of the barrier, which the digests carry. */
  readonly barrierId: string;
  /** The round is over when for so long none of the digests came. */
  readonly quietMs: number;
  /** Looked at with every decision: false ends the round. */
  readonly isWanted: () => boolean;
  /** Ends the round at once. */
  readonly signal: AbortSignal;
}

export type DigestRoundResult =
  | { readonly kind: 'complete'; readonly digests: readonly PlanDigest[] }
  | { readonly kind: 'missing'; readonly missing: readonly ExpectedDigest[] }
  /** What was asked for is not needed any more, or cannot come: a node has restarted since. */
  | { readonly kind: 'unwanted' };

/**
 * Writes one barrier into the partitions that a plan's chunks touch and gathers the digests that the plan expects
 * there. Nothing is kept: a master that takes over asks anew. Fails as `Log.append` does, with DEADLINE when the
 * digests cannot be read, and with NAMESPACE_UNKNOWN.
 */
export async function digestRound(
  log: Log,
  tail: DigestTail,
  view: ClusterView,
  work: VerifyForPlan,
  options: DigestRoundOptions,
): Promise<DigestRoundResult> {
  const { barrierId, timers, quietMs, isWanted, signal } = options;
  const namespace = view.state.namespace(work.namespace);
  const { clusterId } = view;
  if (namespace?.state !== 'active' || clusterId === undefined)
    throw new Failure('NAMESPACE_UNKNOWN', `there is no active namespace '${work.namespace}'`);

  const missing = new Map(work.expect.map((each) => [keyOf(each), each]));
  const found: PlanDigest[] = [];
  const waits = new Waits(timers);
  const poll = (): void => waits.poll();
  const endListening = view.onDecision(poll);
  signal.addEventListener('abort', poll);
  const unlisten = (): void => {
    endListening();
    signal.removeEventListener('abort', poll);
  };
  const listening = await tail
    .listen(
      barrierId,
      (digest) => {
        if (!missing.delete(keyOf(digest))) return;
        found.push(planDigest(digest));
        poll();
      },
      quietMs,
    )
    .catch((error: unknown) => {
      unlisten();
      throw error;
    });
  try {
    const runs = incarnations(view, work);
    const partitions = new Set(work.expect.map(({ partition }) => asPartition(partition)));
    const digest = { id: barrierId, chunks: work.chunkIds };
    await askForDigests(log, { clusterId, namespace, partitions, digest }, options);
    while (missing.size > 0) {
      const before = missing.size;
      const news = (): 'digest' | 'unwanted' | undefined => {
        if (signal.aborted || !isWanted() || incarnations(view, work) !== runs) return 'unwanted';
        return missing.size < before ? 'digest' : undefined;
      };
      const what = await waits.until(news, quietMs, 'a digest').catch((error: unknown) => {
        if (failureCode(error) !== 'DEADLINE') throw error;
        return 'quiet' as const;
      });
      if (what === 'unwanted') return { kind: 'unwanted' };
      if (what === 'quiet') return { kind: 'missing', missing: [...missing.values()] };
    }
    assert(found.length === work.expect.length, `I11: every digest that plan ${work.planId} expects is there`);
    return { kind: 'complete', digests: found };
  } finally {
    listening();
    unlisten();
  }
}

/** A node that restarts loses the digests it was working on. */
function incarnations(view: ClusterView, { expect }: VerifyForPlan): string {
  const nodeIds = [...new Set(expect.map(({ nodeId }) => nodeId))];
  return nodeIds.map((nodeId) => view.state.node(nodeId)?.incarnation ?? '').join(' ');
}

/** The very replica: a digest of another disk or generation is not the one. */
const keyOf = ({ chunkId, partition, nodeId, storeId, unitId, generation }: ExpectedDigest): string =>
  `${chunkId} ${partition} ${nodeId} ${storeId} ${unitId} ${generation}`;

function planDigest(of: PlanDigest): PlanDigest {
  const { chunkId, partition, nodeId, storeId, unitId, generation, incarnation, barrierOffset, digest, keys } = of;
  return { chunkId, partition, nodeId, storeId, unitId, generation, incarnation, barrierOffset, digest, keys };
}
