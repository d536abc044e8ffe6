import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AuditWorld, creationOf, fillNamespace, type Past, pastOf, provenPast, settingsOf } from '@levee/audit';
import { forkBegun, simulateCreation } from '@levee/cluster';
import type { NamespaceState } from '@levee/events';
import { type CommandRunner, controlTopics } from '@levee/journal';
import { ByteRate, Failure } from '@levee/kernel';
import { type Log, systemClock, systemTimers } from '@levee/log';
import { found } from './found';
import type { Portal } from './portal';

const fillLimits = {
  /** Reading and writing beside clients. */
  bytesPerSecond: 32 * 1024 * 1024,
  begunWithinMs: 30_000,
} as const;

export interface FillRequest {
  readonly source: string;
  readonly name: string;
  readonly atMs: number;
  readonly principal: string;
  readonly clockMarginMs?: number | undefined;
  /** Bytes per second; default 32 MiB. */
  readonly rate?: number | undefined;
}

interface FilledFork {
  /** As it is while it is filled: nobody sees it. */
  readonly target: NamespaceState;
  readonly keys: number;
  readonly digest: string;
}

/** Fills a namespace that nobody sees with what another one held at a time, and compares it. May be begun again. */
export class ForkFilling {
  constructor(
    private readonly log: Log,
    private readonly portal: Portal,
    private readonly commands: CommandRunner,
    private readonly topicPrefix: string,
  ) {}

  sourceOf(name: string, done: string): NamespaceState {
    const known = this.portal.view.state.namespace(name);
    if (known?.state !== 'active') throw new Failure('NAMESPACE_UNKNOWN', `there is no active namespace ${name}`);
    if (known.sourceTopic !== null)
      throw new Failure(
        'NOT_SUPPORTED',
        `${name} serves the topic ${known.sourceTopic} of others, and cannot be ${done}: levee namespace export ${name} <file> ` +
          'keeps what it holds, and levee namespace import brings it into a namespace that can',
      );
    return known;
  }

  /** What would refuse it in the end is said before a namespace is read for it. */
  simulate(request: FillRequest, source: NamespaceState): void {
    const payload = this.creation(request, source, new Array<number>(source.partitions).fill(0));
    const context = { nowMs: systemClock.nowMs(), topicPrefix: this.topicPrefix };
    found(simulateCreation(this.portal.view.state, payload, context));
  }

  /** Fails with NOT_PROVABLE unless that time can be proved for every key. */
  prove(request: FillRequest, signal: AbortSignal, tell: (message: string) => void): Promise<void> {
    const { source, atMs, clockMarginMs } = request;
    return provenPast(this.world(request, signal, tell), { name: source, atMs, clockMarginMs });
  }

  /** `begun`: an earlier attempt's. */
  async fill(
    request: FillRequest,
    { of, begun }: { readonly of: NamespaceState; readonly begun: NamespaceState | undefined },
    signal: AbortSignal,
    tell: (message: string) => void,
  ): Promise<FilledFork> {
    const { name, source } = request;
    // [safety] Its positions are of that log.
    if (begun !== undefined && begun.forkedBinlog !== of.binlog)
      throw new Failure(
        'NAMESPACE_NOT_READY',
        `${name} was begun from ${begun.forkedBinlog}, and ${source} is ${of.binlog} since: ` +
          `levee namespace delete ${name} --yes, and begin again`,
      );
    const folder = await mkdtemp(join(tmpdir(), 'levee-fork-'));
    try {
      const world = this.world(request, signal, tell);
      const { atMs, clockMarginMs } = request;
      const asked = { name: source, binlog: of.binlog, atMs, folder, clockMarginMs, positions: begun?.forkedPositions };
      const past = await pastOf(world, asked);
      if (begun === undefined) await this.create(request, past);
      const target = await this.portal.view.until(
        () => {
          const made = this.portal.view.state.namespace(name);
          return made?.state === 'creating' && made.change === forkBegun ? made : undefined;
        },
        fillLimits.begunWithinMs,
        `the binlog of ${name}`,
      );
      const filled = await fillNamespace(world, target, past.source);
      if (!filled.isEqual)
        throw new Failure(
          'NOT_EMPTY',
          `the binlog ${target.binlog} holds something else than ${past.source.name}: ${filled.found.examples.join('; ')}; ` +
            `somebody writes there. Delete ${name}, and begin again`,
        );
      return { target, keys: past.keys, digest: past.digest };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  private world(request: FillRequest, signal: AbortSignal, tell: (message: string) => void): AuditWorld {
    const rate = request.rate ?? fillLimits.bytesPerSecond;
    return {
      ...{ log: this.log, topics: controlTopics(this.topicPrefix), clock: systemClock, signal },
      rate: new ByteRate(rate, systemClock, systemTimers),
      progress: (what, done, of) => tell(`${what}: ${done} of ${of}`),
    };
  }

  private async create({ name, source, atMs, principal }: FillRequest, past: Past): Promise<void> {
    const payload = this.creation({ name, source, atMs }, past.windows.namespace, past.positions);
    await this.commands.run({ kind: 'CreateNamespace', payload, principal });
  }

  /** As many chunks, in units as large, as the source has grown to: it must hold as much. */
  private creation(
    { name, source, atMs }: Pick<FillRequest, 'name' | 'source' | 'atMs'>,
    of: NamespaceState,
    forkedPositions: readonly number[],
  ): Record<string, unknown> {
    const origin = { forkedFrom: source, forkedBinlog: of.binlog, forkedAtMs: atMs, forkedPositions };
    const serving = [...this.portal.view.state.everyChunkOf(source)].filter(({ state }) => state === 'serving');
    const { chunkCapacityBytes } = of;
    const size = serving.length === 0 ? {} : { chunks: serving.length, chunkCapacityBytes };
    return { ...creationOf({ settings: settingsOf(of) }), ...size, name, ...origin };
  }
}
