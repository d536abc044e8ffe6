import fc from 'fast-check';
import { RoundTrips } from './round-trips';

const of = (samples: Iterable<number>): RoundTrips => {
  const trips = new RoundTrips();
  for (const ms of samples) trips.add(ms);
  return trips;
};

describe('recent round trips', () => {
  it('say nothing while they are few', () => {
    expect(of(Array(19).fill(1) as number[]).p99Ms).toBeUndefined();
    expect(of(Array(20).fill(1) as number[]).p99Ms).toBeGreaterThan(0.9);
  });

  it.each([0.01, 0.3, 1, 7, 42, 999, 60_000])('of %d ms all: p99 is that, within a fifth', (ms) => {
    const { p99Ms } = of(Array(500).fill(ms) as number[]);
    expect(p99Ms).toBeGreaterThanOrEqual(ms);
    expect(p99Ms).toBeLessThanOrEqual(Math.max(0.05, ms * 1.2001));
  });

  it('forget what was long ago', () => {
    const trips = of(Array(2_000).fill(200) as number[]);
    for (let i = 0; i < 8_000; i++) trips.add(1);
    expect(trips.p99Ms).toBeLessThan(2);
  });

  it('are not below the exact p99, and at most a fifth above it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.06, max: 10_000, noNaN: true }), { minLength: 100, maxLength: 900 }),
        (samples) => {
          const sorted = [...samples].sort((a, b) => a - b);
          const exact = sorted[Math.ceil(samples.length * 0.99) - 1] as number;
          const { p99Ms } = of(samples);
          expect(p99Ms).toBeGreaterThanOrEqual(exact * 0.9999);
          expect(p99Ms).toBeLessThanOrEqual(exact * 1.2001);
        },
      ),
    );
  });
});
