export const witnessLimits = {
  /** A witness that is further ahead of the journal than this does not speak of its lost end: somebody made it up. */
  termsAheadMax: 10_000,
  seqsAheadMax: 1_000_000_000,
  /** Decisions that one repair writes, all of them held in memory. */
  decisionsRepairedMax: 200_000,
  /** Records before a position among which its decision is looked for first; then eight times as many, and so on. */
  firstLook: 16,
  readDeadlineMs: 30_000,
  foldDeadlineMs: 120_000,
} as const;
