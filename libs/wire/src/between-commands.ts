/** Of a client that is not known yet. */
export const restMsAtFirst = 750;
/** Many times what a command is under way on a network. */
const quietMsMin = 20;
const quietMsMax = 250;

/** As much of a connection as is looked at. */
interface Asking {
  readonly outstanding: number;
  readonly holdBytes: number;
  readonly lastActiveMs: number;
  readonly longestRestMs: number;
}

/**
 * Nothing is under way, in part or queued, and the client is early in one of its rests: a third of it has passed, so that
 * a slow client is not taken for one that rests, and a third is still to come. Or it has rested for longer than it does.
 */
export function isBetweenCommands(client: Asking, nowMs: number): boolean {
  const { outstanding, holdBytes, lastActiveMs, longestRestMs } = client;
  const restedMs = nowMs - lastActiveMs;
  const quietMs = Math.min(quietMsMax, Math.max(quietMsMin, longestRestMs / 3));
  const isLate = restedMs > (longestRestMs * 2) / 3 && restedMs <= longestRestMs * 1.5;
  return outstanding === 0 && holdBytes === 0 && restedMs >= quietMs && !isLate;
}
