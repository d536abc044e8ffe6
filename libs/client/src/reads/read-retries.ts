import type { ReadContext } from '../engine-context';
import type { PointRead } from '../operations';
import type { ReadNamespace } from '../routes/read-namespace';

interface PausedRead {
  readonly namespace: ReadNamespace;
  readonly read: PointRead;
}

/** Reads that no replica could answer: all of them begin again after one pause, unless their time is over by then. */
export class ReadRetries {
  private paused: PausedRead[] = [];
  private armed = false;

  constructor(
    private readonly context: ReadContext,
    private readonly then: {
      readonly again: (namespace: ReadNamespace, read: PointRead) => void;
      readonly late: (namespace: ReadNamespace, read: PointRead) => void;
    },
  ) {}

  add(paused: PausedRead): void {
    this.paused.push(paused);
    if (this.armed) return;
    this.armed = true;
    this.context.timers.after(this.context.limits.retryMs, () => {
      this.armed = false;
      const now = this.context.clock.monotonicMs();
      for (const { namespace, read } of this.takeAll())
        if (read.deadlineAtMs > now) this.then.again(namespace, read);
        else this.then.late(namespace, read);
    });
  }

  takeAll(): PausedRead[] {
    const { paused } = this;
    this.paused = [];
    return paused;
  }
}
