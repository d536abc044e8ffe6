import { chunkFullShare } from '@levee/cluster';
import type { ChunkReplica } from '@levee/events';
import type { DoctorFacts } from './facts';
import type { Finding } from './finding';
import { doctorLimits } from './limits';

type Found = Omit<Finding, 'rule'>;

/** Namespaces, and the plans that change them. */
export const namespaceRules = {
  'chunk-full': ({ nodes, namespaces }: DoctorFacts): Found[] => {
    const capacityOf = new Map(namespaces.map(({ state }) => [state.name, state.chunkCapacityBytes]));
    const primaries = nodes.flatMap(({ says }) => (says?.replicas ?? []).filter(({ role }) => role === 'primary'));
    return primaries.flatMap(({ chunkId, namespace, storedBytes = 0 }) => {
      const capacityBytes = capacityOf.get(namespace);
      if (capacityBytes === undefined || storedBytes <= capacityBytes * chunkFullShare) return [];
      return [
        {
          subject: chunkId,
          finding: `${chunkId} holds ${storedBytes} bytes, more than ${chunkFullShare * 100} % of the ${capacityBytes} of chunkCapacityBytes`,
          impact: 'writes to it are refused as LVFULL; reads and deletions go on',
          command: `levee plan propose split --chunk ${chunkId}   # or: levee namespace alter ${namespace} --chunk-capacity <size>`,
        },
      ];
    });
  },

  'namespace-unfinished': ({ namespaces, nowMs }: DoctorFacts): Found[] =>
    namespaces
      .filter(({ state }) => state.state === 'creating' && nowMs - state.createdAtMs > doctorLimits.behindAgeMs)
      .map(({ state: { name, binlog } }) => ({
        subject: name,
        finding: `namespace ${name} is still being created: its binlog ${binlog} is not made`,
        impact: 'it cannot be used',
        command: `levee status   # what the master waits for; give it up: levee namespace delete ${name}`,
      })),

  'plan-without-room': ({ plansWithoutRoom }: DoctorFacts): Found[] =>
    (plansWithoutRoom ?? []).map(({ planId, kind, subject, refusal }) => ({
      subject: planId,
      finding: `plan ${planId} (${kind} of ${subject}) cannot end: ${refusal.message}`,
      impact: 'it waits; what was moved stays moved, and what was not stays where it is and serves',
      command: `add a node in another failure domain, or units, then it goes on by itself; or give it up: levee plan cancel ${planId}`,
    })),

  'namespace-short-of-replicas': ({ namespaces, nodes, nowMs }: DoctorFacts): Found[] => {
    const up = new Set(nodes.filter(({ state }) => state.state === 'up').map(({ state }) => state.nodeId));
    // A silence that was announced is no loss, as long as somebody else serves.
    const away = new Set(
      nodes
        .filter(({ state, maintenanceUntilMs }) => state.state === 'maintenance' && (maintenanceUntilMs ?? 0) > nowMs)
        .map(({ state }) => state.nodeId),
    );
    return namespaces.flatMap(({ state: { name, state, replicas: wanted }, chunks }) => {
      if (state !== 'active') return [];
      const living = chunks.map(({ chunkId, replicas }) => ({
        chunkId,
        ...livingOf(replicas, { up, away }),
      }));
      const short = living.filter(({ count, soon }) => count === 0 || count + soon < wanted);
      const worst = short.sort((a, b) => a.count - b.count)[0];
      if (worst === undefined) return [];
      return [
        {
          subject: name,
          finding: `${short.length} of ${chunks.length} chunks of ${name} have fewer than ${wanted} replicas on nodes that are up; ${worst.chunkId} has ${worst.count}`,
          impact:
            worst.count === 0
              ? 'keys of such a chunk cannot be read; writes are kept in the log'
              : 'one more node lost may leave keys without a replica',
          command: `bring the nodes back: levee node list; levee routes -n ${name}`,
        },
      ];
    });
  },
};

/** How many of the replicas that were not superseded are on nodes that are up, and on those that are away for maintenance. */
function livingOf(
  replicas: readonly ChunkReplica[],
  { up, away }: { readonly up: ReadonlySet<string>; readonly away: ReadonlySet<string> },
): { count: number; soon: number } {
  const inForce = replicas.filter(({ role }) => role === 'primary' || role === 'follower');
  const on = (nodes: ReadonlySet<string>): number => inForce.filter(({ nodeId }) => nodes.has(nodeId)).length;
  return { count: on(up), soon: on(away) };
}
