import type { Adopted } from '@levee/journal';
import { asPartition, type Logger } from '@levee/kernel';
import type { DigestQueue } from '../digests/digest-work';
import type { NodeIdentity } from '../node-identity';
import type { HostedReplica } from './hosted-replica';

/** The payload of a `RebuildReplica` that the master accepted. */
interface RebuildOrder {
  readonly chunkId: string;
  readonly replica: {
    readonly nodeId: string;
    readonly storeId: string;
    readonly unitId: string;
    readonly generation: number;
  };
  readonly incarnation: string;
  readonly proofId: string;
  readonly partition: number;
  readonly barrierOffset: number;
  readonly digest: string;
  readonly logDigest: string;
}

export interface BlamedReplicasWorld {
  readonly identity: NodeIdentity;
  readonly digests: Pick<DigestQueue, 'lastOf'>;
  /** In `<unitId>@<generation>`. */
  readonly hostedIn: (key: string) => HostedReplica | undefined;
  readonly logger: Logger;
}

/**
 * [safety] Builds a replica anew that differs from the log and from another replica, by a decision in force, and only if
 * this process told the very digest it rests on, of this very replica, since that was opened (I11). Its files are damaged
 * in a way that no checksum shows: they are kept aside like other damaged ones.
 */
export function rebuildBlamed({ decision }: Adopted, world: BlamedReplicasWorld): void {
  const { kind, payload } = decision.command;
  if (kind !== 'RebuildReplica' || decision.rejectionCode !== null) return;
  const order = JSON.parse(payload) as RebuildOrder;
  const { identity, digests, hostedIn, logger } = world;
  const { chunkId, replica: of, partition, barrierOffset, digest, logDigest, proofId } = order;
  if (of.nodeId !== identity.nodeId || of.storeId !== identity.storeId) return;
  const hosted = hostedIn(`${of.unitId}@${of.generation}`);
  const replica = hosted?.current;
  const told = replica && digests.lastOf(replica, asPartition(partition));
  const isIt =
    order.incarnation === identity.incarnation &&
    hosted?.chunkId === chunkId &&
    told?.digestPlan === proofId &&
    told.offset === barrierOffset &&
    told.digest === digest;
  if (!isIt)
    return logger.info({ chunkId, proofId }, 'what was compared is not what is here any more: nothing is rebuilt');
  hosted?.mustRebuild(
    `its digest before offset ${barrierOffset} of partition ${partition} is ${digest}, the log and another replica say ${logDigest}`,
    true,
  );
}
