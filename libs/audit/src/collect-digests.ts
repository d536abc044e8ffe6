import type { ChunkState, NamespaceState, ReplicaDigest } from '@levee/events';
import { type ClusterView, type ControlTopics, DigestTail, type SubmittedCommand } from '@levee/journal';
import { type Clock, Failure, type Logger, type NewId, type Timers, Waits } from '@levee/kernel';
import { partitionsOf } from '@levee/keyspace';
import { systemNewId, type Log } from '@levee/log';

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
  const namespace = view.state.namespace(options.namespace);
  if (namespace?.state !== 'active')
    throw new Failure('NAMESPACE_UNKNOWN', `there is no active namespace '${options.namespace}'`);
  const giveUpAt = options.clock.monotonicMs() + options.deadlineMs;
  const leftMs = (): number => Math.max(1, giveUpAt - options.clock.monotonicMs());
  const id = (options.newId ?? systemNewId)();
  const found = new Map<string, ReplicaDigest>();
  const waits = new Waits(options.timers);
  const take = (digest: ReplicaDigest): void => {
    found.set(keyOf(digest.chunkId, digest.partition, digest.nodeId), digest);
    waits.poll();
  };
  const tail = new DigestTail(log, topics, options);
  try {
    await tail.listen(id, take, leftMs());
    const payload = { id, namespace: namespace.name, digest: true };
    await options.submit({ kind: 'RequestBarrier', payload, principal: options.principal, id });
    const outcome = await view.outcome(id, leftMs());
    if (outcome.rejectionCode !== null) throw new Failure(outcome.rejectionCode, outcome.rejectionMessage ?? '');

    const asked = expected(namespace, [...view.state.chunksOf(namespace.name)]);
    const missing = new Set(asked);
    const complete = (): true | undefined => {
      for (const key of missing) if (found.has(key)) missing.delete(key);
      return missing.size === 0 ? true : undefined;
    };
    await waits.until(complete, leftMs(), 'a digest of every replica').catch((error: unknown) => {
      const examples = [...missing].slice(0, 3).join(', ');
      throw new Failure(
        'DEADLINE',
        `${missing.size} replica digests did not come within ${options.deadlineMs} ms, among them ${examples}; ` +
          'see whether those nodes are ready',
        { cause: error },
      );
    });
    // Replicas that are still being made may answer too: they prove nothing.
    return report(
      namespace.name,
      [...found].flatMap(([key, digest]) => (asked.has(key) ? digest : [])),
    );
  } finally {
    await tail.close();
  }
}

function keyOf(chunkId: string, partition: number, nodeId: string): string {
  return `${chunkId} partition ${partition} on ${nodeId}`;
}

function expected(namespace: NamespaceState, chunks: readonly ChunkState[]): Set<string> {
  const keys = new Set<string>();
  for (const { chunkId, slotStart, slotEnd, replicas } of chunks)
    for (const { nodeId, role } of replicas)
      if (role === 'primary' || role === 'follower')
        for (const partition of partitionsOf(slotStart, slotEnd, namespace.partitions))
          keys.add(keyOf(chunkId, partition, nodeId));
  return keys;
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
