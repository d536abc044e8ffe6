/** Something is not as it should be: what, what follows from it, and what to type. */
export interface Finding {
  /** Stable name of the rule, for scripts. */
  readonly rule: string;
  /** What it is about: a topic, node, replica, namespace. */
  readonly subject: string;
  readonly finding: string;
  readonly impact: string;
  /** Mends it, or shows more. */
  readonly command: string;
}

/** Something that could not be looked at, so that nothing is said about it. */
export interface Unknown {
  readonly what: string;
  readonly why: string;
  readonly command: string;
}

/** What `levee doctor` says. Healthy: both lists are empty. */
export interface DoctorReport {
  readonly findings: readonly Finding[];
  readonly unknown: readonly Unknown[];
  /** How much was looked at. */
  readonly looked: { readonly topics: number; readonly nodes: number; readonly replicas: number };
}
