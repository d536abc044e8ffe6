import { assert } from '@levee/kernel';
import { requestLimits, type RequestLimits } from './request-parser';

export interface RespServerLimits extends RequestLimits {
  readonly connectionsMax: number;
  /** The same of one address. */
  readonly connectionsOfAddressMax: number;
  /** Who has not said who he is for so long, where the service asks, is closed. */
  readonly strangerMs: number;
  /** Commands of one connection without a written reply; beyond it the connection is not read. */
  readonly pipelineMax: number;
  /** So many are begun at a time before other connections have their turn. */
  readonly turnCommandsMax: number;
  /** Connections have their turns for so long before what has arrived meanwhile is looked at. */
  readonly turnsMs: number;
  /** So much input is read between two rounds of turns, and a piece more of each connection that sends much. */
  readonly turnInputBytesMax: number;
  /** What the arguments of such commands may take; beyond it none is begun before some are answered. */
  readonly pipelineBytesMax: number;
  /** Reply bytes of one connection from which on none of its commands is begun. */
  readonly outputPauseBytes: number;
  /**
   * Bytes of commands that one connection may send ahead while its replies wait: most clients write a whole pipeline
   * before they read. Once it is full, replies may take as much before commands wait again.
   */
  readonly inputAheadBytes: number;
  /** Instead of both, where it is less, while the connections together hold more than their budget. */
  readonly crowdedPauseBytes: number;
  /** Reply bytes of one connection from which on it is closed. */
  readonly outputBytesMax: number;
  /** Bytes queued for all connections together, either way, where the server has no budget that it shares. */
  readonly queuedBytesMax: number;
  /** Bytes of all connections that no command was made of yet; beyond it the one that holds most is closed. */
  readonly inputBytesMax: number;
  /** Commands of one connection that wait to be begun together: as many as one command may have arguments. */
  readonly deferredCommandsMax: number;
  /** The same in bytes: as many as one command may have. */
  readonly deferredBytesMax: number;
  /** A connection that has such, and is silent for so long, is closed: nothing of them is begun. */
  readonly deferredSilentMs: number;
  /** A command must be complete so long after its first byte, and longer for large ones: see `bytesPerMsMin`. */
  readonly unfinishedMs: number;
  /** Whoever sends or takes more slowly than this has less time than the rest of these limits say. */
  readonly bytesPerMsMin: number;
  /** A connection without any traffic is closed after this long; 0 = never. */
  readonly idleMs: number;
  /** A client that has sent its last byte is still there for what takes long, but not longer than this. */
  readonly halfClosedWaitMs: number;
  /** A connection whose replies were not taken for this long is closed. */
  readonly slowClientMs: number;
  /** The same, while the connections together hold more than their budget. */
  readonly crowdedSlowMs: number;
}

export const respServerLimits: RespServerLimits = {
  ...requestLimits,
  connectionsMax: 10_000,
  connectionsOfAddressMax: Infinity,
  strangerMs: 60_000,
  pipelineMax: 4_096,
  turnCommandsMax: 128,
  turnsMs: 3,
  turnInputBytesMax: 1024 * 1024,
  pipelineBytesMax: 8 * 1024 * 1024,
  outputPauseBytes: 1024 * 1024,
  inputAheadBytes: requestLimits.requestBytesMax,
  crowdedPauseBytes: 64 * 1024,
  outputBytesMax: 128 * 1024 * 1024,
  queuedBytesMax: 256 * 1024 * 1024,
  inputBytesMax: 256 * 1024 * 1024,
  deferredCommandsMax: requestLimits.argumentsMax,
  deferredBytesMax: requestLimits.requestBytesMax,
  deferredSilentMs: 600_000,
  unfinishedMs: 30_000,
  bytesPerMsMin: 64,
  idleMs: 0,
  halfClosedWaitMs: 5_000,
  slowClientMs: 60_000,
  crowdedSlowMs: 2_000,
};

export function checkRespServerLimits(limits: RespServerLimits): void {
  assert(limits.outputPauseBytes < limits.outputBytesMax, 'I16: a client is slowed down before it is closed');
  assert(limits.crowdedSlowMs <= limits.slowClientMs, 'in a crowd those who take nothing go earlier');
  assert(limits.bulkBytesMax <= limits.requestBytesMax, 'one argument fits into a request');
  assert(limits.requestBytesMax <= limits.inputBytesMax, 'one request fits into the memory for requests');
}
