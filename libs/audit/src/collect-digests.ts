import type { ReplicaDigest } from '@levee/events';
import { type ClusterView, type ControlTopics, DigestTail, type SubmittedCommand } from '@levee/journal';
import { type Clock, Failure, type Logger, type NewId, type Timers } from '@levee/kernel';
import { systemNewId, type Log } from '@levee/log';
import { gatherDigests } from './gather-digests';

export interface DigestReport {
  readonly namespace: string;
  /** True when all replicas of each chunk have the same digest at the same barrier, partition by partition. */
  readonly equal: boolean;
  /** One line per replica and partition, ordered by chunk, partition, node. */
  readonly replicas: readonly ReplicaDigest[];
}

export interface CollectDigestsOptions {
  readonly namespace: string;
  readonly principal: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly deadlineMs: number;
  readonly submit: (command: SubmittedCommand) => Promise<string>;
  readonly newId?: NewId;
}

/**
 * Has a digest barrier written to every partition of a namespace and waits until each readable replica has published
 * its digest there. Fails with NAMESPACE_UNKNOWN, with the rejection's code, or with DEADLINE naming who is missing.
 */
export async function collectDigests(
  log: Log,
  topics: ControlTopics,
  view: ClusterView,
  options: CollectDigestsOptions,
): Promise<DigestReport> {
  const { namespace, deadlineMs } = options;
  const id = (options.newId ?? systemNewId)();
  const tail = new DigestTail(log, topics, options);
  try {
    const { digests, missing } = await gatherDigests(view, tail, { ...options, id, chunkIds: [] });
    if (missing.length > 0)
      throw new Failure(
        'DEADLINE',
        `${missing.length} replica digests did not come within ${deadlineMs} ms, among them ` +
          `${missing.slice(0, 3).join(', ')}; see whether those nodes are ready`,
      );
    return report(namespace, [...digests]);
  } finally {
    await tail.close();
  }
}

function report(namespace: string, replicas: ReplicaDigest[]): DigestReport {
  replicas.sort(
    (a, b) => a.chunkId.localeCompare(b.chunkId) || a.partition - b.partition || a.nodeId.localeCompare(b.nodeId),
  );
  const seen = new Map<string, string>();
  let equal = true;
  for (const { chunkId, partition, barrierOffset, digest, keys } of replicas) {
    const place = `${chunkId} ${partition}`;
    const state = `${barrierOffset} ${digest} ${keys}`;
    if ((seen.get(place) ?? state) !== state) equal = false;
    seen.set(place, state);
  }
  return { namespace, equal, replicas };
}
