/**
 * When a value expires in a namespace whose values expire with its topic's retention: once its record is `hiddenAfterMs`
 * old by the record's own time, or earlier, where the record says so (`expiresAtMs`, 0 = it does not). A function of the
 * record alone, so every reader says the same, whenever it read it. A record without a time (below 0) is as expired as one
 * of 1970: when the topic lets go of it, its time does not say. `hiddenAfterMs` null: only what the record says counts.
 */
export function expiryWithRetention(
  expiresAtMs: number,
  timestampMs: number,
  hiddenAfterMs: number | null | undefined,
): number {
  if (hiddenAfterMs === null || hiddenAfterMs === undefined) return expiresAtMs;
  const hiddenAtMs = timestampMs < 0 ? 1 : Math.min(Math.max(1, timestampMs + hiddenAfterMs), Number.MAX_SAFE_INTEGER);
  return expiresAtMs === 0 ? hiddenAtMs : Math.min(expiresAtMs, hiddenAtMs);
}
