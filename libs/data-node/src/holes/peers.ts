import type { CopyPosition, ReplicaIdentity } from '@levee/chunk-store';
import { type LogOf, lossBehind } from '@levee/follow';
import { asOffset, asPartition, Failure } from '@levee/kernel';
import type { PieceOrder, SourceReplica } from '../copy/move-order';
import { openPiece } from '../copy/piece-stream';
import { overdueReason, overdueTimes } from '../replica/completeness';
import type { HostedWorld } from '../replica/hosted-world';
import { isPast, type LogHole } from './log-hole';

/**
 * [safety] Fails with NO_PEER when a replica that stands at `positions`, as its snapshot says, cannot stand for what the
 * log does not give any more. It must be past every hole; the log must hold all that it has seen, or it is a witness of
 * something that people have not decided (I2); and it must have been complete lately, or deletions that it never saw may
 * be gone (I5). What it holds below the holes is then what the log held there.
 */
export async function vetPeer(
  world: Pick<HostedWorld, 'log' | 'logClock' | 'retentions'>,
  of: LogOf,
  holes: readonly LogHole[],
  positions: readonly CopyPosition[],
): Promise<void> {
  const times = overdueTimes(world, of.binlog);
  for (const { partition, nextOffset, leaderEpoch, completeAtMs } of positions) {
    const before = holes.find((hole) => hole.partition === partition && !isPast(hole, nextOffset));
    if (before !== undefined)
      throw noPeer(`it stands at offset ${nextOffset} of partition ${partition}, not past ${before.fromOffset} either`);
    const overdue = overdueReason(partition, completeAtMs, times);
    if (overdue !== undefined) throw noPeer(overdue);
    const at = { nextOffset: asOffset(nextOffset), leaderEpoch };
    const loss = await lossBehind(world.log, of, asPartition(partition), at);
    if (loss !== undefined) throw noPeer(`it is a witness of partition ${partition}: ${loss.message}`);
  }
}

/** Asks a replica where it stands, and whether that helps; fails like the copy that it would be. */
export async function askPeer(
  world: HostedWorld,
  identity: ReplicaIdentity,
  source: SourceReplica,
  holes: readonly LogHole[],
): Promise<void> {
  const stream = await openPiece(world, { source, namespace: identity.namespace, piece: pieceOf(identity, []) });
  try {
    await vetPeer(world, identity, holes, stream.positions);
  } finally {
    stream.close();
  }
}

/** All that a replica holds, from its peers. */
export function pieceOf(
  { chunkId, slotStart, slotEnd }: ReplicaIdentity,
  sources: readonly SourceReplica[],
): PieceOrder {
  return { chunkId, slotStart, slotEnd, sources };
}

const noPeer = (why: string): Failure => new Failure('NO_PEER', why);
