import { Pause, type Timers } from '@levee/kernel';
import type { Reign } from './reign';

/** What a duty does again and again while its master reigns, with a pause behind each round. A round never fails. */
export class Rounds {
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;

  constructor(
    private readonly options: { readonly reign: Pick<Reign, 'isOver'>; readonly timers: Timers },
    private readonly everyMs: number,
    private readonly round: () => Promise<void>,
  ) {}

  /** Aborted by `stop`: what a round waits for ends with it. */
  get signal(): AbortSignal {
    return this.stopping.signal;
  }

  get isOver(): boolean {
    return this.signal.aborted || this.options.reign.isOver;
  }

  start(): void {
    this.running = this.run();
  }

  /** Resolves when the round under way is over. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const pause = new Pause(this.options.timers, this.signal);
    while (!this.isOver) {
      await this.round();
      await pause.for(this.everyMs);
    }
  }
}
