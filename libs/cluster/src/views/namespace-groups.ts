import type { NamespaceState } from '@levee/events';
import { reject, type Rejection } from '../rejection';
import type { ClusterState } from '../state/state';
import { viewNamespaces } from './view';

/** What is known of the data of one chunk: soft state, as nodes told last. */
export interface ChunkFigures {
  /** Of all its replicas together; `undefined` = nobody told yet. */
  readonly storedBytes: number | undefined;
  /** Of one replica. */
  readonly liveKeys: number | undefined;
}

export type FiguresOf = (chunkId: string) => ChunkFigures;

interface Totals {
  readonly namespaces: number;
  readonly chunks: number;
  readonly replicas: number;
  /** Of the units that the replicas are in. */
  readonly capacityBytes: number;
  /** chunks x chunkCapacityBytes: most that the keys and values may take, once. */
  readonly quotaBytes: number;
  /** Of all replicas, as nodes told last. */
  readonly storedBytes: number;
  /** As counted last. */
  readonly liveKeys: number;
  /** Chunks of which no node told yet: the last two figures lack them. */
  readonly chunksUntold: number;
}

export interface GroupView extends Totals {
  /** A prefix of names: `shop` for `shop` itself and all of `shop.…`. */
  readonly group: string;
}

export interface NamespaceTotals extends Totals {
  readonly name: string;
  readonly state: NamespaceState['state'];
}

/** Every prefix that has a namespace below it, by name, with its totals. */
export function viewGroups(state: ClusterState, figuresOf: FiguresOf): GroupView[] {
  const groups = new Map<string, Totals>();
  for (const { name } of viewNamespaces(state)) {
    const totals = totalsOf(state, name, figuresOf);
    for (const group of groupsOf(name)) groups.set(group, sum(groups.get(group) ?? nothing, totals));
  }
  // A namespace may have the name of a group: it belongs to it.
  for (const [group, totals] of groups) {
    const namespace = state.namespace(group);
    if (namespace !== undefined && namespace.state !== 'deleted')
      groups.set(group, sum(totals, totalsOf(state, group, figuresOf)));
  }
  return [...groups].map(([group, totals]) => ({ group, ...totals })).sort((a, b) => (a.group < b.group ? -1 : 1));
}

/** One group with the totals of each namespace in it. */
export function viewGroup(
  state: ClusterState,
  group: string,
  figuresOf: FiguresOf,
): (GroupView & { readonly members: readonly NamespaceTotals[] }) | Rejection {
  const inside = viewNamespaces(state).filter(({ name }) => name === group || name.startsWith(`${group}.`));
  if (inside.length === 0)
    return reject('GROUP_UNKNOWN', `no namespace is called '${group.slice(0, 200)}' or begins with it and a dot`);
  const members = inside.map(({ name, state: is }) => ({ name, state: is, ...totalsOf(state, name, figuresOf) }));
  return { group, ...members.reduce<Totals>(sum, nothing), members };
}

/** `com.example.product` is in `com` and `com.example`. */
function groupsOf(name: string): string[] {
  const segments = name.split('.');
  return segments.slice(1).map((_, i) => segments.slice(0, i + 1).join('.'));
}

function totalsOf(state: ClusterState, name: string, figuresOf: FiguresOf): Totals {
  const totals = { ...nothing, namespaces: 1 };
  const chunkCapacityBytes = state.namespace(name)?.chunkCapacityBytes ?? 0;
  for (const { chunkId, replicas } of state.chunksOf(name)) {
    totals.chunks++;
    totals.quotaBytes += chunkCapacityBytes;
    for (const { role, unitId } of replicas) {
      if (role === 'dead') continue;
      totals.replicas++;
      totals.capacityBytes += state.unit(unitId)?.capacityBytes ?? 0;
    }
    const { storedBytes, liveKeys } = figuresOf(chunkId);
    if (storedBytes === undefined) totals.chunksUntold++;
    totals.storedBytes += storedBytes ?? 0;
    totals.liveKeys += liveKeys ?? 0;
  }
  return totals;
}

const nothing = {
  namespaces: 0,
  chunks: 0,
  replicas: 0,
  capacityBytes: 0,
  quotaBytes: 0,
  storedBytes: 0,
  liveKeys: 0,
  chunksUntold: 0,
};

function sum(a: Totals, b: Totals): Totals {
  const total = { ...nothing };
  for (const name of Object.keys(nothing) as (keyof Totals)[]) total[name] = a[name] + b[name];
  return total;
}
