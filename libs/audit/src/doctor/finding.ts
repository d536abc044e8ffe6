import type { Trouble } from '@levee/journal';

export interface Finding extends Trouble {
  /** Stable name of the rule, for scripts. */
  readonly rule: string;
}

/** Something that could not be looked at, so that nothing is said about it. */
export interface Unknown {
  readonly what: string;
  readonly why: string;
  readonly command: string;
}

/** Records in quarantine that are no finding, because people said that they are dealt with. */
export interface Acknowledged {
  readonly namespace: string;
  /** As the quarantine says it. */
  readonly reason: string;
  readonly count: number;
  readonly by: string;
  /** ISO 8601. */
  readonly at: string;
  readonly why: string;
}

/** What `levee doctor` says. Healthy: both lists are empty. */
export interface DoctorReport {
  readonly findings: readonly Finding[];
  readonly unknown: readonly Unknown[];
  /** What is not broken, and what a security team would ask about; absent where who looks cannot tell. */
  readonly weak?: readonly Finding[];
  /** Absent where there are none. */
  readonly acknowledged?: readonly Acknowledged[];
  /** How much was looked at. */
  readonly looked: { readonly topics: number; readonly nodes: number; readonly replicas: number };
}
