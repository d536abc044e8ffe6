import { systemClock } from '@levee/log';
import type { Terminal } from './terminal';

const tellEveryMs = 2_000;

/** Tells on standard error how far a long work is: nothing while it is quick. */
export class Progress {
  private toldMs = systemClock.monotonicMs();

  constructor(
    private readonly terminal: Terminal,
    private readonly tells: boolean,
  ) {}

  tell(what: string, done: number, of: number): void {
    const percent = of === 0 ? 100 : Math.floor((100 * Math.min(done, of)) / of);
    this.say(`${what}: ${done} of ${of} (${percent} %)`);
  }

  say(message: string): void {
    const nowMs = systemClock.monotonicMs();
    if (!this.tells || nowMs - this.toldMs < tellEveryMs) return;
    this.toldMs = nowMs;
    this.terminal.stderr.write(`${message}\n`);
  }
}
