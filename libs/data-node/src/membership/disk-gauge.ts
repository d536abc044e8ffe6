import { statfs } from 'node:fs/promises';
import { type Logger, messageOf, type Timers } from '@levee/kernel';

const everyMs = 10_000;

export interface DiskSpace {
  /** What an ordinary process may still write. */
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** Of the file system that holds `folder`. */
export async function spaceOf(folder: string): Promise<DiskSpace> {
  const { bavail, blocks, bsize } = await statfs(folder);
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}

/** How full the file system of the node's folder is, measured anew every ten seconds. */
export class DiskGauge {
  /** `undefined` before the first measurement, and when that is not possible. */
  latest: DiskSpace | undefined;
  private stopped = false;
  private cancel: () => void = () => undefined;

  constructor(
    private readonly folder: string,
    private readonly options: {
      readonly timers: Timers;
      readonly logger: Logger;
      readonly diskSpace: (folder: string) => Promise<DiskSpace>;
    },
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
      this.latest = await this.options.diskSpace(this.folder);
    } catch (error) {
      this.latest = undefined;
      this.options.logger.warn({ error: messageOf(error), folder: this.folder }, 'the disk could not be measured');
    }
  }
}
