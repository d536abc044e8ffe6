import type { VirtualTime } from './virtual-time';

export interface Delay {
  readonly minMs: number;
  readonly maxMs: number;
}

/** A way on which things take a while and never overtake each other. */
export class Lane {
  private lastAtMs = 0;

  constructor(
    private readonly time: VirtualTime,
    private readonly dice: () => number,
    private readonly delay: Delay,
  ) {}

  send(arrive: () => void): void {
    const { minMs, maxMs } = this.delay;
    const atMs = Math.max(this.lastAtMs, this.time.nowMs + minMs + (maxMs - minMs) * this.dice());
    this.lastAtMs = atMs;
    this.time.after(atMs - this.time.nowMs, arrive);
  }
}
