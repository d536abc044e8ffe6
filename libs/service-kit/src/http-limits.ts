import { assert } from '@levee/kernel';

export interface HttpLimits {
  readonly connectionsMax: number;
  /** The same of one address. */
  readonly connectionsOfAddressMax: number;
  /** A request must have arrived with its last byte by then. */
  readonly requestMs: number;
  /** The same for its head. */
  readonly headMs: number;
  /** How often connections are looked at. */
  readonly lookMs: number;
  /** A connection whose answer was not taken for so long is closed, later where much waits: see `bytesPerMsMin`. */
  readonly untakenMs: number;
  readonly bytesPerMsMin: number;
  /**
   * While all connections of the process hold more than its network budget: who holds more than `smallBytes`, and has
   * moved less than that in this time, is closed, and large requests are refused.
   */
  readonly crowdedMs: number;
  readonly smallBytes: number;
  /** Deepest nesting of arrays and objects in a body. */
  readonly jsonDepthMax: number;
  /** From the begin of a close until who has not taken an answer is hung up on. */
  readonly drainMs: number;
  /** The same of a connection on which no request has come: it may just be on its way. */
  readonly unusedMs: number;
}

export const httpLimits: HttpLimits = {
  connectionsMax: 4_096,
  connectionsOfAddressMax: Infinity,
  requestMs: 30_000,
  headMs: 10_000,
  lookMs: 250,
  untakenMs: 60_000,
  bytesPerMsMin: 64,
  crowdedMs: 2_000,
  smallBytes: 64 * 1024,
  jsonDepthMax: 32,
  drainMs: 2_000,
  unusedMs: 200,
};

export function checkHttpLimits(limits: HttpLimits): void {
  assert(limits.headMs <= limits.requestMs, 'a head is a part of its request');
  assert(limits.lookMs * 4 <= limits.crowdedMs, 'who moves is seen moving');
  assert(limits.unusedMs < limits.drainMs, 'who asked for nothing is not waited for as long as who takes no answer');
  assert(limits.crowdedMs <= limits.untakenMs, 'in a crowd who moves nothing goes earlier');
}
