import { nextEffects, type Effect } from '@levee/cluster';
import {
  asPartition,
  Failure,
  failureCode,
  messageOf,
  unreachable,
  type Clock,
  type Logger,
  type Timers,
} from '@levee/kernel';
import type { Log, TopicSpec } from '@levee/log';
import { partitionsTouched, writeBarriers, type BarrierNumbers } from './barriers';
import { binlogSpec, createBinlog } from './binlog';
import type { ClusterView } from './cluster-view';
import type { Adopted } from './journal-fold';
import { Pause } from './pause';
import type { Reign } from './reign';
import { Waits } from './waits';

export const effectLimits = { retryMs: 1_000, barriersQueueMax: 1_024 } as const;

interface RequestedBarrier {
  readonly id: string;
  readonly namespace: string;
  readonly digest: boolean;
  readonly chunks: readonly string[];
}

/**
 * Does in the world what the decisions in force ask for. What the state lists is found again by every master; a
 * barrier is asked for once, by whoever waits for it, and is not made up for after a takeover.
 */
export class Effects {
  private readonly stopping = new AbortController();
  private readonly pause: Pause;
  private readonly waits: Waits;
  private readonly barriers: RequestedBarrier[] = [];
  private running: Promise<void> | undefined;
  private unlisten: () => void = () => undefined;
  private trouble: string | undefined;
  private looked = -1;

  constructor(
    private readonly log: Log,
    private readonly view: ClusterView,
    private readonly options: {
      readonly reign: Reign;
      readonly numbers: BarrierNumbers;
      readonly clock: Clock;
      readonly timers: Timers;
      readonly logger: Logger;
    },
  ) {
    this.pause = new Pause(options.timers, this.stopping.signal);
    this.waits = new Waits(options.timers);
  }

  /** What cannot be done at the moment, in words. */
  get problem(): string | undefined {
    return this.trouble;
  }

  start(): void {
    this.unlisten = this.view.onDecision((adopted) => {
      this.takeBarrier(adopted);
      this.waits.poll();
    });
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.unlisten();
    this.waits.poll();
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.stopping.signal.aborted && !this.options.reign.isOver) {
      try {
        await this.pass();
        this.trouble = undefined;
      } catch (error) {
        this.trouble = messageOf(error);
        this.options.logger.warn({ error }, 'an effect did not succeed; trying again');
        await this.pause.for(effectLimits.retryMs);
        this.looked = -1;
        continue;
      }
      await this.waits.until(() => this.somethingNew(), 60_000, 'a decision').catch(() => undefined);
    }
  }

  private somethingNew(): true | undefined {
    const news = this.view.seq > this.looked || this.barriers.length > 0 || this.stopping.signal.aborted;
    return news ? true : undefined;
  }

  private async pass(): Promise<void> {
    this.looked = this.view.seq;
    let failed: unknown;
    for (const effect of nextEffects(this.view.state))
      await this.perform(effect).catch((error: unknown) => {
        // One namespace's trouble must not hold up the others.
        failed ??= error;
      });
    for (let barrier = this.barriers[0]; barrier !== undefined; barrier = this.barriers[0]) {
      await this.writeBarrier(barrier);
      this.barriers.shift();
    }
    if (failed !== undefined) throw failed;
  }

  private async perform(effect: Effect): Promise<void> {
    const { reign, logger, clock } = this.options;
    const { name, number } = effect.thenSubmit.payload;
    switch (effect.kind) {
      case 'createBinlog':
        try {
          await createBinlog(this.log, effect, clock);
        } catch (error) {
          const code = failureCode(error);
          if (code !== 'BINLOG_FOREIGN' && code !== 'TOPIC_MISCONFIGURED') throw error;
          logger.error({ error, namespace: name }, 'the namespace cannot have its binlog');
          await reign.own('FailNamespace', { name, number, reason: messageOf(error).slice(0, 2_000) });
          return;
        }
        break;
      case 'deleteBinlog':
        await this.log.deleteTopics([effect.binlog]);
        break;
      case 'adjustBinlog':
        await this.adjust(binlogSpec(effect));
        break;
      default:
        return unreachable(effect);
    }
    const outcome = await reign.own(effect.thenSubmit.kind, effect.thenSubmit.payload);
    // Left alone it would be listed, done and decided again at once, for ever.
    if (outcome.rejectionCode !== null)
      throw new Failure(outcome.rejectionCode, `${outcome.kind} was rejected: ${outcome.rejectionMessage}`);
  }

  private async adjust(spec: TopicSpec): Promise<void> {
    await this.log.alterTopic(spec.name, spec.settings).catch((error: unknown) => {
      this.options.logger.warn({ error, topic: spec.name }, 'the settings of a binlog cannot be changed from here');
    });
    // Where that is an operator's right, this fails until it is done, naming the command that does it.
    await this.log.ensureTopics([spec]);
  }

  private takeBarrier({ decision }: Adopted): void {
    if (decision.command.kind !== 'RequestBarrier' || decision.rejectionCode !== null) return;
    // A repeated command got its recorded outcome and asks for nothing new.
    if (decision.events.length === 0) return;
    if (this.barriers.length >= effectLimits.barriersQueueMax) {
      this.options.logger.warn({ commandId: decision.command.id }, 'too many barriers wait; this one is left out');
      return;
    }
    const asked = JSON.parse(decision.command.payload) as Partial<RequestedBarrier> & { id: string; namespace: string };
    const { id, namespace, digest, chunks } = asked;
    this.barriers.push({ id, namespace, digest: digest ?? false, chunks: chunks ?? [] });
  }

  private async writeBarrier(barrier: RequestedBarrier): Promise<void> {
    const namespace = this.view.state.namespace(barrier.namespace);
    const clusterId = this.view.clusterId;
    if (namespace?.state !== 'active' || clusterId === undefined) return;
    // A chunk that has gone meanwhile has no replica that could answer.
    const chunks = barrier.chunks.flatMap((chunkId) => this.view.state.chunk(chunkId) ?? []);
    const all = Array.from({ length: namespace.partitions }, (_, i) => asPartition(i));
    await writeBarriers(this.log, {
      clusterId,
      namespace,
      partitions: barrier.chunks.length === 0 ? all : partitionsTouched(chunks, namespace),
      number: this.options.numbers.next(),
      nowMs: this.options.clock.nowMs(),
      ...(barrier.digest ? { digest: { id: barrier.id, chunks: barrier.chunks } } : {}),
    });
  }
}
