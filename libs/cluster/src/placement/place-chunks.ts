import { defined } from '@levee/kernel';
import { reject, type Rejection } from '../rejection';
import { Heap } from './heap';
import { spreadPrimaries } from './primaries';
import type { CandidateNode } from './candidate-nodes';
import { moreUnitsAdvice, unitsNeeded } from './unit-budget';

export interface PlacementRequest {
  readonly chunks: number;
  readonly replicas: number;
  /** Capacity a unit must have to be chosen. */
  readonly unitBytesMin: number;
  /** Expected load of one chunk; 0 = unknown. */
  readonly requestsPerSecondPerChunk: number;
}

export interface PlacedReplica {
  readonly nodeId: string;
  readonly unitId: string;
}

export interface Placement {
  /** By chunk: its replicas, the primary first. */
  readonly chunks: readonly (readonly PlacedReplica[])[];
}

/** From this expected load on, units in memory are preferred to units on disk. */
export const memoryEngineRequestsPerSecond = 20_000;

interface Room {
  readonly nodeId: string;
  readonly primaries: number;
  /** Decides between equals; another one after each unit taken. */
  turn: number;
  /** Suitable free units, the next one to take at the end. */
  readonly units: string[];
}

interface Domain {
  readonly name: string;
  free: number;
  /** Decides between equals; another one after each unit taken. */
  turn: number;
  readonly rooms: Heap<Room>;
}

/**
 * Chooses units for new chunks. Each chunk takes the `replicas` failure domains with the most free units left, and in
 * each the node with the most: that succeeds whenever it is possible at all, and evens out what stays free. Then
 * primaries are spread. Between equals a hash of name and free units decides, so that the same nodes do not meet in
 * every chunk: when one dies, many others share its work. Deterministic; O(chunks x replicas x log nodes).
 */
export function placeChunks(nodes: readonly CandidateNode[], request: PlacementRequest): Placement | Rejection {
  const domains = domainsOf(nodes, request);
  const refusal = refusalOf(nodes, domains, request);
  if (refusal !== undefined) return refusal;
  const heap = new Heap<Domain>((a, b) => (b.free - a.free || a.turn - b.turn || (a.name < b.name ? -1 : 1)) < 0);
  for (const domain of domains) heap.push(domain);
  const chunks: PlacedReplica[][] = [];
  for (let chunk = 0; chunk < request.chunks; chunk++) {
    const taken = Array.from({ length: request.replicas }, () => defined(heap.pop(), 'a failure domain'));
    chunks.push(taken.map((domain) => takeUnit(domain)));
    for (const domain of taken) heap.push(domain);
  }
  return { chunks: spreadPrimaries(chunks, new Map(nodes.map((node) => [node.nodeId, node.primaries]))) };
}

function takeUnit(domain: Domain): PlacedReplica {
  const room = defined(domain.rooms.pop(), 'a node with a free unit');
  const unitId = defined(room.units.pop(), 'a free unit');
  domain.free--;
  domain.turn = turnOf(domain.name, domain.free);
  room.turn = turnOf(room.nodeId, room.units.length);
  if (room.units.length > 0) domain.rooms.push(room);
  return { nodeId: room.nodeId, unitId };
}

function domainsOf(nodes: readonly CandidateNode[], request: PlacementRequest): Domain[] {
  const byName = new Map<string, Domain>();
  const preferred = request.requestsPerSecondPerChunk >= memoryEngineRequestsPerSecond ? 'memory' : 'leveldb';
  for (const node of nodes) {
    const units = node.freeUnits
      .filter((unit) => unit.capacityBytes >= request.unitBytesMin)
      .sort(
        (a, b) =>
          Number(a.engine === preferred) - Number(b.engine === preferred) ||
          b.capacityBytes - a.capacityBytes ||
          (a.unitId < b.unitId ? 1 : -1),
      )
      .map((unit) => unit.unitId);
    let domain = byName.get(node.domain);
    if (domain === undefined) {
      domain = { name: node.domain, free: 0, turn: 0, rooms: new Heap<Room>(roomier) };
      byName.set(node.domain, domain);
    }
    domain.free += units.length;
    domain.turn = turnOf(domain.name, domain.free);
    const { nodeId, primaries } = node;
    if (units.length > 0) domain.rooms.push({ nodeId, primaries, turn: turnOf(nodeId, units.length), units });
  }
  return [...byName.values()];
}

function roomier(a: Room, b: Room): boolean {
  const order = b.units.length - a.units.length || a.primaries - b.primaries || a.turn - b.turn;
  return order < 0 || (order === 0 && a.nodeId < b.nodeId);
}

/** A number that differs, for one pair of names, in either direction about equally often over the counts. */
function turnOf(name: string, count: number): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ count, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function refusalOf(
  nodes: readonly CandidateNode[],
  domains: readonly Domain[],
  request: PlacementRequest,
): Rejection | undefined {
  const { chunks, replicas } = request;
  if (domains.length < replicas)
    return reject(
      'NOT_ENOUGH_DOMAINS',
      `${replicas} replicas need ${replicas} failure domains with a node that is up, there are ${domains.length} ` +
        `(${nodes.length} nodes): start nodes in other domains (LEVEE_DOMAIN), or ask for fewer replicas`,
    );
  // A domain takes at most one replica of each chunk: more free units than chunks in it do not help.
  const usable = domains.reduce((sum, domain) => sum + Math.min(domain.free, chunks), 0);
  if (usable >= chunks * replicas) return undefined;
  const free = nodes.reduce((sum, node) => sum + node.freeUnits.length, 0);
  const suitable = domains.reduce((sum, domain) => sum + domain.free, 0);
  return reject(
    'NOT_ENOUGH_UNITS',
    `${unitsNeeded(request)}, ` +
      `at most ${chunks} in each failure domain; of ${free} free units ${suitable} are that large and ${usable} usable ` +
      `in ${domains.length} domains: ask for fewer chunks, fewer replicas or a smaller chunkCapacityBytes; ${moreUnitsAdvice}`,
  );
}
