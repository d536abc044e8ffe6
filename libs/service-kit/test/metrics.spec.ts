import { Histogram } from '@levee/kernel';
import { eventually } from '../../../test/support/deadline';
import { Metrics, metricsOf, type MetricPart } from '../src';
import { delaysOf } from '../src/metrics/event-loop-delay';

const parts = ['portal', 'data-node', 'master', 'dispatcher'] as const satisfies readonly MetricPart[];

describe('the list of metrics', () => {
  it.each(parts)('of a %s follows the conventions of Prometheus', (part) => {
    const wrong: string[] = [];
    const names = new Set<string>();
    for (const { name, kind, help, labels } of metricsOf(part)) {
      const is = (fits: boolean, what: string): unknown => fits || wrong.push(`${name}: ${what}`);
      is(/^levee(_[a-z0-9]+)+$/.test(name), 'a name is levee_ and words');
      is(!names.has(name), 'it is there twice');
      is(!/_([a-z0-9]+)_\1(_|$)/.test(name), 'a word is said twice in a row');
      is((kind === 'counter') === name.endsWith('_total'), 'counters, and only they, end with _total');
      is(kind !== 'histogram' || name.endsWith('_duration_seconds'), 'a histogram is of seconds');
      is(!/_(ms|millis|minutes|kib|mib|percent)(_|$)/.test(name), 'base units only: seconds, bytes, ratios');
      is(help.length > 15 && !help.includes(name), 'its help says more than its name');
      is(!labels.some((label) => ['le', 'part', 'node', 'instance'].includes(label)), 'that label is taken');
      names.add(name);
    }
    expect(wrong).toEqual([]);
  });

  it.each(parts)('of a %s takes each number once', (part) => {
    const numbers = metricsOf(part).flatMap((metric) => [...metric.numbers.keys()]);
    expect(numbers.filter((number, i) => numbers.indexOf(number) !== i)).toEqual([]);
  });
});

describe('what is scraped', () => {
  const metrics = new Metrics({ part: 'data-node', node: 'n1' });
  afterAll(() => metrics.close());
  const line = async (start: string): Promise<string | undefined> =>
    (await metrics.text()).split('\n').find((each) => each.startsWith(start));

  it('keeps a counter from falling when a part of what it counts is gone', async () => {
    let applied = 0;
    const read = async (value: number): Promise<string | undefined> => {
      applied = value;
      return line('levee_node_applied_records_total{');
    };
    metrics.numbersFrom('node', () => ({ recordsApplied: applied }));
    expect(await read(50)).toMatch(/ 50$/);
    expect(await read(20)).toMatch(/ 50$/);
    expect(await read(25)).toMatch(/ 55$/);
  });

  it('begins a counter anew when what it counts was gone, and loses nothing of what comes after', async () => {
    let reign: { batches: number } | undefined = { batches: 70 };
    const master = new Metrics({ part: 'master', instance: 'm1' });
    master.numbersFrom('master', () => reign ?? {});
    const batches = async (): Promise<string | undefined> =>
      /^levee_master_batches_total\{[^}]*\} (\d+)$/m.exec(await master.text())?.[1];
    expect(await batches()).toBe('70');
    reign = undefined;
    expect(await batches()).toBeUndefined();
    reign = { batches: 9 };
    expect(await batches()).toBe('9');
    reign = { batches: 12 };
    expect(await batches()).toBe('12');
    master.close();
  });

  it.each<readonly [ns: readonly [p50: number, p99: number, max: number], late: object]>([
    [[10e6, 10.5e6, 12e6], { p50: 0, p99: 0.5, max: 2 }],
    [[9.8e6, 60e6, 310e6], { p50: 0, p99: 50, max: 300 }],
    [[0, 0, 0], { p50: 0, p99: 0, max: 0 }],
  ])('says of looks at the event loop that were %j ns apart how late they were', ([p50, p99, max], late) => {
    const percentile = (percent: number): number => (percent === 50 ? p50 : p99);
    expect(delaysOf({ percentile, max })).toEqual(late);
  });

  it('has the event loop of this process', async () => {
    const longest = 'levee_event_loop_delay_seconds{quantile="1"';
    const delay = async (): Promise<number> => Number((await line(longest))?.split(' ').at(-1));
    const rest = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 30));
    await eventually('a timer that is late', async () => {
      // The first look after a scrape is compared with none.
      await delay();
      await rest();
      const untilMs = performance.now() + 200;
      while (performance.now() < untilMs);
      await rest();
      return (await delay()) > 0.15;
    });
  });

  it('has time in seconds, labels where the list has them, and nothing of a number that is none', async () => {
    metrics.numbersFrom('node_io', () => ({ copyRestedMs: 1_500, loopBusyMs: 2 }));
    metrics.numbersFrom('node', () => ({ diskFreeBytes: NaN, oldestAgeMs: Infinity }));
    expect(await line('levee_node_io_rested_seconds_total')).toBe(
      'levee_node_io_rested_seconds_total{class="copy",part="data-node",node="n1"} 1.5',
    );
    expect(await line('levee_node_loop_busy_seconds')).toMatch(/ 0.002$/);
    expect(await line('levee_node_disk_free_bytes')).toBeUndefined();
    expect(await line('levee_node_replica_age_seconds{')).toMatch(/ \+Inf$/);
  });

  it('has histograms with buckets that grow', async () => {
    const histogram = new Histogram();
    for (const ms of [0.05, 3, 40_000]) histogram.observe(ms);
    metrics.histogramsFrom('levee_node_apply_duration_seconds', () => [{ labels: {}, histogram }]);
    const text = await metrics.text();
    const found = (series: string): string[] =>
      [...text.matchAll(new RegExp(`^levee_node_apply_duration_seconds_${series} (\\S+)$`, 'gm'))].map(
        ([, value]) => value as string,
      );
    expect(text).toContain('# TYPE levee_node_apply_duration_seconds histogram');
    expect(found('bucket\\{le="0.0001",[^}]*\\}')).toEqual(['1']);
    expect(found('bucket\\{le="0.005",[^}]*\\}')).toEqual(['2']);
    expect(found('bucket\\{le="30",[^}]*\\}')).toEqual(['2']);
    expect(found('bucket\\{le="\\+Inf",[^}]*\\}')).toEqual(['3']);
    expect(found('sum\\{[^}]*\\}')).toEqual(['40.00305']);
    expect(found('count\\{[^}]*\\}')).toEqual(['3']);
    expect(found('bucket\\{[^}]*\\}')).toHaveLength(18);
  });

  it('leaves out what is not in the list, and says so', async () => {
    metrics.numbersFrom('node', () => ({ surprises: 1 }));
    expect(await metrics.text()).not.toContain('surprises');
    expect([...metrics.unlisted]).toEqual(['node_surprises']);
  });
});
