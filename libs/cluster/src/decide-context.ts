/** Time and number of the decision being taken; its events carry them. */
export interface DecideContext {
  readonly nowMs: number;
  /** Seq of the decision, the journal's next. */
  readonly seq: number;
  readonly term: number;
  /** Prefix of topic names; default `levee`. */
  readonly topicPrefix?: string;
  /** How long after its switch a plan can be rolled back, where its proposal says nothing; in ms. */
  readonly planObserveMs?: number;
}
