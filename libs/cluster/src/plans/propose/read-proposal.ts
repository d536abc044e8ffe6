import { unknownNode } from '../../commands/nodes/unknown-node';
import type { ChunkState, NamespaceState, PlanRetiring, PlanState, PlanTarget } from '@levee/events';
import { evenSplit, type SlotRange } from '@levee/keyspace';
import { bornOf } from '../../commands/namespaces/born';
import { chunkIdOf } from '../../commands/namespaces/create-namespace';
import type { PayloadFields } from '../../payload';
import { reject, type Rejection } from '../../rejection';
import type { ClusterState } from '../../state/state';
import { planLimits } from '../plan-limits';
import { isReadable, livingReplicas } from '../plan-shape';
import { parseUnitSpecs, unitSpecLimits } from './unit-specs';

/** What a proposal of each kind leads to; the rest of a plan is the same for all kinds. */
export type PlanOutline = Pick<PlanState, 'namespace' | 'sources' | 'targets' | 'retiring'> &
  Partial<Pick<PlanState, 'nodeId' | 'chunksWanted' | 'unitsWanted' | 'toNodeId' | 'toUnitId' | 'toEngine'>> & {
    /** Chunks that it gives a number. */
    readonly chunksNumbered: number;
  };

const nothing = { namespace: null, sources: [], targets: [], retiring: [], chunksNumbered: 0 } as const;

/** Reads the fields of one kind. Check `fields.problem` too. */
export function readProposal(
  kind: PlanState['kind'],
  state: ClusterState,
  fields: PayloadFields,
): PlanOutline | Rejection {
  switch (kind) {
    case 'move':
      return readMove(state, fields);
    case 'reReplicate':
      return readReReplicate(state, fields);
    case 'promote':
      return readPromote(state, fields);
    case 'split':
      return readSplit(state, fields);
    case 'merge':
      return readMerge(state, fields);
    case 'shift':
      return readShift(state, fields);
    case 'resize':
      return readResize(state, fields);
    case 'drain':
    case 'format':
      return readEmptying(kind, state, fields);
    case 'rebalance':
      return readRebalance(state, fields);
  }
}

function readMove(state: ClusterState, fields: PayloadFields): PlanOutline | Rejection {
  const chunk = namedChunk(state, fields.text('chunkId', 512));
  const from = fields.text('from', 63);
  const to = fields.optional('to', (name) => fields.text(name, 63), null);
  const unitId = fields.optional('unitId', (name) => fields.text(name, 128), null);
  const engine = fields.optional('engine', (name) => fields.choice(name, ['leveldb', 'memory']), null);
  if (fields.problem !== undefined) return fields.problem;
  if ('code' in chunk) return chunk;
  const leaves = chunk.replicas.find((of) => of.nodeId === from && (isReadable(of) || of.role === 'dead'));
  if (leaves === undefined)
    return reject(
      'NODE_UNKNOWN',
      `${chunk.chunkId} has no replica to move from node '${from}': it has ${placesOf(chunk)}`,
    );
  const wishes = { toNodeId: to, toUnitId: unitId, toEngine: engine };
  return { ...nothing, ...aboutChunk(chunk), retiring: [retiringOf(chunk, leaves)], ...wishes };
}

function readReReplicate(state: ClusterState, fields: PayloadFields): PlanOutline | Rejection {
  const chunk = namedChunk(state, fields.text('chunkId', 512));
  const to = fields.optional('to', (name) => fields.text(name, 63), null);
  if (fields.problem !== undefined) return fields.problem;
  if ('code' in chunk) return chunk;
  const problem = replicaNotNeeded(state, chunk);
  if (problem !== undefined) return problem;
  return { ...nothing, ...aboutChunk(chunk), retiring: replicasToReplace(state, chunk), toNodeId: to };
}

