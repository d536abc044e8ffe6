import { type Failure, failureCode, messageOf } from '@levee/kernel';
import {
  type CopyRequest,
  encodeCopyFrame,
  encodeCopyOpened,
  entryErrorText,
  type Received,
  type ReplySlot,
} from '@levee/wire';
import type { ServingContext } from '../service/serving-context';

/** Answers LV.COPY: a snapshot of a readable replica in blocks, as fast as they are asked for. */
export function answerCopy(context: ServingContext, request: Received<CopyRequest>, reply: ReplySlot): void {
  answer(context, request, reply).catch((error: unknown) => {
    const code = failureCode(error);
    if (code === 'REPLICA_DAMAGED') reply.error(entryErrorText('LVDAMAGED', messageOf(error)));
    else if (code?.startsWith('LV') === true) reply.error(`${(error as Failure).code} ${messageOf(error)}`);
    else {
      context.logger.warn({ error }, 'a copy could not be answered');
      reply.error(`LVCOPYGONE ${messageOf(error)}`);
    }
  });
}

async function answer(
  { host, state }: ServingContext,
  request: Received<CopyRequest>,
  reply: ReplySlot,
): Promise<void> {
  switch (request.what) {
    case 'open': {
      const hosted = request.unit === undefined ? host.chunk(request.chunkId) : host.left.in(request.unit);
      if (hosted === undefined)
        return reply.error(entryErrorText('LVMOVED', `${state.seq} this node has no replica of ${request.chunkId}`));
      const { slotStart, slotEnd, after } = request;
      const range = { slotStart, slotEnd, after: after.length === 0 ? undefined : Buffer.from(after) };
      return reply.bulk(encodeCopyOpened(await host.copies.begin(hosted, range), request.seal));
    }
    case 'next': {
      const { copyId, sequence, bytesMax } = request;
      const { bytes, last } = await host.copies.next(copyId, sequence, bytesMax);
      return reply.bulk(encodeCopyFrame({ sequence, last, block: bytes }, request.seal));
    }
    case 'close':
      host.copies.end(request.copyId);
      return reply.ok();
  }
}
