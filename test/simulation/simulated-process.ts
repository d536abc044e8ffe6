import type { Clock, Logger, NewId, Random, Timers } from '@levee/kernel';
import type { Trace } from './trace';
import type { VirtualTime } from './virtual-time';

/** 2026-01-01T00:00:00Z: when every simulated world begins. */
const beginningMs = 1_767_225_600_000;

/**
 * One operating-system process of a simulated world: whatever reaches it or leaves it goes through here. Killed, none
 * of its promises is ever settled and nothing of it acts any more; paused, what arrives waits until it goes on.
 */
export class SimulatedProcess {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly newId: NewId;
  private fate: 'running' | 'paused' | 'dead' = 'running';
  private backlog: (() => void)[] = [];
  private readonly endings = new Set<() => void>();
  private pausedAtMs = 0;
  private resumedAtMs = 0;
  /** By how much its clocks are behind the world's. */
  private lostMs = 0;

  constructor(
    readonly name: string,
    readonly time: VirtualTime,
    readonly trace: Trace,
    dice: () => number,
    readonly logger: Logger,
  ) {
    this.clock = { nowMs: () => Math.floor(beginningMs + this.ownMs()), monotonicMs: () => this.ownMs() };
    this.timers = { after: (delayMs, action) => time.after(delayMs, () => this.deliver(action)) };
    this.random = { next: dice };
    this.newId = () => uuidOf(dice);
  }

  get alive(): boolean {
    return this.fate !== 'dead';
  }

  get running(): boolean {
    return this.fate === 'running';
  }

  /** Something from outside happens to the process: now, after a pause, or never. */
  deliver(action: () => void): void {
    if (this.fate === 'running') action();
    else if (this.fate === 'paused') this.backlog.push(action);
  }

  /** The process does something that outlives it. What a paused one was about to do it does later. */
  act(kind: string, content: Uint8Array | string, perform: () => void): void {
    if (this.fate === 'dead') return;
    if (this.fate === 'paused') return void this.backlog.push(() => this.act(kind, content, perform));
    this.trace.effect({ process: this.name, kind, content }, () => {
      if (this.fate === 'running') perform();
      else if (this.fate === 'paused') this.backlog.push(perform);
    });
  }

  /** SIGSTOP. */
  pause(): void {
    if (this.fate !== 'running') return;
    this.fate = 'paused';
    this.pausedAtMs = this.time.nowMs;
  }

  /** Before it goes on: its machine was suspended, and none of its clocks went on meanwhile. */
  loseTime(): void {
    this.lostMs += this.time.nowMs - this.pausedAtMs;
  }

  /** Whether it stood still until more than `forMs` after `sinceMs`: what began then and may take no longer has failed. */
  stoodStill(sinceMs: number, forMs: number): boolean {
    return this.resumedAtMs - sinceMs > forMs;
  }

  /** SIGCONT: what waited happens in its order, each in a turn of its own. */
  resume(): void {
    if (this.fate !== 'paused') return;
    this.fate = 'running';
    this.resumedAtMs = this.time.nowMs;
    for (const action of this.backlog.splice(0)) this.time.after(0, () => this.deliver(action));
  }

  /** SIGKILL. */
  kill(): void {
    if (this.fate === 'dead') return;
    this.fate = 'dead';
    this.backlog = [];
    const endings = [...this.endings];
    this.endings.clear();
    for (const ending of endings) ending();
  }

  private ownMs(): number {
    return this.time.nowMs - this.lostMs;
  }

  /** Called when the process is killed: what the rest of the world then notices. Returns how to take it back. */
  onDeath(ending: () => void): () => void {
    this.endings.add(ending);
    return () => void this.endings.delete(ending);
  }
}

function uuidOf(dice: () => number): string {
  const hex = Array.from({ length: 32 }, () => Math.floor(dice() * 16).toString(16)).join('');
  const variant = '89ab'[Math.floor(dice() * 4)];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}