/** Why `chunk` needs no further replica; `undefined` = it does. */
export function replicaNotNeeded(state: ClusterState, chunk: ChunkState): Rejection | undefined {
  const wanted = state.namespace(chunk.namespace)?.replicas ?? 0;
  const living = livingReplicas(state, chunk).length;
  if (living < wanted) return undefined;
  return reject('PLAN_NOT_NEEDED', `${chunk.chunkId} has ${living} of ${wanted} replicas on nodes that are not lost`);
}

/** The replicas that one more takes the place of: given up, and beyond what the namespace wants. */
export function replicasToReplace(state: ClusterState, chunk: ChunkState): PlanRetiring[] {
  const living = livingReplicas(state, chunk);
  const gone = chunk.replicas.filter((of) => (isReadable(of) || of.role === 'dead') && !living.includes(of));
  const wanted = state.namespace(chunk.namespace)?.replicas ?? 0;
  const excess = Math.max(0, living.length + 1 + gone.length - wanted);
  gone.sort((a, b) => Number(b.role === 'dead') - Number(a.role === 'dead'));
  return gone.slice(0, excess).map((of) => retiringOf(chunk, of));
}

function readPromote(state: ClusterState, fields: PayloadFields): PlanOutline | Rejection {
  const chunk = namedChunk(state, fields.text('chunkId', 512));
  const to = fields.text('to', 63);
  if (fields.problem !== undefined) return fields.problem;
  if ('code' in chunk) return chunk;
  const problem = promotionProblem(state, chunk, to);
  return problem ?? { ...nothing, ...aboutChunk(chunk), toNodeId: to };
}

export function promotionProblem(state: ClusterState, chunk: ChunkState, nodeId: string): Rejection | undefined {
  const replica = chunk.replicas.find((of) => of.nodeId === nodeId && isReadable(of));
  if (replica === undefined)
    return reject('NODE_UNKNOWN', `${chunk.chunkId} has no follower on node '${nodeId}': it has ${placesOf(chunk)}`);
  if (replica.role === 'primary')
    return reject('PLAN_NOT_NEEDED', `the primary of ${chunk.chunkId} is on node ${nodeId} already`);
  const node = state.node(nodeId);
  if (node?.state === 'up') return undefined;
  return reject('NODE_UNKNOWN', `node ${nodeId} is ${node?.state ?? 'unknown'}, not up: wait, or name another node`);
}

function readSplit(state: ClusterState, fields: PayloadFields): PlanOutline | Rejection {
  const chunk = namedChunk(state, fields.text('chunkId', 512));
  const parts = fields.optional('parts', (name) => fields.integer(name, { min: 2, max: planLimits.piecesMax }), 2);
  const at = fields.optional('at', (name) => slotsIn(fields, name, planLimits.piecesMax - 1), undefined);
  if (fields.problem !== undefined) return fields.problem;
  if ('code' in chunk) return chunk;
  return reshaped(state, [chunk], at ?? evenCuts(chunk, parts));
}

function readMerge(state: ClusterState, fields: PayloadFields): PlanOutline | Rejection {
  const chunks = adjacentChunks(state, fields, planLimits.piecesMax);
  return 'code' in chunks ? chunks : reshaped(state, chunks, []);
}

function readShift(state: ClusterState, fields: PayloadFields): PlanOutline | Rejection {
  const at = fields.integer('at', { min: 1, max: 999_999 });
  const chunks = adjacentChunks(state, fields, 2);
  if ('code' in chunks) return chunks;
  if (chunks[0]?.slotEnd === at)
    return reject('PLAN_NOT_NEEDED', `the boundary between ${namesOf(chunks)} is at slot ${at} already`);
  return reshaped(state, chunks, [at]);
}

