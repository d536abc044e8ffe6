/**
 * How an operation ended.
 * `ok`: answered. `pending`: a write that is in the log but not yet applied everywhere; it counts as applied.
 * `definite`: it never takes effect. `indefinite`: nobody knows; a write may take effect at any time after its
 * invocation, or never.
 */
export type Outcome = 'ok' | 'pending' | 'definite' | 'indefinite';

/** One operation on one key, as its client saw it. Times are nanoseconds of one clock that never goes back. */
export interface Operation {
  readonly client: string;
  /** What must never read backwards: a connection, or a token carried between portals. Default: the client. */
  readonly session?: string;
  readonly key: string;
  /** What a read was promised; a `session` read need not fit the order of all operations. Default: strong. */
  readonly consistency?: 'strong' | 'session';
  readonly op: 'set' | 'del' | 'get';
  /** `set`: what was written. `get`: what was read, null for nothing. */
  readonly value?: string | null;
  readonly invokedAtNs: number;
  /** Undefined while the outcome is unknown. */
  readonly completedAtNs: number | undefined;
  readonly outcome: Outcome;
  /** What the client was told when it failed. */
  readonly reason?: string;
}

export type History = readonly Operation[];

/** Workloads rotate keys to stay below these, so that a checker never runs into its deadline. */
export const historyLimits = { operationsPerKeyMax: 300, unresolvedWritesPerKeyMax: 8, openAtOnceMax: 30 } as const;

export const isWrite = (operation: Operation): boolean => operation.op !== 'get';

/** A write that certainly took effect before its answer. */
export const tookEffect = (operation: Operation): boolean =>
  isWrite(operation) && (operation.outcome === 'ok' || operation.outcome === 'pending');

export const isUnresolvedWrite = (operation: Operation): boolean =>
  isWrite(operation) && operation.outcome === 'indefinite';

/** The register's content after a write, or what a read found; null is nothing. */
export const contentOf = (operation: Operation): string | null =>
  operation.op === 'del' ? null : (operation.value ?? null);

export function byKey(history: History): Map<string, Operation[]> {
  const keys = new Map<string, Operation[]>();
  for (const operation of history) {
    const found = keys.get(operation.key);
    if (found === undefined) keys.set(operation.key, [operation]);
    else found.push(operation);
  }
  return keys;
}

/** Throws when one key's operations are not what a checker takes. */
export function assertCheckable(key: string, operations: readonly Operation[]): void {
  if (operations.length > historyLimits.operationsPerKeyMax)
    throw new RangeError(
      `${key} has ${operations.length} operations, at most ${historyLimits.operationsPerKeyMax}: rotate keys earlier`,
    );
  const unresolved = operations.filter(isUnresolvedWrite).length;
  if (unresolved > historyLimits.unresolvedWritesPerKeyMax)
    throw new RangeError(
      `${key} has ${unresolved} unresolved writes, at most ${historyLimits.unresolvedWritesPerKeyMax}: rotate keys earlier`,
    );
  for (const operation of operations) {
    if (operation.key !== key) throw new TypeError(`an operation of ${operation.key} among those of ${key}`);
    if (operation.op === 'set' && typeof operation.value !== 'string')
      throw new TypeError(`${key}: a set without a value`);
    const answered = operation.outcome === 'ok' || operation.outcome === 'pending';
    if (answered && operation.completedAtNs === undefined)
      throw new TypeError(`${key}: an answered ${operation.op} without the time of its answer`);
    if (answered && operation.op === 'get' && operation.value === undefined)
      throw new TypeError(`${key}: an answered get without what it read`);
    if (operation.completedAtNs !== undefined && operation.completedAtNs < operation.invokedAtNs)
      throw new RangeError(`${key}: a ${operation.op} answered before it was asked`);
  }
}
