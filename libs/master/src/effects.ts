import { nextEffects, type Effect } from '@levee/cluster';
import { binlogSpec, bindTopic, type ClusterView, type ControlTopics, createBinlog } from '@levee/journal';
import {
  type Clock,
  Failure,
  failureCode,
  type Logger,
  messageOf,
  Pause,
  type Timers,
  unreachable,
  Waits,
} from '@levee/kernel';
import type { Log, TopicSpec } from '@levee/log';
import type { BarrierNumbers } from './barriers/barriers';
import { RequestedBarriers } from './barriers/requested-barriers';
import type { Reign } from './reign';

const effectLimits = { retryMs: 1_000 } as const;

/** Does in the world what the decisions in force ask for. What the state lists is found again by every master. */
export class Effects {
  private readonly stopping = new AbortController();
  private readonly pause: Pause;
  private readonly waits: Waits;
  private readonly barriers: RequestedBarriers;
  private running: Promise<void> | undefined;
  private unlisten: () => void = () => undefined;
  private trouble: string | undefined;
  private looked = -1;

  constructor(
    private readonly log: Log,
    private readonly view: ClusterView,
    private readonly options: {
      readonly reign: Reign;
      readonly topics: Pick<ControlTopics, 'digests'>;
      readonly numbers: BarrierNumbers;
      readonly clock: Clock;
      readonly timers: Timers;
      readonly logger: Logger;
    },
  ) {
    this.pause = new Pause(options.timers, this.stopping.signal);
    this.waits = new Waits(options.timers);
    this.barriers = new RequestedBarriers(log, view, options);
  }

  /** What cannot be done at the moment, in words. */
  get problem(): string | undefined {
    return this.trouble ?? this.barriers.problem;
  }

  start(): void {
    this.unlisten = this.view.onDecision((adopted) => {
      this.barriers.take(adopted);
      this.waits.poll();
    });
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.unlisten();
    this.barriers.stop();
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
    const news = this.view.seq > this.looked || this.stopping.signal.aborted;
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
      case 'bindTopic': {
        const found = await bindTopic(this.log, effect, clock);
        if ('problem' in found) {
          logger.error({ problem: found.problem, namespace: name }, 'the namespace cannot be bound to its topic');
          await reign.own('FailNamespace', { name, number, reason: found.problem.slice(0, 2_000) });
          return;
        }
        return this.decided(effect.thenSubmit.kind, { ...effect.thenSubmit.payload, ...found });
      }
      case 'deleteBinlog':
        if (effect.binlog !== undefined) await this.log.deleteTopics([effect.binlog]);
        break;
      case 'adjustBinlog':
        await this.adjust(binlogSpec(effect));
        break;
      default:
        return unreachable(effect);
    }
    await this.decided(effect.thenSubmit.kind, effect.thenSubmit.payload);
  }

  private async decided(kind: string, payload: unknown): Promise<void> {
    const outcome = await this.options.reign.own(kind, payload);
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
}
