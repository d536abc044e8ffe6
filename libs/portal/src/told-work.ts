import { Failure, pause } from '@levee/kernel';
import { systemTimers } from '@levee/log';

/** One line that is told while long work is done. */
export interface WorkLine {
  readonly event: 'progress' | 'done';
  readonly message: string;
  readonly [more: string]: unknown;
}

const toldEveryMs = 500;

/** Long work of a portal of which somebody wants to see the progress; so many at once. */
export class ToldWork {
  private running = 0;

  constructor(
    private readonly noun: string,
    private readonly atOnceMax: number,
  ) {}

  /** The last line is what `work` gives. The work ends with `signal`, and with whoever listens. */
  async *run(
    begins: string,
    signal: AbortSignal,
    work: (signal: AbortSignal, tell: (message: string) => void) => Promise<WorkLine>,
  ): AsyncGenerator<WorkLine> {
    if (this.running >= this.atOnceMax)
      throw new Failure(
        'LIMIT',
        `${this.running} ${this.noun} are being made by this portal: wait for one, or ask another portal`,
      );
    this.running++;
    const stop = new AbortController();
    const ends = AbortSignal.any([signal, stop.signal]);
    try {
      const told = { message: begins };
      const done = work(ends, (message) => (told.message = message)).then(
        (line) => ({ line }),
        (error: unknown) => ({ error }),
      );
      for (;;) {
        const waited = new AbortController();
        const quiet = pause(systemTimers, toldEveryMs, waited.signal).then(() => undefined);
        const ended = await Promise.race([done, quiet]);
        waited.abort();
        if (ended === undefined) yield { event: 'progress', message: told.message };
        else if ('error' in ended) throw ended.error;
        else return yield ended.line;
      }
    } finally {
      stop.abort();
      this.running--;
    }
  }
}
