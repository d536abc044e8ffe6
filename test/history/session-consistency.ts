import { describe } from './explanation';
import { contentOf, isWrite, tookEffect, type Operation } from './operation';

export interface SessionViolation {
  readonly session: string;
  readonly key: string;
  readonly text: string;
}

/**
 * Does a session ever read backwards on this key? What it wrote and what it read binds every read it begins
 * afterwards (read your writes, monotonic reads). One version is older than another when its write was answered before
 * the other's began, so every set value must be unique within the key. A write of unknown outcome may land late: it is
 * older than nothing. Reads of what nobody can have written are told as well.
 *
 * Concurrent writers only make the order partial; a history is sharpest with one writer per key at a time.
 */
export function checkSessions(key: string, operations: readonly Operation[]): SessionViolation[] {
  const versions = new Map<string, Operation>();
  const deletes: Operation[] = [];
  for (const write of operations.filter(isWrite)) {
    const value = contentOf(write);
    if (value === null) deletes.push(write);
    else if (versions.has(value)) throw new TypeError(`${key}: ${value} was written twice; versions must be unique`);
    else versions.set(value, write);
  }
  const candidates = (read: Operation): readonly Operation[] => {
    const value = contentOf(read);
    const writes = value === null ? deletes : [versions.get(value)].filter((o) => o !== undefined);
    return writes.filter((w) => w.outcome !== 'definite' && w.invokedAtNs <= (read.completedAtNs as number));
  };

  const violations: SessionViolation[] = [];
  for (const [session, own] of bySession(operations)) {
    for (const read of own) {
      if (isWrite(read) || read.outcome !== 'ok') continue;
      const tell = (why: string, other?: Operation): void => {
        const startNs = Math.min(read.invokedAtNs, other?.invokedAtNs ?? read.invokedAtNs);
        const lines = [other, read].filter((o) => o !== undefined).map((o) => `   ${describe(o, startNs)}`);
        violations.push({ session, key, text: [`${key}: ${session} ${why}`, ...lines].join('\n') });
      };
      const found = candidates(read);
      if (contentOf(read) !== null && found.length === 0) {
        tell('read what nobody can have written by then');
        continue;
      }
      // The newest moment at which any version it may have found can have come into being.
      const endNs = Math.max(-Infinity, ...found.map((w) => (tookEffect(w) ? (w.completedAtNs as number) : Infinity)));
      for (const earlier of own) {
        if (earlier === read || !binds(earlier, read)) continue;
        const seen = seenVersion(earlier, versions, found);
        if (seen !== undefined && endNs < seen.invokedAtNs) {
          tell(`read backwards: it had ${isWrite(earlier) ? 'written' : 'read'} a newer version before`, earlier);
          break;
        }
      }
    }
  }
  return violations;
}

const binds = (earlier: Operation, read: Operation): boolean =>
  (isWrite(earlier) ? tookEffect(earlier) : earlier.outcome === 'ok') &&
  (earlier.completedAtNs as number) < read.invokedAtNs;

/** The write behind what the session wrote or saw; undefined where it cannot be told which delete it was. */
function seenVersion(
  earlier: Operation,
  versions: ReadonlyMap<string, Operation>,
  found: readonly Operation[],
): Operation | undefined {
  const value = contentOf(earlier);
  const version = isWrite(earlier) ? earlier : value === null ? undefined : versions.get(value);
  if (version === undefined || found.includes(version)) return undefined;
  return version;
}

function bySession(operations: readonly Operation[]): Map<string, Operation[]> {
  const sessions = new Map<string, Operation[]>();
  for (const operation of operations) {
    const session = operation.session ?? operation.client;
    const own = sessions.get(session);
    if (own === undefined) sessions.set(session, [operation]);
    else own.push(operation);
  }
  return sessions;
}
