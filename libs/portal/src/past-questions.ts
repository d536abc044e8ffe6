import {
  type AuditWorld,
  type ExplainedThen,
  explainThen,
  type Moment,
  type RoutesThen,
  routesThen,
} from '@levee/audit';
import type { ControlTopics } from '@levee/journal';
import { ByteRate, Failure } from '@levee/kernel';
import { type Log, systemClock, systemTimers } from '@levee/log';

const pastLimits = {
  /** Questions at once: each folds the journal from its start. */
  atOnce: 2,
  /** Reading beside clients, and taken so much at a time, so that they wait little. */
  bytesPerSecond: 16 * 1024 * 1024,
  bytesMax: 64 * 1024,
  deadlineMs: 600_000,
} as const;

interface Asked {
  readonly moment: Moment;
  /** The asker is gone. */
  readonly signal: AbortSignal;
}

/** The control plane's past, from the journal alone, as `levee audit` tells it from a log that it opens itself. */
export class PastQuestions {
  private running = 0;

  constructor(
    private readonly log: Log,
    private readonly topics: ControlTopics,
  ) {}

  /** Fails with LIMIT, NAMESPACE_UNKNOWN, INTERRUPTED and as the log does. */
  routes(namespace: string, asked: Asked): Promise<RoutesThen> {
    return this.ask(asked, (world, how) => routesThen(world, { namespace, ...how }));
  }

  /** Fails with LIMIT, NOT_FOUND, INTERRUPTED and as the log does. */
  explain(subject: string, asked: Asked): Promise<ExplainedThen> {
    return this.ask(asked, (world, how) => explainThen(world, { subject, ...how }));
  }

  private async ask<T>(
    { moment, signal }: Asked,
    question: (world: AuditWorld, how: { readonly moment: Moment; readonly bytesMax: number }) => Promise<T>,
  ): Promise<T> {
    const { atOnce, bytesPerSecond, bytesMax, deadlineMs } = pastLimits;
    if (this.running >= atOnce)
      throw new Failure(
        'LIMIT',
        `${this.running} questions about the past are being answered here: ask again in a while`,
      );
    this.running++;
    const late = new AbortController();
    const cancel = systemTimers.after(deadlineMs, () => late.abort());
    try {
      const world: AuditWorld = {
        ...{ log: this.log, topics: this.topics, clock: systemClock },
        signal: AbortSignal.any([signal, late.signal]),
        rate: new ByteRate(bytesPerSecond, systemClock, systemTimers),
      };
      return await question(world, { moment, bytesMax });
    } finally {
      cancel();
      this.running--;
    }
  }
}
