import type { ChunkRoute, ChunkState } from '@levee/events';
import type { DecideContext } from '../decide-context';

/** What portals need of `chunk`: its readable and retired replicas, the primary first. */
export function routeOf(chunk: ChunkState, context: DecideContext, change: string): ChunkRoute {
  const { chunkId, namespace, slotStart, slotEnd } = chunk;
  const replicas = chunk.replicas.flatMap(({ role, ...place }) =>
    role === 'primary' || role === 'follower' || role === 'retired' ? [{ ...place, role }] : [],
  );
  replicas.sort((a, b) => Number(b.role === 'primary') - Number(a.role === 'primary'));
  return { chunkId, namespace, slotStart, slotEnd, replicas, change, seq: context.seq, term: context.term };
}
