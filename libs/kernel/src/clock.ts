/** Wall clock and monotonic clock, both in milliseconds. Pure code takes `nowMs` as an argument instead. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z; may jump. */
  nowMs(): number;
  /** Milliseconds since an arbitrary zero point; never falls. Use it for every deadline. */
  monotonicMs(): number;
}

export interface Timers {
  /** Calls `action` once after `delayMs`, unless the returned function was called before. */
  after(delayMs: number, action: () => void): () => void;
}

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
}

/** Makes a name that nobody else has or will have: a UUID. */
export type NewId = () => string;
