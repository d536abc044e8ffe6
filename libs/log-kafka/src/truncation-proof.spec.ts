import { type Denial, isProven, nextProof, noProof } from './truncation-proof';

const rule = { needed: 3, apartMs: 100, readEpoch: 6 };
const denial = (atMs: number, confirmedMs = atMs - 1, leaderEpoch = 6): Denial => ({ atMs, leaderEpoch, confirmedMs });

describe('when a log is believed to have been cut', () => {
  it.each<[string, Denial[], number]>([
    ['three, apart, each confirmed since the one before', [denial(0), denial(100), denial(200)], 3],
    ['a newer epoch denies as well as ours', [denial(0, -1, 7), denial(100, 99, 7), denial(200, 199, 8)], 3],
    ['an epoch below what was read is a broker behind', [denial(0, -1, 5), denial(100, 99, 5), denial(200, 199, 5)], 0],
    ['nobody confirmed the leader', [denial(0, -Infinity), denial(100, -Infinity), denial(200, -Infinity)], 0],
    ['confirmed before the last one only', [denial(0), denial(100, -1), denial(200, -1)], 1],
    ['three within 30 ms', [denial(0), denial(10), denial(30)], 1],
    [
      'those too early do not push the next one back',
      [denial(0), denial(60), denial(100), denial(160), denial(200)],
      3,
    ],
  ])('%s', (_name, denials, count) => {
    const proof = denials.reduce((before, next) => nextProof(before, next, rule), noProof);
    expect(proof.count).toBe(count);
    expect(isProven(proof, rule)).toBe(count >= 3);
  });
});
