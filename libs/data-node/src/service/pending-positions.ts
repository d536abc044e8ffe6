import type { Timers } from '@levee/kernel';
import type { HostedReplica } from '../replica/hosted-replica';

/** Waits for several positions at once, each (replica, partition) for the highest one asked for, with one deadline. */
export class PendingPositions {
  private readonly wanted = new Map<HostedReplica, Map<number, number>>();
  private left = 0;
  private over = false;
  private readonly ends: (() => void)[] = [];

  constructor(private readonly timers: Timers) {}

  add(hosted: HostedReplica, partition: number, nextOffset: number): void {
    let places = this.wanted.get(hosted);
    if (places === undefined) this.wanted.set(hosted, (places = new Map()));
    places.set(partition, Math.max(places.get(partition) ?? 0, nextOffset));
  }

  /** Calls `done` once: when all are applied, when the deadline comes, or at once when too many wait already. */
  whenOver(deadlineMs: number, done: () => void): void {
    const cancel = this.timers.after(deadlineMs, () => finish());
    const finish = (): void => {
      if (this.over) return;
      this.over = true;
      cancel();
      for (const end of this.ends) end();
      done();
    };
    for (const [hosted, places] of this.wanted)
      for (const [partition, nextOffset] of places) {
        const end = hosted.whenApplied(partition, nextOffset, () => {
          if (--this.left === 0) finish();
        });
        if (end === undefined) return finish();
        this.left++;
        this.ends.push(end);
      }
  }
}
