import { type Metric, Registry } from 'prom-client';
import { featureLevel } from '@levee/events';
import { histogramBoundsMs, type LabelledHistogram } from '@levee/kernel';
import { EventLoopDelay } from './event-loop-delay';
import { type ListedMetric, type MetricPart, publishedValue } from './listed-metric';
import { metricsOf } from './metric-list';

/** A flat snapshot of numbers, as `stats()` of a lib gives it; nested objects join their names with `_`. */
export interface Stats {
  readonly [name: string]: number | Stats;
}

interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  /** Of a series of a histogram, which differs from the metric's. */
  readonly metricName?: string;
}

/**
 * Prometheus metrics of one part of the process. Libs count in plain numbers and histograms; they are read when
 * somebody scrapes, so that the hot path knows no library, and builds no labels. What is published is in the list:
 * a number that is not in it is kept in `unlisted` and not published.
 */
export class Metrics {
  readonly unlisted = new Set<string>();
  private readonly registry = new Registry();
  private readonly listed = new Map<string, ListedMetric>();
  private readonly byNumber = new Map<string, ListedMetric>();
  private readonly numbers: (() => Iterable<[string, number]>)[] = [];
  private readonly histograms = new Map<string, (() => Iterable<LabelledHistogram>)[]>();
  private readonly samples = new Map<string, Sample[]>();
  /** Numbers of this scrape. */
  private readonly told = new Set<string>();
  private readonly counted = new Map<string, { last: number; total: number }>();
  private readonly loopDelay = new EventLoopDelay();
  private readonly startedAtMs = Math.round(performance.timeOrigin);

  constructor(labels: Readonly<Record<string, string>> & { readonly part: MetricPart }) {
    for (const metric of metricsOf(labels.part)) {
      this.listed.set(metric.name, metric);
      for (const number of metric.numbers.keys()) this.byNumber.set(number, metric);
    }
    this.registry.setDefaultLabels({ ...labels });
    this.numbersFrom('process', () => {
      const memory = process.memoryUsage();
      const bytes = { residentBytes: memory.rss, heapUsedBytes: memory.heapUsed, externalBytes: memory.external };
      return { ...bytes, featureLevel, startedAtMs: this.startedAtMs };
    });
    this.numbersFrom('event_loop_delay_ms', () => this.loopDelay.read());
  }

  /** Publishes the numbers of `read()`, which are `<prefix>_<name>` in the list; names may come and go. */
  numbersFrom(prefix: string, read: () => Stats): void {
    this.numbers.push(() => flatten(prefix, read()));
  }

  /** Publishes histograms as the metric `name`; several sources of one metric differ by their labels. */
  histogramsFrom(name: string, read: () => Iterable<LabelledHistogram>): void {
    this.histograms.set(name, [...(this.histograms.get(name) ?? []), read]);
  }

  /** The text that Prometheus scrapes. */
  async text(): Promise<string> {
    for (const samples of this.samples.values()) samples.length = 0;
    this.told.clear();
    for (const read of this.numbers) for (const [number, value] of read()) this.publish(number, value);
    // What counts no more, as a reign that is over, is counted from 0 by whatever comes after it.
    for (const number of this.counted.keys()) if (!this.told.has(number)) this.counted.delete(number);
    for (const [name, sources] of this.histograms)
      for (const read of sources)
        for (const { labels, histogram } of read())
          for (const sample of samplesOf(name, labels, histogram)) this.samplesOf(name)?.push(sample);
    return this.registry.metrics();
  }

  close(): void {
    this.loopDelay.close();
    this.registry.clear();
  }

  private publish(number: string, value: number): void {
    const metric = this.byNumber.get(number);
    if (metric === undefined) return void this.unlisted.add(number);
    this.told.add(number);
    const known = metric.kind === 'counter' ? this.total(number, value) : value;
    // NaN: there is no such number at the moment.
    if (Number.isNaN(known)) return;
    const labels = metric.numbers.get(number) ?? {};
    this.samplesOf(metric.name)?.push({ labels, value: publishedValue(metric, number, known) });
  }

  /** A sum over parts falls when one of them goes; what it has counted stays counted. */
  private total(number: string, value: number): number {
    let counted = this.counted.get(number);
    if (counted === undefined) this.counted.set(number, (counted = { last: 0, total: 0 }));
    counted.total += Math.max(0, value - counted.last);
    counted.last = value;
    return counted.total;
  }

  /** Where samples of a metric go until the scrape is over. A metric appears with its first one. */
  private samplesOf(name: string): Sample[] | undefined {
    const known = this.samples.get(name);
    if (known !== undefined) return known;
    const metric = this.listed.get(name);
    if (metric === undefined) return void this.unlisted.add(name);
    const samples: Sample[] = [];
    this.samples.set(name, samples);
    const { help, kind } = metric;
    const get = () => Promise.resolve({ name, help, type: kind, values: samples, aggregator: 'sum' });
    // What the registry asks of a metric: its name, and this. Its own kinds keep values; ours are read.
    this.registry.registerMetric({ name, get } as unknown as Metric);
    return samples;
  }
}

function* samplesOf(
  name: string,
  labels: Sample['labels'],
  { counts, sumMs }: LabelledHistogram['histogram'],
): Generator<Sample> {
  let sum = 0;
  for (const [i, count] of counts.entries()) {
    sum += count;
    const boundMs = histogramBoundsMs[i];
    const le = boundMs === undefined ? '+Inf' : String(boundMs / 1_000);
    yield { labels: { ...labels, le }, value: sum, metricName: `${name}_bucket` };
  }
  yield { labels, value: sumMs / 1_000, metricName: `${name}_sum` };
  yield { labels, value: sum, metricName: `${name}_count` };
}

function* flatten(prefix: string, stats: Stats): Generator<[string, number]> {
  for (const [name, value] of Object.entries(stats)) {
    const path = `${prefix}_${name}`;
    if (typeof value === 'number') yield [snakeCase(path), value];
    else yield* flatten(path, value);
  }
}

const snakeCase = (name: string): string =>
  name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9_]/g, '_')
    .toLowerCase();
