import { chunkFullShare, forkBegun, isAsideOf, isSourceLost, thawCommand } from '@levee/cluster';
import type { ChunkReplica } from '@levee/events';
import { logNote, logOption } from '@levee/journal';
import { isoTime } from '@levee/kernel';
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

  'source-topic': ({ namespaces }: DoctorFacts): Found[] =>
    namespaces.flatMap(({ state: namespace }) => {
      const { name, state, binlog, sourceProblem } = namespace;
      if (state !== 'active' || sourceProblem === null) return [];
      const isServed = !isSourceLost(namespace);
      return [
        {
          subject: binlog,
          finding: sourceProblem,
          impact: isServed
            ? `reads of ${name} go on; what its replicas hold may not be what a new one could build from the topic`
            : `reads of ${name} are refused as LVSOURCE; replicas keep what they have`,
          command: isServed
            ? `kafka-configs.sh --describe --entity-type topics --entity-name ${binlog}   # its owner mends it as said above`
            : `levee namespace describe ${name}   # the topic's owner decides what it shall be; then ${name} is deleted, which leaves the topic, and bound anew`,
        },
      ];
    }),

  'acknowledged-ahead': ({ namespaces, log }: DoctorFacts): Found[] =>
    namespaces.flatMap(({ state: { name, state, binlog, acknowledgements }, ends }) =>
      state !== 'active'
        ? []
        : acknowledgements.flatMap(({ positions, by, principal, acknowledgedAtMs }) => {
            const partition = positions.findIndex((offset, at) => offset > (ends?.get(at) ?? Infinity));
            if (partition < 0) return [];
            const [to, end] = [positions[partition], ends?.get(partition)];
            return [
              {
                subject: binlog,
                finding:
                  `bad records of ${name} were acknowledged up to ${partition}:${to}, and the log ends at ${end}: by ` +
                  `${by ?? principal} at ${isoTime(acknowledgedAtMs)}; the log lost its end, or the command named a place to come`,
                impact: 'bad records that come up to there are no finding of the doctor',
                command: `levee lint ${name} ${logOption(log)}   # ${logNote(log)}reads them all, and tells these apart as acknowledged`,
              },
            ];
          }),
    ),

  'namespace-frozen': ({ namespaces, nowMs }: DoctorFacts): Found[] =>
    namespaces.flatMap(({ state: of }) => {
      const { name, state, frozenBy, frozenReason, frozenAtMs, freezeConfirmedSeq, leftPositions } = of;
      if (state !== 'active' || frozenBy === null || frozenAtMs === null) return [];
      // What was rewound is kept so, for as long as people want to be able to go back to it.
      if (leftPositions.length > 0 && frozenBy === 'operator') return [];
      const forMs = nowMs - frozenAtMs;
      const isConfirmed = freezeConfirmedSeq !== null;
      if (forMs < (isConfirmed ? doctorLimits.frozenMs : doctorLimits.unconfirmedMs)) return [];
      const since = `writes to ${name} are frozen by ${frozenBy} since ${isoTime(frozenAtMs)} (${frozenReason})`;
      return [
        {
          subject: name,
          finding: isConfirmed ? since : `${since}, and not every portal has confirmed it`,
          impact: 'every write to it is refused as LVFROZEN; reads go on',
          command: isConfirmed
            ? `${thawCommand(name, frozenBy)}   # once whoever froze it is done`
            : `levee namespace freeze ${name} --reason '${frozenReason}' --wait   # says who is waited for; take it back: ${thawCommand(name, frozenBy)}`,
        },
      ];
    }),

  'written-after-rewind': ({ namespaces }: DoctorFacts): Found[] =>
    namespaces.flatMap(({ state: { name, binlog, swappedWith }, writtenLater }) => {
      if (writtenLater === undefined || writtenLater.records === 0) return [];
      const { records, isAtLeast, examples, newestAtMs } = writtenLater;
      const [first = '0:0'] = examples;
      const [partition, offset] = (first.split(' ')[0] as string).split(':');
      return [
        {
          subject: binlog,
          finding:
            `${isAtLeast ? 'at least ' : ''}${records} records came to ${binlog}, the log of ${name}, after ${swappedWith} had ` +
            `taken its place: ${examples.join(', ')}${records > examples.length ? ', …' : ''}; the newest at ${isoTime(newestAtMs)}`,
          impact: `somebody who is no portal writes there and has not heard of the rewind; ${swappedWith} does not hold these records`,
          command: `levee log dump ${binlog} --partition ${partition} --from ${offset}   # find who it is, and let it write to the log of ${swappedWith}: levee namespace describe ${swappedWith}`,
        },
      ];
    }),

  'namespace-unfinished': ({ namespaces, nowMs }: DoctorFacts): Found[] =>
    namespaces
      .filter(({ state }) => state.state === 'creating' && nowMs - state.createdAtMs > doctorLimits.behindAgeMs)
      .map(({ state: { name, binlog, change, forkedFrom, forkedAtMs } }) =>
        change === forkBegun
          ? {
              subject: name,
              finding: `namespace ${name} is a fork of ${forkedFrom} that is not complete: somebody is filling it, or it was left`,
              impact: 'it cannot be used, and nobody sees what it holds so far',
              command: isAsideOf(name, forkedFrom ?? '')
                ? `levee namespace rewind ${forkedFrom} --at ${isoTime(forkedAtMs ?? 0)}   # goes on; give it up: levee namespace rewind ${forkedFrom} --cancel`
                : `levee namespace fork ${forkedFrom} ${name} --at ${isoTime(forkedAtMs ?? 0)}   # goes on; give it up: levee namespace delete ${name}`,
            }
          : {
              subject: name,
              finding: `namespace ${name} is still being created: its binlog ${binlog} is not made`,
              impact: 'it cannot be used',
              command: `levee status   # what the master waits for; give it up: levee namespace delete ${name}`,
            },
      ),

  // While the log does not answer nothing is deleted, which that finding says.
  'namespace-undeleted': ({ namespaces, logProblem }: DoctorFacts): Found[] =>
    logProblem !== undefined
      ? []
      : namespaces
          .filter(({ deletingForMs = 0 }) => deletingForMs >= doctorLimits.deletingMs)
          .map(({ state: { name, binlog, sourceTopic } }) => ({
            subject: name,
            finding:
              sourceTopic === null
                ? `namespace ${name} is still being deleted: its binlog ${binlog} is not gone`
                : `namespace ${name} is still being deleted: no master has ended it`,
            impact: `nothing of it is served, and no other namespace can have its name; ${
              sourceTopic === null ? 'its records take up room in the log' : `the topic ${binlog} stays as it is`
            }`,
            command:
              'levee status   # what the master waits for: may it delete topics? It tries again by itself, nothing else needs to be done',
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
