/** A process, as the label `part` has it. */
export type MetricPart = 'portal' | 'data-node' | 'master' | 'dispatcher';

type Labels = Readonly<Record<string, string>>;

/** A metric as people read it. */
export interface ListedMetric {
  readonly name: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  /** What it says, and its unit. */
  readonly help: string;
  readonly labels: readonly string[];
  /** Numbers of `stats()`, by name, that it is made of, each with its labels; none of a histogram. */
  readonly numbers: ReadonlyMap<string, Labels>;
  /** Where it is not always there: when it is. */
  readonly only?: string;
}

/** One number, or several that differ by one label: its values, each with the number it is of. */
type From = string | { readonly label: string; readonly of: Readonly<Record<string, string>> };

function made(kind: 'counter' | 'gauge', name: string, help: string, from: From, only?: string): ListedMetric {
  const rest = only === undefined ? {} : { only };
  if (typeof from === 'string') return { name, kind, help, labels: [], numbers: new Map([[from, {}]]), ...rest };
  const numbers = new Map(Object.entries(from.of).map(([value, number]) => [number, { [from.label]: value }]));
  return { name, kind, help, labels: [from.label], numbers, ...rest };
}

/** Only grows, until its process ends. */
export const counter = (name: string, help: string, from: From, only?: string): ListedMetric =>
  made('counter', name, help, from, only);

export const gauge = (name: string, help: string, from: From, only?: string): ListedMetric =>
  made('gauge', name, help, from, only);

/** In seconds. */
export const histogram = (name: string, help: string, labels: readonly string[], only?: string): ListedMetric => ({
  ...{ name, kind: 'histogram', help, labels, numbers: new Map() },
  ...(only === undefined ? {} : { only }),
});

/** A number as its metric has it: Prometheus counts time in seconds, the code in ms. */
export function publishedValue(metric: ListedMetric, number: string, value: number): number {
  if (!/_ms(_|$)/.test(number) || !/_seconds(_|$)/.test(metric.name)) return value;
  return value / 1_000;
}
