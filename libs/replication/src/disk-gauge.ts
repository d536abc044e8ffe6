import { statfs } from 'node:fs/promises';
import { type Logger, messageOf, type Timers } from '@levee/kernel';

const everyMs = 10_000;

export interface DiskSpace {
  /** What an ordinary process may still write. */
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** How full the file system of the node's folder is, measured anew every ten seconds. */
export class DiskGauge {
  /** `undefined` before the first measurement, and when that is not possible. */
  latest: DiskSpace | undefined;
  private stopped = false;
  private cancel: () => void = () => undefined;

  constructor(
    private readonly folder: string,
    private readonly options: { readonly timers: Timers; readonly logger: Logger },
  ) {}

  start(): void {
    void this.measure().finally(() => {
      if (!this.stopped) this.cancel = this.options.timers.after(everyMs, () => this.start());
    });
  }

  stop(): void {
    this.stopped = true;
    this.cancel();
  }

  private async measure(): Promise<void> {
    try {
      const { bavail, blocks, bsize } = await statfs(this.folder);
      this.latest = { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    } catch (error) {
      this.latest = undefined;
      this.options.logger.warn({ error: messageOf(error), folder: this.folder }, 'the disk could not be measured');
    }
  }
}
