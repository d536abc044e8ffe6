import { messageOf, pause, type Timers } from '@levee/kernel';
import type { Log } from '@levee/log';
import { localLimits } from './local-limits';

/** The log that all replicas of a client follow: opened when the first one asks for it, again and again until it is. */
export class SharedLog {
  problem: string | undefined;
  private readonly closing = new AbortController();
  private opening: Promise<Log | undefined> | undefined;
  private log: Log | undefined;

  constructor(
    private readonly open: () => Promise<Log>,
    private readonly timers: Timers,
  ) {}

  /** `undefined`: it was closed before. */
  opened(): Promise<Log | undefined> {
    return (this.opening ??= this.openPatiently());
  }

  async close(): Promise<void> {
    this.closing.abort();
    if (this.log) return this.log.close();
    // An attempt that is under way ends in its own time; nobody waits for it.
    void this.opening?.then((log) => log?.close()).catch(() => undefined);
  }

  private async openPatiently(): Promise<Log | undefined> {
    const { signal } = this.closing;
    while (!signal.aborted) {
      try {
        const log = await this.open();
        this.problem = undefined;
        return (this.log = log);
      } catch (error) {
        this.problem = messageOf(error);
        await pause(this.timers, localLimits.openAgainMs, signal);
      }
    }
    return undefined;
  }
}
