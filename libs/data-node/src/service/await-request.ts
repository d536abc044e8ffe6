import {
  applied,
  type AwaitOutcome,
  type AwaitRequest,
  encodeAwaitReply,
  type Received,
  type ReplySlot,
} from '@levee/wire';
import { nodeLimits } from '../node-limits';
import { PendingPositions } from './pending-positions';
import type { ServingContext } from './serving-context';

/** Answers LV.AWAIT when every position is applied, or at the deadline with how far each replica is. */
export function answerAwait(context: ServingContext, request: Received<AwaitRequest>, reply: ReplySlot): void {
  const { host } = context;
  let waits: PendingPositions | undefined;
  for (const { chunkId, partition, nextOffset } of request.entries) {
    const hosted = host.chunk(chunkId);
    if (hosted === undefined || !hosted.holdsPartition(partition) || hosted.nextOffset(partition) >= nextOffset)
      continue;
    waits ??= new PendingPositions(context.timers);
    waits.add(hosted, partition, nextOffset);
  }
  const finish = (): void => {
    const tableVersion = context.routeVersion(request.namespace);
    const outcomes = request.entries.map(({ chunkId, partition, nextOffset }): AwaitOutcome => {
      const hosted = host.chunk(chunkId);
      if (hosted === undefined || !hosted.holdsPartition(partition))
        return { kind: 'moved', seq: context.state.route(chunkId)?.seq ?? context.state.seq };
      // What was appended behind a cut has offsets that a witness counts as applied.
      const reached = Math.min(hosted.nextOffset(partition), hosted.cuts.at(partition)?.cutOffset ?? Infinity);
      return reached >= nextOffset ? applied : { kind: 'behind', nextOffset: reached };
    });
    reply.bulk(encodeAwaitReply({ tableVersion, outcomes }, request.seal));
  };
  if (waits === undefined) finish();
  else waits.whenOver(Math.min(request.deadlineMs, nodeLimits.waitMsMax), finish);
}
