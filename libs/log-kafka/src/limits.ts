import { assert } from '@levee/kernel';
import { logLimits } from '@levee/log';

/** Every wait and every queue of this adapter. Times in ms, sizes in bytes. */
export interface KafkaLogLimits {
  readonly connectMs: number;
  /** Longest time without an answer before a connection is given up; a paused broker is noticed after it. */
  readonly requestMs: number;
  /** How long the broker may wait for its followers; shorter than `requestMs`, so that it can still answer. */
  readonly produceMs: number;
  /** Longest pause after an answer that says that a quota was passed. */
  readonly throttleMsMax: number;
  readonly appendDeadlineMs: number;
  readonly appendQueueBytesMax: number;
  /** Several waiting calls of a partition share a batch up to this size: below the smallest `max.message.bytes`. */
  readonly batchBytesShared: number;
  /** One call's records, which always share one batch. */
  readonly callBytesMax: number;
  readonly produceRequestBytesMax: number;
  /** Pause before a partition is tried again, doubled up to the second one. */
  readonly retryMs: number;
  readonly retryMsMax: number;
  /** A topic that the metadata do not show for so long is missing: new ones take a moment to be known everywhere. */
  readonly topicMissingMs: number;
  /** A broker that has just failed us, or may be behind, is asked about leaders last for so long. */
  readonly distrustMs: number;
  /** How often another broker is asked whether the leaders of the tails' partitions still lead. */
  readonly leaderLookMs: number;
  /** A leader that nobody else has confirmed for so long is not believed when it says where its log ends. */
  readonly leaderDoubtMs: number;
  /** Denials of a reader's place are so far apart before the log is called cut. */
  readonly denialsApartMs: number;
  /** Brokers that know only leader epochs below what was read are given so long to catch up. */
  readonly staleEpochMs: number;
  /** Longest time the broker holds a fetch for which there is nothing. */
  readonly fetchWaitMs: number;
  /** The same while another connection fetches for tails that came later: they join after it. */
  readonly fetchJoinMs: number;
  readonly fetchRequestBytesMax: number;
  /** Fetched and not yet handled bytes of all tails together. */
  readonly fetchBufferBytesMax: number;
  /** How often damaged bytes are read again before RECORD_CORRUPT. */
  readonly corruptRereads: number;
  readonly adminMs: number;
  readonly fencedWriterMs: number;
  readonly closeMs: number;
}

export const kafkaLogLimits: KafkaLogLimits = {
  connectMs: 1500,
  requestMs: 3000,
  produceMs: 1500,
  throttleMsMax: 30_000,
  appendDeadlineMs: logLimits.appendDeadlineMs,
  appendQueueBytesMax: logLimits.appendQueueBytesMax,
  batchBytesShared: 512 * 1024,
  callBytesMax: 8 * 1024 * 1024,
  produceRequestBytesMax: 16 * 1024 * 1024,
  retryMs: 10,
  retryMsMax: 250,
  topicMissingMs: 2000,
  distrustMs: 5000,
  leaderLookMs: 2000,
  leaderDoubtMs: 5000,
  denialsApartMs: 400,
  staleEpochMs: 15_000,
  fetchWaitMs: 250,
  fetchJoinMs: 10,
  fetchRequestBytesMax: 8 * 1024 * 1024,
  fetchBufferBytesMax: 64 * 1024 * 1024,
  corruptRereads: 4,
  adminMs: 30_000,
  fencedWriterMs: 15_000,
  closeMs: logLimits.closeMs,
};

export function checkedLimits(overrides: Partial<KafkaLogLimits> = {}): KafkaLogLimits {
  const limits = { ...kafkaLogLimits, ...overrides };
  assert(limits.produceMs < limits.requestMs, 'the broker can say that its followers are late');
  assert(limits.leaderLookMs * 2 < limits.leaderDoubtMs, 'a leader survives a look that failed');
  assert(limits.fetchJoinMs <= limits.fetchWaitMs, 'a joining fetch is the shorter one');
  assert(limits.batchBytesShared <= limits.callBytesMax, 'a shared batch is no larger than one call may be');
  assert(limits.callBytesMax < limits.produceRequestBytesMax, 'every batch fits into a request');
  assert(limits.retryMs <= limits.retryMsMax, 'pauses between attempts grow');
  return limits;
}
