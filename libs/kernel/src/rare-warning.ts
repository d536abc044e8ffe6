import type { Clock } from './clock';
import type { Logger } from './logger';

const rareWarningLimits = {
  /** The same warning comes once in so long, with how often it was meant. */
  againAfterMs: 10_000,
} as const;

/** Warns of what happens again and again: at once when it is something new, then once in a while. */
export class RareWarning {
  private said: { readonly what: string; readonly atMs: number; times: number } | undefined;

  constructor(
    private readonly logger: Logger,
    private readonly clock: Pick<Clock, 'monotonicMs'>,
  ) {}

  /** `what` tells one trouble from another; `message` is what is logged. */
  warn(what: string, facts: object, message: string): void {
    const atMs = this.clock.monotonicMs();
    const { said } = this;
    const isSame = said?.what === what;
    if (said !== undefined && isSame && atMs - said.atMs < rareWarningLimits.againAfterMs) {
      said.times++;
      return;
    }
    const times = isSame && said !== undefined ? said.times + 1 : 1;
    this.said = { what, atMs, times: 0 };
    this.logger.warn({ ...facts, times }, message);
  }
}
