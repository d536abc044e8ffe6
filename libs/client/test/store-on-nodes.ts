import { CallbackRead, Store, StoreFailure, type Consistency, type StoreLimits } from '@levee/client';
import { ClusterState } from '@levee/cluster';
import type { NamespaceState } from '@levee/events';
import { asOffset, silentLogger } from '@levee/kernel';
import type { Session } from '@levee/keyspace';
import { systemClock, systemRandom, systemTimers, type Log } from '@levee/log';
import { chunkEntity, namespaceEntity, nodeEntity, routeEntity } from './cluster-entities';
import { systemNetwork, type Network } from '@levee/wire';
import type { FakeNode } from './fake-node';

export function stateOf(nodes: readonly FakeNode[], namespace: Partial<NamespaceState>): ClusterState {
  const state = new ClusterState();
  state.absorb({ kind: 'cluster', entity: { clusterId: 'c', change: 'Test', seq: 1, term: 1 } });
  state.absorb({ kind: 'namespace', entity: namespaceEntity(namespace) });
  for (const { nodeId, port, state: is } of nodes)
    state.absorb({ kind: 'node', entity: nodeEntity(nodeId, { respAddress: `127.0.0.1:${port}`, state: is }) });
  state.absorb({ kind: 'chunk', entity: chunkEntity(nodes.map(({ nodeId }) => nodeId)) });
  state.absorb({ kind: 'route', entity: routeEntity(nodes.map(({ nodeId }) => nodeId)) });
  return state;
}

const cleanups: (() => Promise<void>)[] = [];

/** For `afterEach`: closes what {@link storeOn} made. */
export async function closeStores(): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}

/** Asks one node only, however late a busy machine lets it answer. */
export const unhedged: Partial<StoreLimits> = {
  hedgeDelayMinMs: 60_000,
  hedgeDelayFirstMs: 60_000,
  hedgeDelayMaxMs: 60_000,
};

/** A store that reads from these nodes, the first being the primary of everything. */
export function storeOn(
  nodes: readonly FakeNode[],
  but: Partial<StoreLimits> = {},
  {
    network = systemNetwork,
    log = {} as Log,
    namespace = {},
    state = stateOf(nodes, namespace),
  }: { network?: Network; log?: Log; namespace?: Partial<NamespaceState>; state?: ClusterState } = {},
): Store {
  const limits = {
    attemptMs: 5_000,
    positionWaitMs: 50,
    readMs: 15_000,
    hedgeDelayMaxMs: 20,
    hedgeDelayFirstMs: 20,
    ...but,
  };
  const world = { clock: systemClock, timers: systemTimers, random: systemRandom, logger: silentLogger, network };
  const view = { state, onDecision: () => () => undefined };
  const store = new Store(log, view, { ...world, producer: 'p', limits });
  cleanups.push(...nodes.map((node) => () => node.close()), () => store.close(0));
  return store;
}

/** The value of a key, `nil`, or the failure as text. */
export function readOnce(
  store: Store,
  {
    minOffset = 0,
    consistency = 'session',
    key = 'k',
    session,
  }: { minOffset?: number; consistency?: Consistency; key?: string; session?: Session } = {},
): Promise<string> {
  return new Promise((resolve) => {
    const read = new CallbackRead(Buffer.from(key), consistency, session, (result) => {
      if (result instanceof StoreFailure) resolve(result.text);
      else resolve(result ? result.value.toString() : 'nil');
    });
    read.minOffset = asOffset(minOffset);
    store.read(store.namespace('ns')!, read);
  });
}
