import { assert } from '@levee/kernel';

/** Milliseconds throughout. */
export interface LivenessLimits {
  /** Time between two heartbeats of any process. */
  readonly heartbeatMs: number;
  /** Proven silence after which a node is suspect. */
  readonly suspectAfterMs: number;
  /** The same while enough others report errors towards it. */
  readonly reportedSuspectAfterMs: number;
  /** Proven silence after which a suspect node is given up. */
  readonly lostAfterMs: number;
  /** Two looks further apart than this prove nothing about the time between them. */
  readonly gapMsMax: number;
  /** A report counts for so long. */
  readonly reportWindowMs: number;
  /** So many different processes must report errors. */
  readonly reportersMin: number;
  /** Heartbeats in a row after which a silent node is believed to be back: one alone may be the last of a queue. */
  readonly beatsToRevive: number;
}

/** Limits for a cluster whose processes send heartbeats every `heartbeatMs`. Throws InvariantViolation for impossible ones. */
export function livenessLimits(of: { readonly heartbeatMs: number; readonly lostAfterMs: number }): LivenessLimits {
  const { heartbeatMs, lostAfterMs } = of;
  const limits: LivenessLimits = {
    heartbeatMs,
    lostAfterMs,
    suspectAfterMs: Math.max(1_500, heartbeatMs * 5),
    reportedSuspectAfterMs: Math.max(700, heartbeatMs * 2.5),
    gapMsMax: heartbeatMs * 3,
    reportWindowMs: Math.max(1_000, heartbeatMs * 2),
    reportersMin: 2,
    beatsToRevive: 3,
  };
  checkLivenessLimits(limits);
  return limits;
}

export function checkLivenessLimits(limits: LivenessLimits): void {
  const { heartbeatMs, suspectAfterMs, reportedSuspectAfterMs, lostAfterMs, gapMsMax, reportWindowMs } = limits;
  assert(heartbeatMs > 0 && heartbeatMs * 3 < suspectAfterMs, 'a node survives two lost heartbeats');
  assert(heartbeatMs * 2 < reportedSuspectAfterMs, 'a node that others complain about survives one lost heartbeat');
  assert(reportedSuspectAfterMs <= suspectAfterMs, 'reports speed suspicion up');
  assert(
    suspectAfterMs < lostAfterMs,
    `a node is suspect (${suspectAfterMs} ms) before it is lost (${lostAfterMs} ms)`,
  );
  assert(heartbeatMs < gapMsMax && gapMsMax < suspectAfterMs, 'one look alone never makes a node suspect');
  assert(heartbeatMs < reportWindowMs, 'reports of two heartbeats meet');
  assert(limits.reportersMin >= 2, 'one reporter may be the one cut off');
  assert(limits.beatsToRevive >= 1, 'I18: a node that is never heard never returns');
}
