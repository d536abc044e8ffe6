import { type ComposedAt, writerLimits } from '@levee/journal';
import { assert, type Clock, type Logger, messageOf } from '@levee/kernel';

export const leaseLimits = {
  /** Without a heartbeat in the log for so long it writes nothing. */
  silentMs: 60_000,
  /** The two clocks of a machine that was suspended as a whole are so far apart afterwards. */
  clocksApartMs: 30_000,
} as const;

assert(leaseLimits.silentMs * 2 < writerLimits.goneAfterMs, 'who is taken for gone has long ceased to write');

/**
 * [safety] Whether this portal may write at all. It may once one of its heartbeats is in the log and it has read the
 * journal to the end after that: a freeze that came before it has read then, and whoever confirms one that comes later
 * hears that this portal is there and waits for its word. Without a heartbeat in the log for long it may not, and begins
 * anew: meanwhile it may have been taken for gone (`writerLimits.goneAfterMs`).
 */
export class WriteLease {
  /** When the newest heartbeat in the log was composed; `undefined`: it may not write. */
  private since: ComposedAt | undefined;
  private reading: Promise<void> | undefined;
  private why = 'it has not told the cluster yet that it is there';

  constructor(
    private readonly clock: Clock,
    private readonly logger: Logger,
    /** Reads the journal to its end as of the call. */
    private readonly readToEnd: () => Promise<void>,
  ) {}

  /** Why nothing may be written, in words. */
  get problem(): string | undefined {
    this.look();
    if (this.since !== undefined) return undefined;
    return `this portal writes nothing for now, ${this.why}: nothing was sent; repeat it in a moment, or at another portal`;
  }

  /** Resolves when what began it is over: then it may write, or the next heartbeat tries again. */
  get opening(): Promise<void> {
    return this.reading ?? Promise.resolve();
  }

  logged(composedAt: ComposedAt): void {
    this.look();
    if (this.since !== undefined) this.since = composedAt;
    else this.reading ??= this.open(composedAt).finally(() => (this.reading = undefined));
  }

  private async open(composedAt: ComposedAt): Promise<void> {
    try {
      await this.readToEnd();
      this.since = composedAt;
    } catch (error) {
      this.why = `the journal cannot be read to its end (${messageOf(error)})`;
    }
  }

  private look(): void {
    if (this.since === undefined) return;
    const silentMs = this.clock.monotonicMs() - this.since.monotonicMs;
    const apartMs = this.clock.nowMs() - this.since.wallMs - silentMs;
    if (silentMs <= leaseLimits.silentMs && apartMs <= leaseLimits.clocksApartMs) return;
    this.since = undefined;
    this.why =
      silentMs > leaseLimits.silentMs
        ? `the log has taken no heartbeat of it for ${Math.round(silentMs / 1_000)} s`
        : `its machine seems to have stood still, or its clock was set ahead by ${Math.round(apartMs / 1_000)} s`;
    this.logger.warn({ silentMs, apartMs }, 'this portal writes nothing until its heartbeat is in the log again');
  }
}
