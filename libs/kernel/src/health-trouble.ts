/** What is wrong though work may be sent here: what stands still, where, what is at stake, and what to type. */
export interface HealthTrouble {
  /** Which kind, one word for machines. */
  readonly what: string;
  readonly message: string;
  readonly [detail: string]: unknown;
}
