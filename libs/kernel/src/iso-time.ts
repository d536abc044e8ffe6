/** The latest time that a date can say, ms since 1970. */
const dateMsMax = 8.64e15;

/** A time for people. Records and tokens of strangers bring times beyond dates, at which `toISOString` throws. */
export function isoTime(ms: number): string {
  return Math.abs(ms) <= dateMsMax ? new Date(ms).toISOString() : `${ms} ms since 1970`;
}
