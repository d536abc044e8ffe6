import { randomUUID } from 'node:crypto';
import { decodeAs } from '@levee/codec';
import type { ChunkState, NamespaceState, ReplicaDigest } from '@levee/events';
import { partitionsOf } from '@levee/keyspace';
import { asPartition, Failure, type Clock } from '@levee/kernel';
import type { Log } from '@levee/log';
import type { ClusterView } from './cluster-view';
import type { ControlTopics } from './control-topics';
import type { SubmittedCommand } from './submit';

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
  readonly deadlineMs: number;
  readonly submit: (command: SubmittedCommand) => Promise<string>;
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
  const nextOffset = (await log.offsets(topics.digests))[0]?.endOffset;
  if (nextOffset === undefined) throw new Failure('TOPIC_MISSING', `topic ${topics.digests} has no partition 0`);

  const id = randomUUID();
  const payload = { id, namespace: namespace.name, digest: true };
  await options.submit({ kind: 'RequestBarrier', payload, principal: options.principal, id });
  const outcome = await view.outcome(id, leftMs());
  if (outcome.rejectionCode !== null) throw new Failure(outcome.rejectionCode, outcome.rejectionMessage ?? '');

  const missing = expected(namespace, [...view.state.chunksOf(namespace.name)]);
  const found = new Map<string, ReplicaDigest>();
  const done = new AbortController();
  try {
    const from = { nextOffset, leaderEpoch: -1 };
    for await (const batch of log.tail(topics.digests, asPartition(0), from, { signal: done.signal, idleMs: 100 })) {
      for (const record of batch.records) {
        if (record.value === null) continue;
        const digest = decodeAs('ReplicaDigest', record.value);
        const key = keyOf(digest.chunkId, digest.partition, digest.nodeId);
        if (digest.namespace !== namespace.name) continue;
        found.set(key, digest);
        missing.delete(key);
      }
      if (missing.size === 0) return report(namespace.name, [...found.values()]);
      if (leftMs() <= 1) break;
    }
  } finally {
    done.abort();
  }
  const examples = [...missing].slice(0, 3).join(', ');
  throw new Failure(
    'DEADLINE',
    `${missing.size} replica digests did not come within ${options.deadlineMs} ms, among them ${examples}; see whether those nodes are ready`,
  );
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
