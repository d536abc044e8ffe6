import type { Clock } from './clock';
import { Histogram, type LabelledHistogram } from './histogram';

/** What a request asks for; `other`: no data. */
const requestKinds = ['read', 'write', 'scan', 'other'] as const;
export type RequestKind = (typeof requestKinds)[number];

/** What became of a request, each with what it means; metrics and their page have these words. */
export const requestOutcomes = {
  ok: 'answered as asked; that there is no such key is an answer',
  refused: 'not done because of what was asked, or by whom',
  limited: 'not done because a limit was reached',
  failed: 'not done because this cluster, or its log, could not',
  pending: 'done and logged, but not confirmed by all who were asked',
  unknown: 'nobody knows whether it was done',
  abandoned: 'nobody waited for the answer: the client hung up (HTTP)',
} as const;
export type RequestOutcome = keyof typeof requestOutcomes;

export const requestTimesLimits = {
  /** Namespaces whose requests are timed apart, at one door since the start; those after them are counted together. */
  namespacesMax: 32,
} as const;

/** Stands for the namespaces beyond the limit; no namespace has such a name. */
export const otherNamespaces = '(others)';

const outcomeByCode: ReadonlyMap<string, RequestOutcome> = new Map([
  ...['LVPENDING', 'LVUNCOUNTED'].map((code) => [code, 'pending'] as const),
  ...['LVINDEFINITE', 'LVPARTIAL', 'OUTCOME_UNKNOWN'].map((code) => [code, 'unknown'] as const),
  ...['LVLIMIT', 'LVFULL', 'LIMIT', 'TOO_LARGE'].map((code) => [code, 'limited'] as const),
  ...[
    ...['LVDEFINITE', 'LVUNAVAILABLE', 'LVBEHIND', 'LVSTALE', 'LVNOTREADY', 'LVSTOPPING', 'LVSTOPPED', 'LVSOURCE'],
    ...['LVUNREADABLE', 'DEADLINE', 'INTERNAL', 'UNAVAILABLE', 'NOT_READY', 'STOPPING', 'LOG_UNAVAILABLE'],
    ...['LOG_TRUNCATED', 'RECORD_CORRUPT'],
  ].map((code) => [code, 'failed'] as const),
]);

/** Of an error by its code; `undefined` = there was none. */
export function outcomeOf(code: string | undefined): RequestOutcome {
  return code === undefined ? 'ok' : (outcomeByCode.get(code) ?? 'refused');
}

/** How long something took, by what became of it. */
export class OutcomeTimes {
  private readonly ok = new Histogram();
  private readonly others = new Map<RequestOutcome, Histogram>();

  constructor(private readonly clock: Pick<Clock, 'monotonicMs'>) {}

  /** It began at `beganAtMs` (monotonic) and is over now, with an error of this code or none. */
  over(beganAtMs: number, code: string | undefined): void {
    this.observe(outcomeOf(code), this.clock.monotonicMs() - beganAtMs);
  }

  observe(outcome: RequestOutcome, ms: number): void {
    if (outcome === 'ok') return this.ok.observe(ms);
    let histogram = this.others.get(outcome);
    if (histogram === undefined) this.others.set(outcome, (histogram = new Histogram()));
    histogram.observe(ms);
  }

  /** `ok` is there from the start, the others once they happened. */
  *all(): Generator<LabelledHistogram> {
    yield { labels: { outcome: 'ok' }, histogram: this.ok };
    for (const [outcome, histogram] of this.others) yield { labels: { outcome }, histogram };
  }
}

export type KindTimes = Readonly<Record<RequestKind, OutcomeTimes>>;

/** How long the requests of one door took, by namespace, kind and outcome. */
export class RequestTimes {
  /** Of requests on no namespace, or on none that is there. */
  readonly ofNone: KindTimes;
  private readonly byNamespace = new Map<string, KindTimes>();

  constructor(
    private readonly door: string,
    private readonly clock: Pick<Clock, 'monotonicMs'>,
    private readonly namespacesMax: number = requestTimesLimits.namespacesMax,
  ) {
    this.ofNone = this.fresh();
  }

  /** Only for a namespace that is there: names that people make up would use up the limit. */
  of(namespace: string): KindTimes {
    return this.byNamespace.get(namespace) ?? this.begin(namespace);
  }

  *all(): Generator<LabelledHistogram> {
    for (const [namespace, kinds] of [['', this.ofNone] as const, ...this.byNamespace])
      for (const kind of requestKinds)
        for (const { labels, histogram } of kinds[kind].all())
          if (histogram.count > 0) yield { labels: { door: this.door, kind, namespace, ...labels }, histogram };
  }

  private begin(namespace: string): KindTimes {
    const hasRoom = this.byNamespace.size < this.namespacesMax;
    const name = hasRoom ? namespace : otherNamespaces;
    let times = this.byNamespace.get(name);
    if (times === undefined) this.byNamespace.set(name, (times = this.fresh()));
    return times;
  }

  private fresh(): KindTimes {
    const times = (): OutcomeTimes => new OutcomeTimes(this.clock);
    return { read: times(), write: times(), scan: times(), other: times() };
  }
}
