import { featureLevel, type ChunkState, type Command } from '@levee/events';
import { RouteTable } from '@levee/keyspace';
import { decide, type Verdict } from '../src/decide';
import type { ClusterEvent } from '../src/state/event';
import { ClusterState } from '../src/state/state';

/** Drives decide and evolve as a master does, with a clock that stands unless moved. */
export class ClusterScript {
  readonly state = new ClusterState();
  readonly journal: ClusterEvent[][] = [];
  /** What was decided, for each entry of `journal`. */
  readonly decided: { readonly command: Command; readonly verdict: Verdict; readonly atMs: number }[] = [];
  nowMs = 1_000_000_000_000;
  private commands = 0;

  constructor(options: { founded?: boolean } = {}) {
    if (options.founded !== false) this.accept('InitCluster', { clusterId: 'c-1' });
  }

  submit(
    kind: string,
    payload: unknown,
    options: { id?: string; submittedAtMs?: number; principal?: string } = {},
  ): Verdict {
    const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
    const command = {
      id: options.id ?? `cmd-${++this.commands}`,
      kind,
      payload: text,
      principal: options.principal ?? speakerOf(kind, text),
      submittedAtMs: options.submittedAtMs ?? this.nowMs,
    };
    const verdict = decide(this.state, command, { nowMs: this.nowMs, seq: this.journal.length + 1, term: 1 });
    this.journal.push([...verdict.events]);
    this.decided.push({ command, verdict, atMs: this.nowMs });
    for (const event of verdict.events) this.state.evolve(event);
    return verdict;
  }

  /** Submits; fails the test when the command is refused. Returns what changed, without the outcome. */
  accept(kind: string, payload: unknown): ClusterEvent[] {
    const { rejection, events } = this.submit(kind, payload);
    if (rejection !== undefined) throw new Error(`${kind} was refused: ${rejection.code} ${rejection.message}`);
    return events.filter((event) => event.kind !== 'outcome');
  }

  /** Submits; gives `CODE: message`, or `accepted`. */
  answer(kind: string, payload: unknown): string {
    const { rejection } = this.submit(kind, payload);
    return rejection === undefined ? 'accepted' : `${rejection.code}: ${rejection.message}`;
  }

  node(
    nodeId: string,
    options: Partial<ReturnType<typeof registration>> & { unitCount?: number } = {},
  ): ClusterEvent[] {
    return this.accept('RegisterNode', registration(nodeId, options));
  }

  /** Registers n1, n2, … with the same units each. */
  nodes(count: number, unitCount = 32): this {
    for (let i = 1; i <= count; i++) this.node(`n${i}`, { unitCount });
    return this;
  }

  namespace(name: string, knobs: Record<string, unknown> = {}): ChunkState[] {
    this.accept('CreateNamespace', { name, ...knobs });
    this.accept('ActivateNamespace', { name, number: this.state.namespace(name)?.number });
    return this.state.chunksOf(name);
  }
}

const nodesOfCommands = new Map([
  ['RegisterNode', /"nodeId":"([^"]+)"/],
  ['FinishReclaim', /"unitId":"([^"/]+)/],
]);

/** Who may give a command of that kind: some only the node that they are about. */
function speakerOf(kind: string, payload: string): string {
  const nodeId = nodesOfCommands.get(kind)?.exec(payload)?.[1];
  return nodeId === undefined ? 'user/test' : `node ${nodeId}`;
}

export const MiB = 2 ** 20;

export function registration(nodeId: string, options: { unitCount?: number } & Record<string, unknown> = {}) {
  const { unitCount = 32, ...others } = options;
  return {
    nodeId,
    storeId: `store-${nodeId}`,
    incarnation: `run-1-${nodeId}`,
    domain: nodeId,
    respAddress: `host-${nodeId}:7400`,
    httpAddress: `host-${nodeId}:7500`,
    featureLevel,
    units: Array.from({ length: unitCount }, (_, i) => ({
      unitId: `${nodeId}/u${String(i).padStart(2, '0')}`,
      capacityBytes: 256 * MiB,
      engine: 'leveldb',
      generation: 0,
    })),
    ...others,
  };
}

