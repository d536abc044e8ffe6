export const viewLimits = {
  /** Pause before the journal is tried again after a failure. */
  retryMs: 250,
  /** Between two looks whether a journal that had lost its end has it back. */
  shortRetryMs: 1_000,
  /** A stretch that cannot be read for this long is no bad moment of a broker. */
  holePatienceMs: 2_000,
  /** Longest time at the journal's end without a sign of life from it. */
  idleMs: 200,
  /** The fold of a long catch-up lets other work run after so many records. */
  recordsPerTurn: 512,
} as const;