/** `{namespace, chunks}`: the whole; `{chunkIds, at}`: one part of it, the chunks named cut anew at these slots. */
function readResize(state: ClusterState, fields: PayloadFields): PlanOutline | Rejection {
  if (fields.has('chunkIds')) {
    const at = slotsIn(fields, 'at', planLimits.partPiecesMax - 1);
    const chunks = adjacentChunks(state, fields, planLimits.partPiecesMax);
    return 'code' in chunks ? chunks : reshaped(state, chunks, at);
  }
  const name = fields.text('namespace');
  const chunksWanted = fields.integer('chunks', { min: 1, max: planLimits.chunksMax });
  if (fields.problem !== undefined) return fields.problem;
  const problem = notActive(state.namespace(name), name);
  if (problem !== undefined) return problem;
  const wanted = evenSplit(chunksWanted);
  const now = state.chunksOf(name);
  if (now.length === chunksWanted && now.every((chunk, i) => chunk.slotEnd === wanted[i]?.slotEnd))
    return reject('PLAN_NOT_NEEDED', `namespace ${name} has ${chunksWanted} chunks of equal size already`);
  return { ...nothing, namespace: name, chunksWanted };
}

function readEmptying(kind: 'drain' | 'format', state: ClusterState, fields: PayloadFields): PlanOutline | Rejection {
  const nodeId = fields.text('nodeId', 63);
  const unitsWanted = kind === 'format' ? fields.text('units', 1_000) : null;
  if (fields.problem !== undefined) return fields.problem;
  if (state.node(nodeId) === undefined) return unknownNode(state, nodeId);
  if (unitsWanted !== null && parseUnitSpecs(unitsWanted) === undefined)
    return reject(
      'BAD_COMMAND',
      `units is '${unitsWanted}', it must be a list such as 8x1GiB:leveldb,4x256MiB:memory, at most ${unitSpecLimits.unitsMax} units of 1MiB to 4TiB`,
    );
  return { ...nothing, nodeId, unitsWanted };
}

function readRebalance(state: ClusterState, fields: PayloadFields): PlanOutline | Rejection {
  const namespace = fields.optional('namespace', (name) => fields.text(name), null);
  if (fields.problem !== undefined) return fields.problem;
  const problem = namespace === null ? undefined : notActive(state.namespace(namespace), namespace);
  return problem ?? { ...nothing, namespace };
}

function namedChunk(state: ClusterState, chunkId: string): ChunkState | Rejection {
  const chunk = state.chunk(chunkId);
  if (chunk === undefined) return reject('CHUNK_UNKNOWN', `there is no chunk '${chunkId.slice(0, 200)}'`);
  if (chunk.state !== 'serving')
    return reject('CHUNK_UNKNOWN', `chunk ${chunkId} is ${chunk.state}: plans are for chunks that serve`);
  return notActive(state.namespace(chunk.namespace), chunk.namespace) ?? chunk;
}

function adjacentChunks(state: ClusterState, fields: PayloadFields, countMax: number): ChunkState[] | Rejection {
  const chunkIds = fields.texts('chunkIds', countMax);
  if (fields.problem !== undefined) return fields.problem;
  if (chunkIds.length === 0 || new Set(chunkIds).size !== chunkIds.length)
    return reject('BAD_COMMAND', `chunkIds must name 1 to ${countMax} chunks, each once`);
  const chunks: ChunkState[] = [];
  for (const chunkId of chunkIds) {
    const chunk = namedChunk(state, chunkId);
    if ('code' in chunk) return chunk;
    chunks.push(chunk);
  }
  chunks.sort((a, b) => a.slotStart - b.slotStart);
  const gap = chunks.findIndex((chunk, i) => i > 0 && !follows(chunk, chunks[i - 1]));
  if (gap === -1) return chunks;
  return reject(
    'BAD_COMMAND',
    `${chunks[gap - 1]?.chunkId} and ${chunks[gap]?.chunkId} are not neighbours: name chunks whose slots follow each other`,
  );
}

function follows(chunk: ChunkState, before: ChunkState | undefined): boolean {
  return before?.namespace === chunk.namespace && before.slotEnd === chunk.slotStart;
}

