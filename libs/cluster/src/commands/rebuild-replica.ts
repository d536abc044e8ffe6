import type { ChunkReplica } from '@levee/events';
import type { PayloadFields } from '../payload';
import { reject } from '../rejection';
import type { ClusterState } from '../state/state';
import type { Decider } from './decider';

/**
 * `{namespace, chunkId, replica: {nodeId, storeId, unitId, generation}, incarnation, proofId, partition, barrierOffset,
 * digest, logDigest, agrees: {nodeId, storeId, unitId, generation}}`: the node takes that replica out of service, keeps
 * its files aside and builds it anew, if it gave that digest at that barrier. [safety] Only while another readable
 * replica, which agreed with the log there, is in force on a node that is up.
 */
export const rebuildReplica: Decider = (state, fields) => {
  const name = fields.text('namespace');
  const chunkId = fields.text('chunkId');
  const [blamed, agrees] = [replicaIn(fields, 'replica'), replicaIn(fields, 'agrees')];
  const incarnation = fields.text('incarnation');
  fields.text('proofId', 128);
  fields.integer('partition', { min: 0, max: 999_999 });
  fields.integer('barrierOffset', { min: 0, max: Number.MAX_SAFE_INTEGER });
  const digest = fields.text('digest', 32);
  const logDigest = fields.text('logDigest', 32);
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  if (digest === logDigest) return reject('BAD_COMMAND', 'digest and logDigest are the same: nothing is wrong there');
  const chunk = state.chunk(chunkId);
  if (chunk?.namespace !== name) return reject('CHUNK_UNKNOWN', `namespace ${name} has no chunk ${chunkId}`);
  if (!isReadable(chunk.replicas, blamed))
    return reject('STALE_EVIDENCE', `${textOf(blamed)} is no readable replica of ${chunkId} any more: compare again`);
  const running = state.node(blamed.nodeId)?.incarnation;
  if (running !== incarnation)
    return reject('STALE_INCARNATION', `node ${blamed.nodeId} runs as ${running ?? 'nothing'}, not as ${incarnation}`);
  if (blamed.unitId === agrees.unitId || !isReadable(chunk.replicas, agrees) || !isUp(state, agrees.nodeId))
    return reject('STALE_EVIDENCE', `${textOf(agrees)} does not serve ${chunkId} in its place: compare again`);
  return [];
};

type Named = Omit<ChunkReplica, 'role'>;

function replicaIn(fields: PayloadFields, name: string): Named {
  const none = { nodeId: '', storeId: '', unitId: '', generation: 0 };
  return fields.object(name, none, (of) => ({
    nodeId: of.text('nodeId'),
    storeId: of.text('storeId'),
    unitId: of.text('unitId'),
    generation: of.integer('generation', { min: 1, max: 2 ** 31 - 1 }),
  }));
}

function isReadable(replicas: readonly ChunkReplica[], { nodeId, storeId, unitId, generation }: Named): boolean {
  const found = replicas.find((each) => each.unitId === unitId && each.generation === generation);
  const isSame = found?.nodeId === nodeId && found.storeId === storeId;
  return isSame && (found.role === 'primary' || found.role === 'follower');
}

const isUp = (state: ClusterState, nodeId: string): boolean => state.node(nodeId)?.state === 'up';

const textOf = ({ nodeId, unitId, generation }: Named): string => `${unitId} in generation ${generation} on ${nodeId}`;
