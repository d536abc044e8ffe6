import type { CutStat, DoctorFacts, HoleStat, NodeFacts, ReplicaStat, SetAsideStat } from './facts';
import type { Finding } from './finding';
import { doctorLimits } from './limits';
import { cutsOf, replicaRule, waitsAtHole } from './replica-rule';

type Found = Omit<Finding, 'rule'>;

/** What logs and disks lost, and who still holds it. */
export const lossRules = {
  'files-damaged': ({ nodes }: DoctorFacts): Found[] =>
    nodes.flatMap(({ state: { nodeId }, says }) => {
      const kept = (says?.setAside ?? []).filter(({ keptFor }) => keptFor?.damaged !== false);
      const newest = kept.at(-1);
      if (newest === undefined) return [];
      const bytes = kept.reduce((sum, each) => sum + each.bytes, 0);
      return [
        {
          subject: nodeId,
          finding: `node ${nodeId} keeps the files of ${kept.length} units that were set aside (${bytes} bytes), the newest of ${newest.unitId}: ${newest.reason}`,
          impact: 'what they held was built anew, or is being; a disk that damages files does it again',
          command: `look at the disk of ${nodeId} (dmesg, smartctl), then remove ${newest.folder} and what is beside it`,
        },
      ];
    }),

  'files-kept': ({ nodes }: DoctorFacts): Found[] =>
    nodes.flatMap(({ state: { nodeId }, says }) => {
      const kept = (says?.setAside ?? []).filter(({ keptFor }) => keptFor?.damaged === false);
      const [first, ...more] = kept;
      if (first === undefined) return [];
      return [
        {
          subject: nodeId,
          finding: `node ${nodeId}: ${keptText(first)}${more.length === 0 ? '' : `; and ${more.length} more like it`}`,
          impact: 'it may be the last that holds a stretch which the log cannot give; nothing clears it meanwhile',
          command: 'wait: it goes by itself once that replica can be read; leave the folder alone until then',
        },
      ];
    }),

  'unit-left-behind': ({ nodes, namespaces }: DoctorFacts): Found[] =>
    nodes.flatMap(({ state: { nodeId }, says }) =>
      (says?.leftUnits ?? []).map(({ unitId, generation, folder, bytes, holds, witnessOf }) => ({
        subject: `${unitId}@${generation}`,
        finding:
          `node ${nodeId} keeps ${unitId} in generation ${generation} (${bytes} bytes), which a decision gave out that ` +
          `the journal lost${(holds ?? null) === null ? '' : `: ${holds}`}`,
        impact: 'it may hold the last copy of what a log lost: nothing clears it, and its disk cannot be formatted',
        command:
          (witnessOf ?? null) === null
            ? `when nothing is missing any more, stop node ${nodeId} and remove ${folder}`
            : decide(witnessOf ?? '', namespaces),
      })),
    ),

  'replica-witness': ({ nodes, namespaces }: DoctorFacts): Found[] =>
    nodes.flatMap((node) => {
      const of = new Map<string, Witness[]>();
      for (const replica of node.says?.replicas ?? [])
        for (const cut of cutsOf(replica))
          of.set(replica.namespace, [...(of.get(replica.namespace) ?? []), { cut, replica }]);
      return [...of].map(([namespace, witnesses]) => witnessFound(node, witnesses, decide(namespace, namespaces)));
    }),

  'replica-at-hole': replicaRule(
    (replica) => waitsAtHole(replica),
    ({ says }, { chunkId, unitId, namespace, hole }) => {
      const { binlog, partition, fromOffset, toOffset, why, peers } = hole as HoleStat;
      const asked = peers.map(({ nodeId, unitId: at, says }) => `${at} of ${nodeId}: ${says ?? 'it can be copied'}`);
      const others =
        asked.length === 0 ? 'the chunk has no other replica' : `no other can be copied (${asked.join('; ')})`;
      const kept = (says?.setAside ?? []).find((of) => of.unitId === unitId && of.keptFor !== undefined);
      return {
        finding:
          `${chunkId} on ${unitId} waits at a stretch of ${binlog} partition ${partition} that its log does not give ` +
          `any more, offsets ${fromOffset} ${toOffset === null ? 'on' : `to ${toOffset - 1}`} (${why}); ${others}; which ` +
          `keys were written there is not known${kept === undefined ? '' : `. ${keptText(kept)}`}`,
        impact: 'it is not readable; what it holds is kept, and it is copied as soon as another replica is past it',
        command:
          `start the nodes with replicas of ${chunkId} that are past it: levee routes -n ${namespace}; or put back a ` +
          'copy of the log that has the stretch; keep the folder of every node until then' +
          `. Where nobody is past it: levee log accept-loss ${namespace}`,
      };
    },
  ),
};

interface Witness {
  readonly cut: CutStat;
  readonly replica: ReplicaStat;
}

/** All that the log of a namespace lost and a node holds. */
function witnessFound({ state: { nodeId } }: NodeFacts, witnesses: readonly Witness[], command: string): Found {
  const namespace = witnesses[0]?.replica.namespace ?? '';
  const named = witnesses
    .slice(0, doctorLimits.lostPartitionsNamed)
    .map(
      ({ cut, replica: { chunkId, unitId } }) =>
        `partition ${cut.partition} from offset ${cut.cutOffset} to ${cut.nextOffset} (${stakeText(cut)}), which ` +
        `${chunkId} on ${unitId} holds`,
    );
  const more = witnesses.length - named.length;
  return {
    subject: `${namespace}@${nodeId}`,
    finding: `the log of ${namespace} lost ${named.join('; ')}${more > 0 ? `; and ${more} more like it on ${nodeId}` : ''}`,
    impact:
      'nothing is cleared; writes, strong reads and reads at positions that were lost stand still there, ' +
      'eventual reads go on from the witnesses',
    command,
  };
}

function stakeText({ keysAtStake, keys = [] }: CutStat): string {
  if (keysAtStake === undefined) return 'keys are being counted, deletions not counted';
  return `${keysAtStake} keys${keys.length === 0 ? ',' : ` such as ${keys.join(', ')};`} deletions not counted`;
}

function decide(namespace: string, namespaces: DoctorFacts['namespaces']): string {
  const isOfOthers = namespaces.some(({ state }) => state.name === namespace && state.sourceTopic !== null);
  // Nothing of ours is written into a topic of others (I23).
  if (isOfOthers)
    return (
      `levee log accept-loss ${namespace}   # says what it would let go, and does it with --yes; before that the topic's ` +
      'producers can write again what it lost'
    );
  return (
    `levee log repair ${namespace}   # says what it would do; with --yes it brings back what witnesses ` +
    `hold; or let it go: levee log accept-loss ${namespace}`
  );
}

function keptText({ unitId, folder, reason, keptFor }: SetAsideStat): string {
  const stood = keptFor?.positions?.map(({ partition, nextOffset }) => `${nextOffset} of partition ${partition}`) ?? [];
  const upTo =
    stood.length === 0 ? '' : `, up to offset ${stood.slice(0, doctorLimits.lostPartitionsNamed).join(', ')}`;
  return `what the replica in ${unitId} held before it was built anew is kept in ${folder}${upTo} (${reason})`;
}
