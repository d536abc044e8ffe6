import { StoreFailure } from '@levee/client';
import { RepeatedWrites } from './repeated-writes';

let nowMs = 0;
const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
const fresh = (idsMax = 10): RepeatedWrites<number> => new RepeatedWrites(clock, { rememberMs: 600_000, idsMax });

/** Writes and counts; the n-th write gives n, or fails as told. */
function writer(failure?: Error): { write: () => Promise<number>; done: () => number } {
  let done = 0;
  return { write: () => (done++, failure ? Promise.reject(failure) : Promise.resolve(done)), done: () => done };
}

describe('a write with a request id', () => {
  it('happens once, however often it is asked for, before and after it is done', async () => {
    const writes = fresh();
    const { write, done } = writer();
    const first = writes.run('a', 'x', write);
    const second = writes.run('a', 'x', write);
    expect([await first.outcome, await second.outcome]).toEqual([1, 1]);
    expect(await writes.run('a', 'x', write).outcome).toBe(1);
    expect([first.joined, second.joined, done()]).toEqual([false, true, 1]);
    expect(await writes.run('b', 'x', write).outcome).toBe(2);
  });

  it('is refused when the id was of another write', () => {
    const writes = fresh();
    const { write, done } = writer();
    writes.run('a', 'x', write);
    nowMs += 3_000;
    expect(() => writes.run('a', 'y', write)).toThrow("request id 'a' was used for another write 3 s ago");
    expect(done()).toBe(1);
  });

  it.each<[string, Error, number]>([
    ['what is unknown', new StoreFailure('LVINDEFINITE', 'no answer'), 1],
    ['what is pending', new StoreFailure('LVPENDING', '0:7 logged'), 1],
    ['what went wrong here', new TypeError('bug'), 1],
    ['what certainly did not happen: it is done again', new StoreFailure('LVDEFINITE', 'no broker'), 2],
    ['a refusal: it is done again', new StoreFailure('LVLIMIT', 'too many'), 2],
  ])('keeps %s', async (_what, failure, times) => {
    const writes = fresh();
    const { write, done } = writer(failure);
    await expect(writes.run('a', 'x', write).outcome).rejects.toBe(failure);
    await expect(writes.run('a', 'x', write).outcome).rejects.toBe(failure);
    expect(done()).toBe(times);
  });

  it('is forgotten after ten minutes, or when too many came after it', async () => {
    const writes = fresh(3);
    const { write } = writer();
    await writes.run('a', 'x', write).outcome;
    nowMs += 600_001;
    expect(writes.run('a', 'x', write).joined).toBe(false);
    for (const id of ['b', 'c', 'd']) writes.run(id, 'x', write);
    expect(writes.stats()).toEqual({ joined: 0, forgottenEarly: 1, ids: 3 });
    expect([writes.run('d', 'x', write).joined, writes.run('a', 'x', write).joined]).toEqual([true, false]);
  });

  it('is never done again when it is asked after, be it the oldest of too many or as old as may be', async () => {
    const writes = fresh(3);
    const { write, done } = writer();
    const sentAtMs = nowMs;
    for (const id of ['a', 'b', 'c']) await writes.run(id, 'x', write).outcome;
    nowMs += 5_000;
    expect(writes.remembersSince(nowMs - sentAtMs + 1)).toBe(true);
    expect([await writes.run('a', 'x', write).outcome, done()]).toEqual([1, 3]);
    nowMs += 595_001;
    // Nothing came meanwhile that would have made it forget.
    expect(writes.remembersSince(nowMs - sentAtMs)).toBe(false);
  });
});
