import { extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type ClusterEvent, type ClusterState, eventsOf, type Rejection, type SimulatedPlan } from '@levee/cluster';
import { Failure, messageOf, type Timers } from '@levee/kernel';

export interface DryRunOrder {
  readonly events: readonly ClusterEvent[];
  readonly payload: Readonly<Record<string, unknown>>;
  readonly nowMs: number;
}

export const dryRunLimits = {
  /** Each has a thread and a copy of the cluster's state. */
  atOnceMax: 2,
  /** A resize of a thousand chunks is some ten thousand decisions of a millisecond. Less than `levee` waits by itself. */
  deadlineMs: 25_000,
  heapMiB: 512,
} as const;

export interface DryRunsOptions {
  readonly timers: Timers;
  /** Of the threads, as Node takes them. */
  readonly execArgv?: readonly string[];
}

/** Plays proposals to their ends, each in a thread of its own: a large one takes seconds, and the portal serves meanwhile. */
export class DryRuns {
  private running = 0;

  constructor(private readonly options: DryRunsOptions) {}

  /** TOO_LARGE when it takes longer than `dryRunLimits.deadlineMs`, LVLIMIT when too many run. */
  async run(
    state: ClusterState,
    payload: Readonly<Record<string, unknown>>,
    nowMs: number,
  ): Promise<SimulatedPlan | Rejection> {
    const { atOnceMax } = dryRunLimits;
    if (this.running >= atOnceMax)
      throw new Failure(
        'LVLIMIT',
        `${atOnceMax} dry runs are under way at this portal, no more at a time: ask again later`,
      );
    // What was decided is here; of commands' outcomes the rules need none.
    const events = [...eventsOf(state)].filter(({ kind }) => kind !== 'outcome');
    return this.inThread({ events, payload, nowMs });
  }

  private inThread(workerData: DryRunOrder): Promise<SimulatedPlan | Rejection> {
    const { timers, execArgv } = this.options;
    const { deadlineMs, heapMiB } = dryRunLimits;
    return new Promise((resolve, reject) => {
      const worker = new Worker(join(__dirname, `dry-run-worker${extname(__filename)}`), {
        workerData,
        name: 'levee dry run',
        resourceLimits: { maxOldGenerationSizeMb: heapMiB },
        ...(execArgv === undefined ? {} : { execArgv: [...execArgv] }),
      });
      // One past its deadline takes memory and a processor until its thread is gone.
      this.running++;
      let isOver = false;
      const over = (): void => {
        if (!isOver) this.running--;
        isOver = true;
      };
      const cancel = timers.after(deadlineMs, () => {
        void worker.terminate();
        reject(
          new Failure(
            'TOO_LARGE',
            `the dry run was not over after ${deadlineMs} ms: propose less at once, or propose it with --hold and look at its first parts`,
          ),
        );
      });
      worker.once('message', (found: SimulatedPlan | Rejection) => {
        over();
        resolve(found);
      });
      worker.once('error', (error) => reject(new Failure('INTERNAL', `the dry run failed: ${messageOf(error)}`)));
      worker.once('exit', (code) => {
        over();
        cancel();
        reject(new Failure('INTERNAL', `the dry run ended with code ${code} and without an answer`));
      });
    });
  }
}
