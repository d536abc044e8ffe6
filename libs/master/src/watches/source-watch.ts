import type { NamespaceState } from '@levee/events';
import { brokersIn, type ClusterView, sourceFinding, type SourceFinding, withBinlogAtRest } from '@levee/journal';
import { type Clock, type Logger, messageOf, type Offset, type Partition, type Timers } from '@levee/kernel';
import type { Log, TopicDescription } from '@levee/log';
import type { Reign } from '../reign';
import { Rounds } from '../rounds';
import { EarlyRemovals } from './early-removals';

const sourceWatchLimits = {
  lookMs: 5_000,
  /** A broker that is behind speaks of another topic than there is: believed when it is said again. */
  looksMin: 2,
} as const;

/** What was found by the last looks at one namespace's topic. */
interface Looked extends SourceFinding {
  readonly times: number;
}

/**
 * While its master reigns, holds the topics of others that namespaces are bound to against what they were: portals,
 * nodes and the doctor rest on what is recorded of it, so that all say one thing.
 */
export class SourceWatch {
  private readonly rounds: Rounds;
  private readonly looked = new Map<string, Looked>();
  /** First offsets as seen when this reign began, by namespace: of a compacted topic they never move. */
  private readonly starts = new Map<string, ReadonlyMap<Partition, Offset>>();
  /** Of those that forget by age, by namespace. */
  private readonly removals = new Map<string, EarlyRemovals>();

  constructor(
    private readonly log: Log,
    private readonly view: ClusterView,
    private readonly options: {
      readonly reign: Reign;
      readonly clock: Clock;
      readonly timers: Timers;
      readonly logger: Logger;
    },
  ) {
    this.rounds = new Rounds(options, sourceWatchLimits.lookMs, () => this.round());
  }

  start(): void {
    this.rounds.start();
  }

  stop(): Promise<void> {
    return this.rounds.stop();
  }

  private async round(): Promise<void> {
    try {
      await this.look();
    } catch (error) {
      this.options.logger.warn({ error: messageOf(error) }, 'the topics that namespaces are bound to were not seen');
    }
  }

  private async look(): Promise<void> {
    const bound = withBinlogAtRest(this.view.state).filter(({ sourceTopic }) => sourceTopic !== null);
    const keys = new Set(bound.map(keyOf));
    for (const known of [this.looked, this.starts, this.removals])
      for (const key of known.keys()) if (!keys.has(key)) known.delete(key);
    if (bound.length === 0) return;
    const topics = new Map(
      (await this.log.describeTopics(bound.map(({ binlog }) => binlog))).map((of) => [of.name, of]),
    );
    for (const namespace of bound) {
      if (this.rounds.isOver) return;
      try {
        await this.lookAt(namespace, topics.get(namespace.binlog));
      } catch (error) {
        // A partition without a leader, for instance: that hides nothing about other topics.
        const { name } = namespace;
        this.options.logger.warn(
          { namespace: name, error: messageOf(error) },
          'the topic of a bound namespace was not seen',
        );
      }
    }
  }

  private async lookAt(namespace: NamespaceState, topic: TopicDescription | undefined): Promise<void> {
    let found = sourceFinding(namespace, topic, brokersIn(this.log));
    if (topic !== undefined && (found.finding === 'none' || found.finding === 'policy'))
      found = (await this.cut(namespace, topic)) ?? found;
    await this.tell(namespace, found);
  }

  /** Records at the start of a compacted topic were deleted: replicas hold what nobody can build again. */
  private async cut(namespace: NamespaceState, topic: TopicDescription): Promise<SourceFinding | undefined> {
    const { binlog, name, retentionMs, hiddenAfterMs } = namespace;
    if (retentionMs !== null && hiddenAfterMs !== null)
      return this.cutEarly({ ...namespace, retentionMs, hiddenAfterMs }, topic);
    const bounds = await this.log.offsets(binlog);
    const starts = this.starts.get(keyOf(namespace));
    if (starts === undefined) {
      this.starts.set(keyOf(namespace), new Map(bounds.map(({ partition, startOffset }) => [partition, startOffset])));
      return undefined;
    }
    const moved = bounds.find(({ partition, startOffset }) => startOffset > (starts.get(partition) ?? startOffset));
    if (moved === undefined) return undefined;
    const problem =
      `partition ${moved.partition} of ${binlog} begins at offset ${moved.startOffset} now: somebody deleted the records ` +
      `before it, and replicas of ${name} hold what is gone there. Delete the namespace, which leaves the topic ` +
      `(levee namespace delete ${name} --yes), and bind it anew`;
    return { finding: 'cut', problem };
  }

  /** The start of a topic that forgets by age moves all the time: only what goes before its time is a loss. */
  private async cutEarly(
    namespace: NamespaceState & { readonly retentionMs: number; readonly hiddenAfterMs: number },
    { settings }: TopicDescription,
  ): Promise<SourceFinding | undefined> {
    const { binlog, name, retentionMs } = namespace;
    // A cleaner takes records by other rules. By a lowered retention, for however short a time, values go that count here.
    if (settings['cleanup.policy'] !== 'delete') {
      this.removals.delete(keyOf(namespace));
      return undefined;
    }
    const known = this.removals.get(keyOf(namespace)) ?? new EarlyRemovals(this.log, this.options.clock);
    this.removals.set(keyOf(namespace), known);
    const moved = await known.look(namespace);
    if (moved === undefined) return undefined;
    const problem =
      `partition ${moved.partition} of ${binlog} begins at offset ${moved.startOffset} now, behind a record that is younger than ` +
      `retention.ms=${retentionMs}, as it was bound: somebody deleted it before its time, or lowered the retention, and replicas of ` +
      `${name} hold what is gone there. Delete ` +
      `the namespace, which leaves the topic (levee namespace delete ${name} --yes), and bind it anew`;
    return { finding: 'cut', problem };
  }

  private async tell(namespace: NamespaceState, found: SourceFinding): Promise<void> {
    const { name, number, sourceFinding: known, sourceProblem } = namespace;
    const key = keyOf(namespace);
    const before = this.looked.get(key);
    const times = before?.finding === found.finding && before.problem === found.problem ? before.times + 1 : 1;
    this.looked.set(key, { ...found, times });
    if (times < sourceWatchLimits.looksMin || (known === found.finding && sourceProblem === found.problem)) return;
    if (this.rounds.isOver) return;
    const { finding, problem } = found;
    const told = problem === null ? {} : { problem: problem.slice(0, 2_000) };
    const outcome = await this.options.reign.own('ReportSource', { name, number, finding, ...told });
    if (outcome.rejectionCode !== null) return;
    const { logger } = this.options;
    if (problem === null) logger.info({ namespace: name }, 'the topic of a bound namespace is as it must be again');
    else logger.error({ namespace: name, finding, problem }, 'the topic of a bound namespace is not what it was');
  }
}

const keyOf = ({ name, number }: NamespaceState): string => `${name}#${number}`;