/** New chunks over the slots of `chunks` (adjacent, ascending), cut at these slots. */
function reshaped(
  state: ClusterState,
  chunks: readonly ChunkState[],
  cuts: readonly number[],
): PlanOutline | Rejection {
  const first = chunks[0] as ChunkState;
  const slotEnd = chunks.at(-1)?.slotEnd ?? first.slotEnd;
  const edges = [first.slotStart, ...cuts, slotEnd];
  const wrong = edges.findIndex((slot, i) => i > 0 && slot <= (edges[i - 1] as number));
  if (wrong !== -1)
    return reject(
      'BAD_COMMAND',
      `a cut at slot ${edges[wrong === edges.length - 1 ? wrong - 1 : wrong]} is not between slots ${first.slotStart} and ` +
        `${slotEnd} in ascending order: choose others`,
    );
  if (chunks.length === edges.length - 1 && chunks.every((chunk, i) => chunk.slotEnd === edges[i + 1]))
    return reject('PLAN_NOT_NEEDED', `${namesOf(chunks)} have these boundaries already`);
  const namespace = state.namespace(first.namespace) as NamespaceState;
  const born = bornOf(namespace);
  const targets = edges.slice(1).map((end, i): PlanTarget => {
    const number = { namespace: born.name, creation: born.number, chunk: namespace.nextChunk + i };
    return { chunkId: chunkIdOf(number), slotStart: edges[i] as number, slotEnd: end, replicas: [] };
  });
  return {
    ...nothing,
    namespace: namespace.name,
    sources: chunks.map(({ chunkId }) => chunkId),
    targets,
    retiring: chunks.flatMap(allRetiring),
    chunksNumbered: targets.length,
  };
}

/** Every replica of a chunk that others replace. */
export function allRetiring(chunk: ChunkState): PlanRetiring[] {
  return chunk.replicas.filter((of) => of.role !== 'retired').map((of) => retiringOf(chunk, of));
}

export function retiringOf({ chunkId }: ChunkState, of: ChunkState['replicas'][number]): PlanRetiring {
  const { nodeId, storeId, unitId, generation, role } = of;
  return { chunkId, nodeId, storeId, unitId, generation, role: role === 'retired' ? 'follower' : role };
}

function aboutChunk({
  namespace,
  chunkId,
  slotStart,
  slotEnd,
}: ChunkState): Pick<PlanOutline, 'namespace' | 'sources' | 'targets'> {
  return { namespace, sources: [chunkId], targets: [{ chunkId, slotStart, slotEnd, replicas: [] }] };
}

function evenCuts({ slotStart, slotEnd }: SlotRange, parts: number): number[] {
  const width = slotEnd - slotStart;
  return Array.from({ length: parts - 1 }, (_, i) => slotStart + Math.floor(((i + 1) * width) / parts));
}

function slotsIn(fields: PayloadFields, name: string, countMax: number): number[] {
  const value = fields.raw(name);
  const isSlot = (one: unknown): one is number =>
    typeof one === 'number' && Number.isInteger(one) && one >= 0 && one <= 1_000_000;
  if (Array.isArray(value) && value.length <= countMax && value.every(isSlot)) return value;
  fields.refuse(reject('BAD_COMMAND', `${name} must be a list of at most ${countMax} slots, each from 0 to 1000000`));
  return [];
}

function notActive(namespace: NamespaceState | undefined, name: string): Rejection | undefined {
  if (namespace === undefined || namespace.state === 'deleted')
    return reject('NAMESPACE_UNKNOWN', `there is no namespace '${name.slice(0, 200)}'`);
  if (namespace.state === 'active') return undefined;
  return reject('NAMESPACE_NOT_READY', `namespace ${name} is ${namespace.state}: plans need an active one`);
}

function placesOf({ replicas }: ChunkState): string {
  return replicas.map(({ nodeId, role }) => `${role} on ${nodeId}`).join(', ') || 'none';
}

function namesOf(chunks: readonly ChunkState[]): string {
  return chunks.map(({ chunkId }) => chunkId).join(', ');
}
