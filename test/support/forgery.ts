import { randomUUID } from 'node:crypto';
import { decodeAs, encode } from '@levee/codec';
import type { ChunkRoute } from '@levee/events';
import type { ClusterView } from '@levee/journal';
import { asPartition, defined } from '@levee/kernel';
import type { Log, StoredRecord } from '@levee/log';

/** A decision of a term that another one has followed: the node is lost. */
export function decisionOfDeposed(view: ClusterView, nodeId: string): Buffer {
  const node = defined(view.state.node(nodeId), nodeId);
  const { seq, term, previousSha256, commandsOffset } = view.journal.position;
  const about = { id: randomUUID(), kind: 'LoseNode', payload: '{}', principal: 'stranger' };
  return encode('Decision', {
    seq: seq + 1,
    term: term - 1,
    decidedAtMs: Date.now(),
    command: { ...about, submittedAtMs: Date.now() },
    commandOffset: commandsOffset + 1,
    rejectionCode: null,
    rejectionMessage: null,
    events: [encode('NodeState', { ...node, state: 'lost', seq: seq + 1 })],
    stateDigest: view.journal.digest,
    previousSha256,
  });
}

/** A route that names other nodes. */
export function damagedRoute(good: Buffer): Buffer {
  const route = decodeAs('ChunkRoute', good);
  const elsewhere = (of: ChunkRoute['replicas'][number]) => ({ ...of, nodeId: 'n9', storeId: 'elsewhere' });
  return encode('ChunkRoute', { ...route, replicas: route.replicas.map(elsewhere) });
}

/** Key and bytes of the last route in the topic. */
export async function lastRoute(log: Log, topic: string): Promise<[string, Buffer]> {
  let last: StoredRecord | undefined;
  const from = { nextOffset: (await log.offsets(topic))[0]?.startOffset ?? 0, leaderEpoch: -1 } as Parameters<
    Log['tail']
  >[2];
  for await (const { records, nextOffset, endOffset } of log.tail(topic, asPartition(0), from)) {
    last = records.filter(({ key, value }) => value !== null && /^route\//.test(`${key?.toString()}`)).at(-1) ?? last;
    if (nextOffset >= endOffset) break;
  }
  if (last === undefined || last.key === null || last.value === null) throw new Error(`${topic} has no route`);
  return [last.key.toString(), Buffer.from(last.value)];
}
