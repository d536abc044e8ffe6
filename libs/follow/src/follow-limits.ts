import { assert } from '@levee/kernel';

/** Named bounds of following a partition (I16). */
export const followLimits = {
  /** Pause before a partition is tailed again after a failure. */
  feedRetryMinMs: 50,
  feedRetryMaxMs: 2_000,
  /** Longest time at a partition's end without a sign of life from it: bounds what `age` can be at rest. */
  feedIdleMs: 250,
  /** For namespaces that accept little staleness. */
  feedIdleMsMin: 25,
  /** Fetched, not yet applied bytes of one tail. */
  tailBytesMax: 1 << 20,
  /** Pieces of a partition that wait for the disk at its end, and bytes of their records; then its feed stops reading. */
  applyPiecesMax: 16,
  applyBytesMax: 1 << 20,
  /** LevelDB writes a second above which feeds at the end gather records before they write; see `ApplyPace`. */
  appliesPerSecond: 1_000,
  /** Writes in one go before that counts. */
  appliesAtOnce: 64,
  /** Longest a record is held back for it. */
  lingerMsMax: 20,
} as const;

assert(followLimits.lingerMsMax < followLimits.feedIdleMsMin, 'I4: lingering does not count as staleness');
