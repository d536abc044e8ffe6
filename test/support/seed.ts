/** The run's seed, printed by the test command; LEVEE_TEST_SEED repeats it. */
export const seed = Number(process.env.LEVEE_TEST_SEED ?? 1);

/** True under `npm run test:full`: the counts that the issues name. */
export const full = process.env.LEVEE_TEST_FULL === '1';

/** The bound of a figure in ms: a full run asserts it; a quick one, on whatever machine, five times as much. */
export const bound = (figureMs: number): number => (full ? figureMs : 5 * figureMs);

/** mulberry32 (Tommy Ettinger): small, fast, repeatable dice for tests, uniform in [0, 1). */
export function dice(from: number = seed): () => number {
  let state = from >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
