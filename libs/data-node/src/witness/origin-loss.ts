import type { ReplicaIdentity } from '@levee/chunk-store';
import { binlogLossOf } from '@levee/follow';
import type { Partition } from '@levee/kernel';
import type { HostedWorld } from '../replica/hosted-world';

/** Why the log cannot be followed from its start, in words. */
export function originLoss(
  { log, feedOf }: Pick<HostedWorld, 'log' | 'feedOf'>,
  identity: ReplicaIdentity,
  partitions: readonly Partition[],
): Promise<string | undefined> {
  const feeds = new Map(partitions.map((partition) => [partition, feedOf(identity, partition)]));
  return binlogLossOf(log, identity, feeds);
}
