/** One question to a partition's leader whether our place is in its log, which it denied. */
export interface Denial {
  /** Monotonic ms. */
  readonly atMs: number;
  /** Leader epoch under which it answered. */
  readonly leaderEpoch: number;
  /** Monotonic ms: when somebody else last confirmed that it leads under that epoch; -Infinity: nobody has. */
  readonly confirmedMs: number;
}

/** What was denied so far; see {@link nextProof}. */
export interface TruncationProof {
  readonly count: number;
  readonly lastMs: number;
}

export const noProof: TruncationProof = { count: 0, lastMs: -Infinity };

export interface ProofRule {
  /** So many denials are believed. */
  readonly needed: number;
  /** Two of them are at least so far apart: a broker that is behind has had time to catch up. */
  readonly apartMs: number;
  /** Leader epoch of the newest record that was read. */
  readonly readEpoch: number;
}

/**
 * Adds a denial, when it counts. A deposed leader, or a broker that is behind, denies what it does not have yet; so each
 * denial comes from a leader whose epoch is not below what we have read, and which another broker has confirmed since
 * the denial before.
 */
export function nextProof(proof: TruncationProof, denial: Denial, rule: ProofRule): TruncationProof {
  if (denial.leaderEpoch < rule.readEpoch) return proof;
  if (denial.confirmedMs <= proof.lastMs) return proof;
  if (denial.atMs < proof.lastMs + rule.apartMs) return proof;
  return { count: proof.count + 1, lastMs: denial.atMs };
}

export function isProven(proof: TruncationProof, { needed }: ProofRule): boolean {
  return proof.count >= needed;
}
