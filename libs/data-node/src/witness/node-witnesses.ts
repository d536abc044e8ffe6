import { lossWaysOut } from '@levee/cluster';
import type { LogCut } from '@levee/follow';
import type { Partition } from '@levee/kernel';
import { nodeProtocolLimits } from '@levee/wire';
import type { HostedReplica } from '../replica/hosted-replica';
import { lostText } from './lost-text';

/** Everything that logs lost and replicas of this node hold, in words; `undefined` while nothing is. */
export function witnessProblem(hosted: Iterable<HostedReplica>): string | undefined {
  const witnesses = [...hosted].filter(({ cuts }) => cuts.any);
  const [first] = witnesses;
  if (first === undefined) return undefined;
  if (witnesses.length === 1) return first.reason;
  const binlogs = new Map<string, LostBinlog>();
  for (const { cuts, identity } of witnesses) {
    const { binlog, namespace, sourceTopicId } = identity;
    const isOfOthers = sourceTopicId !== undefined;
    const of = binlogs.get(binlog) ?? { namespace, isOfOthers, cuts: new Map<Partition, LogCut>() };
    for (const cut of cuts.all) of.cuts.set(cut.partition, joined(of.cuts.get(cut.partition), cut));
    binlogs.set(binlog, of);
  }
  const lost = [...binlogs].map(([binlog, { namespace, isOfOthers, cuts }]) => {
    const all = [...cuts.values()].sort((a, b) => a.partition - b.partition);
    return `${binlog} lost ${lostText(all)}: ${lossWaysOut(namespace, { isOfOthers })}`;
  });
  return (
    `I14: ${witnesses.length} replicas of this node are witnesses, nothing is cleared, writes stand still: ` +
    lost.join('. ')
  );
}

interface LostBinlog {
  readonly namespace: string;
  readonly isOfOthers: boolean;
  readonly cuts: Map<Partition, LogCut>;
}

/** Of two chunks of one partition. */
function joined(a: LogCut | undefined, b: LogCut): LogCut {
  if (a === undefined) return b;
  const cutOffset = Math.min(a.cutOffset, b.cutOffset);
  const nextOffset = Math.max(a.nextOffset, b.nextOffset);
  const both = { ...b, cutOffset, nextOffset };
  if (a.keysAtStake === undefined || b.keysAtStake === undefined) {
    const { keysAtStake: _, keys: __, ...uncounted } = both;
    return uncounted;
  }
  const keys = [...(a.keys ?? []), ...(b.keys ?? [])].slice(0, nodeProtocolLimits.keysNamedMax);
  return { ...both, keysAtStake: a.keysAtStake + b.keysAtStake, keys };
}
