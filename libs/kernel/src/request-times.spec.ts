import { Histogram, histogramBoundsMs } from './histogram';
import { otherNamespaces, outcomeOf, RequestTimes } from './request-times';

describe('a histogram', () => {
  it.each([
    [0, 0],
    [-5, 0],
    [0.1, 0],
    [0.1001, 1],
    [1, 3],
    [30_000, histogramBoundsMs.length - 1],
    [30_001, histogramBoundsMs.length],
    [Infinity, histogramBoundsMs.length],
  ])('counts %d ms in bucket %d', (ms, bucket) => {
    const histogram = new Histogram();
    histogram.observe(ms);
    expect(histogram.counts.indexOf(1)).toBe(bucket);
    expect(histogram.count).toBe(1);
  });

  it('sums what it was told, without times below 0', () => {
    const histogram = new Histogram();
    for (const ms of [1, 2.5, -7]) histogram.observe(ms);
    expect([histogram.count, histogram.sumMs]).toEqual([3, 3.5]);
  });
});

it.each([
  [undefined, 'ok'],
  ['LVPENDING', 'pending'],
  ['LVINDEFINITE', 'unknown'],
  ['LVLIMIT', 'limited'],
  ['LVUNAVAILABLE', 'failed'],
  ['LVNAMESPACE', 'refused'],
  ['INTERNAL', 'failed'],
  ['NOPERM', 'refused'],
  ['ERR', 'refused'],
] as const)('an answer with the code %s is %s', (code, outcome) => expect(outcomeOf(code)).toBe(outcome));

describe('times of requests', () => {
  const time = { now: 100, monotonicMs: () => time.now };
  const shown = (times: RequestTimes): string[] =>
    [...times.all()].map(
      ({ labels: { door, kind, namespace, outcome }, histogram: { count, sumMs } }) =>
        `${door} ${kind} ${namespace} ${outcome} ${count} ${sumMs}`,
    );

  it('are told apart by door, namespace, kind and outcome', () => {
    const times = new RequestTimes('resp', time);
    times.of('shop').read.over(90, undefined);
    times.of('shop').read.over(95, undefined);
    times.of('shop').write.over(40, 'LVINDEFINITE');
    times.ofNone.other.over(99, 'ERR');
    expect(shown(times)).toEqual(['resp other  refused 1 1', 'resp read shop ok 2 15', 'resp write shop unknown 1 60']);
  });

  it('of more namespaces than the limit are counted together, so that the series stay bounded', () => {
    const times = new RequestTimes('http', time, 2);
    for (let i = 0; i < 1_000; i++) times.of(`n${i}`).read.over(99, undefined);
    times.of('n1').read.over(99, undefined);
    expect(shown(times)).toEqual([
      'http read n0 ok 1 1',
      'http read n1 ok 2 2',
      `http read ${otherNamespaces} ok 998 998`,
    ]);
  });
});
