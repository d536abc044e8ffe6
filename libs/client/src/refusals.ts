import { asOffset, isReservedKey, type Offset, type Partition } from '@levee/kernel';
import type { Append, PointRead } from './operations';
import type { NamespaceStore } from './routes/namespace-store';
import { StoreFailure, TooLargeFailure } from './store-errors';
import type { StoreLimits } from './store-limits';

/** Why a read is refused before anything is done for it. `read` is placed. */
export function readRefusal(
  namespace: NamespaceStore,
  read: PointRead,
  underWay: number,
  limits: StoreLimits,
): StoreFailure | undefined {
  if (namespace.gone) return namespace.gone;
  if (namespace.distrust) return namespace.distrust;
  const problem = keyProblem(read.key, limits);
  if (problem) return problem;
  const stop = namespace.stops?.get(read.partition);
  if (stop && read.consistency !== 'eventual') {
    const needed = read.consistency === 'strong' ? Infinity : seenPosition(namespace, read);
    if (needed > stop.cutOffset) return new StoreFailure('LVSTOPPED', stop.message);
  }
  const limited = namespace.refusal(read.slot);
  if (limited !== undefined) return new StoreFailure('LVLIMIT', limited);
  if (underWay < limits.readsMax || (read.line && read.line.size === 0)) return undefined;
  return new StoreFailure('LVLIMIT', `${underWay} reads are under way, at most ${limits.readsMax}`);
}

/** Why a write is refused before it has its turn; else it has taken its room in the chunk. `append` is placed. */
export function appendRefusal(
  namespace: NamespaceStore,
  append: Append,
  limits: StoreLimits,
): StoreFailure | undefined {
  if (namespace.readOnly) return namespace.readOnly;
  // What was bound is not there any more: under its name may be another topic (I23).
  if (namespace.distrust) return namespace.distrust;
  if (namespace.frozen) return namespace.frozen;
  const problem = append.isSweep ? undefined : (keyProblem(append.key, limits) ?? namespace.placeProblem(append.key));
  if (problem) return problem;
  const stop = stopOf(namespace, append);
  if (stop) return stop;
  const limited = namespace.refusal(append.slot);
  if (limited !== undefined) return new StoreFailure('LVLIMIT', limited);
  const full = append.record && namespace.takeRoom(append, limits.chunkSoftShare);
  return full ? new StoreFailure('LVFULL', full) : undefined;
}

/** Why no fence is written. [safety] It is a record, and nothing of ours stands in a topic of others (I23). */
export function fenceRefusal(namespace: NamespaceStore, partition: Partition): StoreFailure | undefined {
  if (namespace.unfenced) return namespace.unfenced;
  const stop = namespace.stops?.get(partition);
  return stop && new StoreFailure('LVSTOPPED', stop.message);
}

/** Its partition stands still. */
export function stopOf(namespace: NamespaceStore, { partition }: Append): StoreFailure | undefined {
  const stop = namespace.stops?.get(partition);
  return stop && new StoreFailure('LVSTOPPED', `${stop.message}; nothing was written`);
}

export function keyProblem(key: Uint8Array, { keyBytesMax }: StoreLimits): StoreFailure | undefined {
  if (key.length > keyBytesMax)
    return new TooLargeFailure(`a key of ${key.length} bytes: at most ${keyBytesMax} bytes`);
  if (key[0] === 0 && isReservedKey(key))
    return new StoreFailure('LVRESERVED', `keys beginning with 00 'levee' 00 are not for users`);
  return undefined;
}

export function valueProblem(value: Buffer, { valueBytesMax }: StoreLimits): StoreFailure | undefined {
  if (value.length <= valueBytesMax) return undefined;
  return new TooLargeFailure(`a value of ${value.length} bytes: at most ${valueBytesMax} bytes; store it in parts`);
}

export function ttlProblem(namespace: string, maxTtlMs: number, ttlMs: number): StoreFailure | undefined {
  if (ttlMs <= maxTtlMs) return undefined;
  return new StoreFailure(
    'LVLIMIT',
    `a time to live of ${ttlMs} ms: at most ${maxTtlMs} ms in ${namespace} (maxTtlMs); ask for less, or for none, which gives the most`,
  );
}

/** How far a replica must be for what was written and seen before: by the session, and for a session read by everybody here. */
export function seenPosition(namespace: NamespaceStore, read: PointRead): Offset {
  const { consistency, session, partition } = read;
  if (consistency === 'eventual') return asOffset(0);
  if (consistency === 'session' && read.seenBefore) return read.seenBefore.positionOf(partition);
  const seen = session?.nextOffset(partition) ?? asOffset(0);
  return consistency === 'strong' ? seen : raise(seen, namespace.writes.positionOf(read));
}

export const raise = (a: Offset, b: Offset): Offset => asOffset(Math.max(a, b));
