/** 2020-01-01: leader epochs are 32 bits, enough for seconds until 2088. */
const epochsBeganAtMs = 1_577_836_800_000;

/**
 * [safety] The leader epoch of an opening: above every known one, and by the clock, so that it was never used before
 * even when the folder is an older copy that has forgotten the later ones. A reader that saw what is gone would else
 * meet its own epoch again, grown with other records, and could not tell (I2).
 */
export function nextEpoch(known: readonly number[], nowMs: number): number {
  return Math.max(...known.map((epoch) => epoch + 1), Math.floor(Math.max(0, nowMs - epochsBeganAtMs) / 1000));
}
