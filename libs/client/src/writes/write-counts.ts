/** Counters of the writes of a process: of all namespaces together, since they go on when one of them is deleted. */
export class WriteCounts {
  appends = 0;
  calls = 0;
  fences = 0;
  definite = 0;
  indefinite = 0;
  waits = 0;
  pending = 0;
}
