import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import { Gauge, Registry } from 'prom-client';

/** A flat snapshot of numbers, as `stats()` of a lib gives it; nested objects join their names with `_`. */
export interface Stats {
  readonly [name: string]: number | Stats;
}

/**
 * Prometheus metrics of one part of the process. Libs expose plain numbers; they are read when somebody scrapes,
 * so that counting costs the hot path nothing.
 */
export class Metrics {
  readonly registry = new Registry();
  private readonly collectors: (() => void)[] = [];
  private readonly loopDelay: IntervalHistogram;

  constructor(labels: Readonly<Record<string, string>> = {}) {
    this.registry.setDefaultLabels({ ...labels });
    this.loopDelay = monitorEventLoopDelay({ resolution: 10 });
    this.loopDelay.enable();
    this.gaugesFrom('process', () => {
      const memory = process.memoryUsage();
      return { resident_bytes: memory.rss, heap_used_bytes: memory.heapUsed, external_bytes: memory.external };
    });
    this.gaugesFrom('event_loop_delay_ms', () => {
      const delay = {
        p50: this.loopDelay.percentile(50) / 1e6,
        p99: this.loopDelay.percentile(99) / 1e6,
        max: this.loopDelay.max / 1e6,
      };
      this.loopDelay.reset();
      return delay;
    });
  }

  /**
   * Publishes every number of `read()` as `levee_<prefix>_<name>`, camelCase turned into snake_case.
   * The set of names may change from scrape to scrape.
   */
  gaugesFrom(prefix: string, read: () => Stats, labels: Readonly<Record<string, string>> = {}): void {
    const gauges = new Map<string, Gauge>();
    const labelNames = Object.keys(labels);
    const collect = (): void => {
      for (const [name, value] of flatten(prefix, read())) {
        let gauge = gauges.get(name);
        if (gauge === undefined) {
          const known = this.registry.getSingleMetric(name);
          gauge =
            known instanceof Gauge ? known : new Gauge({ name, help: name, labelNames, registers: [this.registry] });
          gauges.set(name, gauge);
        }
        gauge.set({ ...labels }, value);
      }
    };
    this.collectors.push(collect);
  }

  /** The text that Prometheus scrapes. */
  async text(): Promise<string> {
    for (const collect of this.collectors) collect();
    return this.registry.metrics();
  }

  close(): void {
    this.loopDelay.disable();
    this.registry.clear();
  }
}

function* flatten(prefix: string, stats: Stats): Generator<[string, number]> {
  for (const [name, value] of Object.entries(stats)) {
    const path = `${prefix}_${name}`;
    if (typeof value === 'number') yield [`levee_${snakeCase(path)}`, Number.isFinite(value) ? value : 0];
    else yield* flatten(path, value);
  }
}

const snakeCase = (name: string): string =>
  name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9_]/g, '_')
    .toLowerCase();
