import { assert } from '@levee/kernel';
import { requestLimits, type RequestLimits } from './request-parser';

export interface RespServerLimits extends RequestLimits {
  readonly connectionsMax: number;
  /** Commands of one connection without a written reply; beyond it the connection is not read. */
  readonly pipelineMax: number;
  /** Reply bytes of one connection from which on it is not read further. */
  readonly outputPauseBytes: number;
  /** The same, where it is less, while the connections together hold more than their budget. */
  readonly crowdedPauseBytes: number;
  /** Reply bytes of one connection from which on it is closed. */
  readonly outputBytesMax: number;
  /** Bytes queued for all connections together, either way, where the server has no budget that it shares. */
  readonly queuedBytesMax: number;
  /** Bytes of incomplete commands of all connections together; the connection that crosses it is closed. */
  readonly inputBytesMax: number;
  /** A connection without any traffic is closed after this long; 0 = never. */
  readonly idleMs: number;
  /** A client that has sent its last byte is still there for what takes long, but not longer than this. */
  readonly halfClosedWaitMs: number;
  /** A connection whose replies were not taken for this long is closed. */
  readonly slowClientMs: number;
}

export const respServerLimits: RespServerLimits = {
  ...requestLimits,
  connectionsMax: 10_000,
  pipelineMax: 4_096,
  outputPauseBytes: 1024 * 1024,
  crowdedPauseBytes: 64 * 1024,
  outputBytesMax: 128 * 1024 * 1024,
  queuedBytesMax: 512 * 1024 * 1024,
  inputBytesMax: 512 * 1024 * 1024,
  idleMs: 0,
  halfClosedWaitMs: 5_000,
  slowClientMs: 60_000,
};

export function checkRespServerLimits(limits: RespServerLimits): void {
  assert(limits.outputPauseBytes < limits.outputBytesMax, 'I16: a client is slowed down before it is closed');
  assert(limits.bulkBytesMax <= limits.requestBytesMax, 'one argument fits into a request');
  assert(limits.requestBytesMax <= limits.inputBytesMax, 'one request fits into the memory for requests');
}
