import { Breather, type Pace } from './breather';
import type { Replica } from './replica';
import { ReplicaSnapshot } from './snapshot/replica-snapshot';

export interface SweepResult {
  /** Keys not expired at the sweep's time. */
  readonly liveKeys: number;
  /** Of these, those that expire. */
  readonly expiringKeys: number;
  readonly liveBytes: number;
  readonly removed: number;
  /** Keys that have an expiry and are still there. */
  readonly expiring: number;
}

/** Expired keys stay this long, so that a digest or a slow reader at an earlier time still finds them. */
export const expiredKeptMs = 3_600_000;

/**
 * Counts live keys and removes those that expired an hour ago or earlier. `logNowMs` is the log's time, never the
 * node's own clock: a clock that is ahead must not remove what a later barrier still counts.
 */
export async function sweepExpired(
  replica: Replica,
  logNowMs: number,
  pace: Pace,
  signal?: AbortSignal,
): Promise<SweepResult> {
  const snapshot = ReplicaSnapshot.take(replica);
  const breather = new Breather(pace);
  let liveKeys = 0;
  let expiringKeys = 0;
  let liveBytes = 0;
  let removed = 0;
  let expiring = 0;
  let doomed: Buffer[] = [];
  const remove = (keys: readonly Buffer[]): Promise<void> =>
    replica.exclusively(async () => {
      const batch = replica.db.batch();
      for (const key of keys) {
        const stored = replica.db.getSync(key);
        if (stored === undefined || !replica.readStored(key, stored).expiredAt(logNowMs - expiredKeptMs)) continue;
        batch.del(key);
        removed++;
      }
      await batch.write();
    });
  try {
    for await (const page of snapshot.pages(signal))
      for (const [key, stored] of page) {
        if (breather.tired(1, key.length + stored.length)) await breather.breathe();
        const value = replica.readStored(key, stored);
        if (value.expiresAtMs !== 0) expiring++;
        if (value.expiredAt(logNowMs - expiredKeptMs)) {
          doomed.push(key);
          if (doomed.length >= 256) {
            await remove(doomed);
            doomed = [];
          }
        } else if (!value.expiredAt(logNowMs)) {
          liveKeys++;
          if (value.expiresAtMs !== 0) expiringKeys++;
          liveBytes += key.length + stored.length;
        }
      }
    if (doomed.length > 0) await remove(doomed);
  } finally {
    breather.end();
    await snapshot.close();
  }
  return { liveKeys, expiringKeys, liveBytes, removed, expiring: expiring - removed };
}
