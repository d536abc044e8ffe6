import type { HostedReplica } from './hosted-replica';

export interface ChunkProblem {
  readonly reason: string;
  /** Waiting does not help: each of its replicas says that it needs people. */
  readonly lasting: boolean;
}

/** A chunk of which none of these replicas is readable; one that may heal first. `undefined` when each has one. */
export function chunkProblem(replicas: Iterable<HostedReplica>): ChunkProblem | undefined {
  const chunks = new Map<string, { readable: boolean; reason: string; lasting: boolean }>();
  for (const { chunkId, readable, state, reason, holes, assignment } of replicas) {
    if (assignment.role === 'learner') continue;
    const known = chunks.get(chunkId);
    chunks.set(chunkId, {
      readable: readable || known?.readable === true,
      reason: known?.reason ?? reason,
      lasting: (state === 'stuck' || holes.hopeless) && known?.lasting !== false,
    });
  }
  const unserved = [...chunks.values()].filter((each) => !each.readable);
  const found = unserved.find(({ lasting }) => !lasting) ?? unserved[0];
  return found && { reason: found.reason, lasting: found.lasting };
}
