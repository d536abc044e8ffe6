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

/** What `levee doctor` says. Healthy: both lists are empty. */
export interface DoctorReport {
  readonly findings: readonly Finding[];
  readonly unknown: readonly Unknown[];
  /** How much was looked at. */
  readonly looked: { readonly topics: number; readonly nodes: number; readonly replicas: number };
}
