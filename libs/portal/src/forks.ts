import type { NamespaceState } from '@levee/events';
import type { CommandRunner } from '@levee/journal';
import { Failure, isoTime, type Logger } from '@levee/kernel';
import type { Log } from '@levee/log';
import { type FillRequest, ForkFilling } from './fork-filling';
import type { Portal } from './portal';
import { ToldWork, type WorkLine } from './told-work';

const forkLimits = {
  activeWithinMs: 30_000,
  /** Forks at once in one portal: each folds a namespace on its disk. */
  atOnce: 2,
} as const;

/**
 * Makes a namespace from the past of another one. Nothing is kept here that a fork needs to be gone on with: what was
 * asked for stands in the namespace itself, which nobody sees until it is complete, and what was written in its binlog.
 */
export class Forks {
  private readonly work = new ToldWork('forks', forkLimits.atOnce);
  private readonly filling: ForkFilling;

  constructor(
    log: Log,
    private readonly portal: Portal,
    private readonly commands: CommandRunner,
    private readonly options: { readonly topicPrefix: string; readonly logger: Logger },
  ) {
    this.filling = new ForkFilling(log, portal, commands, options.topicPrefix);
  }

  /** The last line is `done`. Given again, it goes on, or says that it was done. `signal` ends the work. */
  run(request: FillRequest, signal: AbortSignal): AsyncGenerator<WorkLine> {
    return this.work.run(`reading ${request.source}`, signal, (ends, tell) => this.make(request, ends, tell));
  }

  private async make(request: FillRequest, signal: AbortSignal, tell: (message: string) => void): Promise<WorkLine> {
    const { name, source } = request;
    const begun = this.begun(request);
    if (begun?.state === 'active') return doneLine(begun);
    const of = this.filling.sourceOf(source, 'forked');
    if (begun === undefined) this.filling.simulate(request, of);
    const { target, keys, digest } = await this.filling.fill(request, { of, begun }, signal, tell);
    const payload = { name, number: target.number, keys, digest };
    await this.commands.run({ kind: 'FinishFork', payload, principal: request.principal });
    const made = await this.portal.view.until(
      () => {
        const now = this.portal.view.state.namespace(name);
        return now?.state === 'active' ? now : undefined;
      },
      forkLimits.activeWithinMs,
      `namespace ${name} becoming active`,
    );
    this.portal.store.refreshNow();
    this.options.logger.info({ namespace: name, from: source, keys }, 'a namespace was forked');
    return doneLine(made);
  }

  /** The namespace of that name, if it is this very fork; another one is refused. */
  private begun({ name, source, atMs }: FillRequest): NamespaceState | undefined {
    const known = this.portal.view.state.namespace(name);
    if (known === undefined || known.state === 'deleted') return undefined;
    const isThis = known.forkedFrom === source && known.forkedAtMs === atMs;
    if (isThis && (known.state === 'creating' || known.state === 'active')) return known;
    const { state, forkedFrom, forkedAtMs } = known;
    const other = forkedFrom === null ? '' : `, a fork of ${forkedFrom} at ${isoTime(forkedAtMs ?? 0)}`;
    throw new Failure('NAMESPACE_EXISTS', `namespace ${name} is there already (${state}${other}): choose another name`);
  }
}

function doneLine({
  name,
  forkedFrom,
  forkedAtMs,
  forkedKeys,
  forkedDigest,
  forkedPositions,
}: NamespaceState): WorkLine {
  return {
    event: 'done',
    ...{ name, forkedFrom, forkedAt: isoTime(forkedAtMs ?? 0), forkedKeys, forkedDigest, forkedPositions },
    message: `${name} is ${forkedFrom} as of ${isoTime(forkedAtMs ?? 0)}: ${forkedKeys} keys, digest ${forkedDigest}`,
  };
}
