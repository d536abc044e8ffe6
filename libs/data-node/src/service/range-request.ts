import { scanReplica } from '@levee/chunk-store';
import { messageOf } from '@levee/kernel';
import {
  encodeRangeReply,
  entryErrorText,
  type RangeItem,
  type RangeRequest,
  type Received,
  type ReplySlot,
} from '@levee/wire';
import { nodeLimits } from '../node-limits';
import type { HostedReplica } from '../replica/hosted-replica';
import { readProblem, type NodeCaller } from './node-callers';
import { PendingPositions } from './pending-positions';
import { ageLimit } from './read-request';
import type { ServingContext } from './serving-context';

const empty = Buffer.alloc(0);

/** Answers LV.RANGE with one ordered page of a chunk, once the replica has applied the positions asked for. */
export function answerRange(
  context: ServingContext,
  request: Received<RangeRequest>,
  reply: ReplySlot,
  who: NodeCaller['who'],
): void {
  const { namespace, chunkId } = request;
  const found = context.host.chunk(chunkId);
  // Whoever asks may read the namespace that he names: a chunk of another one is not there for him.
  const hosted = found?.assignment.namespace.name === namespace ? found : undefined;
  if (hosted === undefined) {
    const route = context.state.chunk(chunkId)?.namespace === namespace ? context.state.route(chunkId) : undefined;
    return reply.error(
      entryErrorText('LVMOVED', `${route?.seq ?? context.state.seq} ${JSON.stringify(route ?? null)}`),
    );
  }
  const behind = request.positions.filter(
    ({ partition, nextOffset }) => hosted.holdsPartition(partition) && hosted.nextOffset(partition) < nextOffset,
  );
  const page = (): void => void answerPage(context, request, { hosted, reply, who });
  if (behind.length === 0 || !hosted.readable || request.deadlineMs === 0) return page();
  const waits = new PendingPositions(context.timers);
  for (const { partition, nextOffset } of behind) waits.add(hosted, partition, nextOffset);
  waits.whenOver(Math.min(request.deadlineMs, nodeLimits.waitMsMax), page);
}

async function answerPage(
  context: ServingContext,
  request: Received<RangeRequest>,
  { hosted, reply, who }: { hosted: HostedReplica; reply: ReplySlot; who: NodeCaller['who'] },
): Promise<void> {
  const refusal = readProblem(who, request.namespace) ?? refusalOf(context, request, hosted);
  if (refusal !== undefined) return reply.error(refusal);
  const nowMonotonicMs = context.clock.monotonicMs();
  const positions = hosted.partitions.map((partition) => ({ partition, nextOffset: hosted.nextOffset(partition) }));
  const ageMs = Math.max(...hosted.partitions.map((partition) => hosted.ageMs(partition, nowMonotonicMs)));
  try {
    const { from, to, limit, bytesMax, nowMs, keysOnly } = request;
    const range = { ...(from.length > 0 ? { from } : {}), ...(to.length > 0 ? { to } : {}) };
    const page = await scanReplica(hosted.replica, range, { limit, bytesMax }, nowMs, context.host.io.pace('scan'));
    const problem = readProblem(who, request.namespace);
    if (problem !== undefined) return reply.error(problem);
    const items = page.entries.map(({ key, state }): RangeItem => {
      if (state.readable) {
        const { offset, expiresAtMs, value } = state;
        return { key, offset, expiresAtMs: expiresAtMs === 0 ? null : expiresAtMs, value: keysOnly ? empty : value };
      }
      const error = entryErrorText('LVUNREADABLE', `${state.partition}:${state.offset} ${state.reason}`);
      return { key, offset: state.offset, expiresAtMs: null, value: empty, error };
    });
    // The first key not looked at: nothing sorts between a key and that key followed by a zero byte.
    const nextKey = page.resumeAt === undefined ? undefined : Buffer.concat([page.resumeAt, Buffer.alloc(1)]);
    const tableVersion = context.routeVersion(request.namespace);
    reply.bulk(encodeRangeReply({ ageMs, tableVersion, items, positions, nextKey }, request.seal));
  } catch (error) {
    reply.error(entryErrorText(hosted.damagedBy(error) ? 'LVDAMAGED' : 'LVNOTREADY', messageOf(error)));
  }
}

function refusalOf(context: ServingContext, request: RangeRequest, hosted: HostedReplica): string | undefined {
  if (!hosted.readable) return entryErrorText('LVNOTREADY', hosted.reason);
  const nowMonotonicMs = context.clock.monotonicMs();
  const ageMsMax = ageLimit(request.maxAgeMs, context.state.namespace(request.namespace));
  for (const partition of hosted.partitions) {
    const ageMs = hosted.ageMs(partition, nowMonotonicMs);
    if (ageMs > ageMsMax) return entryErrorText('LVSTALE', String(Math.ceil(ageMs)));
  }
  for (const { partition, nextOffset } of request.positions) {
    const cut = hosted.cuts.refusal(partition, nextOffset);
    if (cut !== undefined) return entryErrorText('LVSTOPPED', cut);
  }
  for (const { partition, nextOffset } of request.positions)
    if (hosted.holdsPartition(partition) && hosted.nextOffset(partition) < nextOffset)
      return entryErrorText('LVBEHIND', `${partition}:${hosted.nextOffset(partition)}`);
  const limited = hosted.quota.refusal(hosted.assignment.namespace.chunkRequestsPerSecond);
  return limited === undefined ? undefined : entryErrorText('LVLIMIT', limited);
}