/** I9 and I10 over a whole state, told independently of the code under test. */
export function problemsOf(state: ClusterState): string[] {
  const problems: string[] = [];
  const holders = new Map<string, string>();
  for (const namespace of state.namespaces()) {
    const chunks = state.chunksOf(namespace.name);
    if (namespace.state === 'deleted' || namespace.state === 'deleting') {
      if (chunks.length > 0) problems.push(`${namespace.name} is ${namespace.state} and has chunks`);
      if ([...state.routesOf(namespace.name)].length > 0) problems.push(`${namespace.name} is gone and has routes`);
      continue;
    }
    let at = 0;
    for (const chunk of chunks) {
      if (chunk.slotStart !== at) problems.push(`${chunk.chunkId} starts at ${chunk.slotStart}, not ${at}`);
      at = chunk.slotEnd;
      problems.push(...primaryProblems(state, chunk));
    }
    for (const chunk of state.everyChunkOf(namespace.name)) {
      if (chunk.state !== 'serving' && state.route(chunk.chunkId) !== undefined)
        problems.push(`${chunk.chunkId} is ${chunk.state} and has a route`);
      for (const { unitId, role, generation } of chunk.replicas) {
        const unit = state.unit(unitId);
        if (role === 'dead' && !(unit?.chunkId === chunk.chunkId && unit.generation === generation)) continue;
        const other = holders.get(unitId);
        if (other !== undefined) problems.push(`${unitId} is in ${other} and ${chunk.chunkId}`);
        holders.set(unitId, chunk.chunkId);
        const readable = role === 'primary' || role === 'follower';
        if (chunk.state !== 'serving' && readable)
          problems.push(`${chunk.chunkId} is ${chunk.state} and has a ${role}`);
      }
    }
    if (at !== 1_000_000) problems.push(`${namespace.name} ends at slot ${at}`);
    if (namespace.state !== 'active') continue;
    const table = RouteTable.build(state.routesOf(namespace.name));
    if ('problem' in table) problems.push(table.problem);
  }
  for (const unit of state.units())
    if (unit.state === 'allocated' && holders.get(unit.unitId) !== unit.chunkId)
      problems.push(`${unit.unitId} is allocated to ${unit.chunkId}, which does not know`);
  return problems;
}

/** One primary per chunk, on a node that is up whenever a follower is on one; the route says the same. */
function primaryProblems(state: ClusterState, chunk: ChunkState): string[] {
  const isUp = (nodeId: string): boolean => state.node(nodeId)?.state === 'up';
  const primaries = chunk.replicas.filter((of) => of.role === 'primary');
  const followers = chunk.replicas.filter((of) => of.role === 'follower');
  const problems = primaries.length === 1 ? [] : [`${chunk.chunkId} has ${primaries.length} primaries`];
  if (!primaries.some((of) => isUp(of.nodeId)) && followers.some((of) => isUp(of.nodeId)))
    problems.push(`${chunk.chunkId} has its primary on a node that is not up, and a follower on one that is`);
  const route = state.route(chunk.chunkId);
  const readable = [...primaries, ...followers, ...chunk.replicas.filter((of) => of.role === 'retired')];
  const told = (replicas: readonly { unitId: string; role: string }[]): string =>
    replicas
      .map(({ unitId, role }) => `${unitId} ${role}`)
      .sort()
      .join();
  if (route !== undefined && told(route.replicas) !== told(readable))
    problems.push(`${chunk.chunkId} is ${told(readable)}, its route says ${told(route.replicas)}`);
  return problems;
}

/** The state as one text, whatever the order of its entities. */
export function picture(state: ClusterState): string {
  return [...state.events()]
    .map((event) => JSON.stringify(event))
    .sort()
    .join('\n');
}
