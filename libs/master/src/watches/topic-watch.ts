import {
  binlogGrown,
  brokerSettings,
  brokersIn,
  type ClusterView,
  type ControlPolicy,
  type ControlTopics,
  controlTopicSpecs,
  examineTopics,
  openTransactions,
  withBinlogAtRest,
} from '@levee/journal';
import { type Clock, Failure, failureCode, type Logger, messageOf } from '@levee/kernel';
import type { Log, OpenTransaction } from '@levee/log';

export interface TopicWatchOptions {
  readonly topics: ControlTopics;
  readonly policy: ControlPolicy;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The master's look at the topics: makes control topics that are missing, and says what is not as it must be. */
export class TopicWatch {
  private trouble: string | undefined = 'the topics were not checked yet';
  private durability: readonly string[] = [];
  private transactions: readonly OpenTransaction[] = [];
  /** Said already: an alarm is logged when it begins, not every time it is seen. */
  private said: ReadonlySet<string> = new Set();
  /** They were there: one that is missing from now on was deleted, and an empty one in its place would hide that. */
  private made = false;

  constructor(
    private readonly log: Log,
    private readonly view: ClusterView,
    private readonly options: TopicWatchOptions,
  ) {}

  /** Why the topics are not as they must be, naming the mend; `undefined` when they are. */
  get problem(): string | undefined {
    return this.trouble;
  }

  /** What lets acknowledged records be lost, or readers wait, each with its mend. */
  get advice(): readonly string[] {
    return this.durability;
  }

  stats(): { problem: number; advice: number; openTransactions: number } {
    const problem = this.trouble === undefined ? 0 : 1;
    return { problem, advice: this.durability.length, openTransactions: this.transactions.length };
  }

  /** True when everything is as it must be; what is not is told by `problem` and `advice`. Never fails. */
  async check(): Promise<boolean> {
    try {
      const misconfigured = await this.ensureControlTopics();
      const report = await examineTopics(this.log, this.view.state, this.options);
      const missing = report.missing.map(
        (name) => `topic ${name} is missing: somebody deleted it, restore it from a backup`,
      );
      const wrong = [
        ...missing,
        ...report.losses.map(({ what }) => what),
        ...report.grown.map(binlogGrown),
        ...misconfigured,
        ...report.misconfigured,
      ];
      this.trouble = wrong.length === 0 ? undefined : [...new Set(wrong)].join('\n');
      this.durability = [...report.advice, ...(await this.conditionAdvice())];
    } catch (error) {
      this.trouble = messageOf(error);
    }
    this.tell();
    return this.trouble === undefined;
  }

  private async ensureControlTopics(): Promise<string[]> {
    const { topics, policy } = this.options;
    const specs = controlTopicSpecs(topics, policy);
    const existing = new Set((await this.log.describeTopics(specs.map(({ name }) => name))).map(({ name }) => name));
    if (!this.made) await this.refuseLostJournal(existing);
    try {
      await this.log.ensureTopics(this.made ? specs.filter(({ name }) => existing.has(name)) : specs);
    } catch (error) {
      if (failureCode(error) !== 'TOPIC_MISCONFIGURED') throw error;
      return messageOf(error).split('\n');
    }
    this.made = true;
    return [];
  }

  /** A new journal beside old checkpoints would begin the cluster's history anew: only people may want that. */
  private async refuseLostJournal(existing: ReadonlySet<string>): Promise<void> {
    const { journal, metadata } = this.options.topics;
    if (existing.has(journal) || !existing.has(metadata)) return;
    if ((await this.log.offsets(metadata)).every(({ endOffset }) => endOffset === 0)) return;
    throw new Failure(
      'JOURNAL_LOST',
      `topic ${journal} is missing and ${metadata} holds records: the journal was deleted. Restore it from a backup; to ` +
        'begin a new cluster instead use another LEVEE_TOPIC_PREFIX, or delete all topics of this one',
    );
  }

  private async conditionAdvice(): Promise<string[]> {
    const { topics, clock } = this.options;
    const binlogs = withBinlogAtRest(this.view.state).map(({ binlog }) => binlog);
    const names = [...controlTopicSpecs(topics).map(({ name }) => name), ...binlogs];
    const condition = await this.log.examine(names);
    this.transactions = condition.openTransactions;
    const brokers = brokersIn(this.log);
    const nowMs = clock.nowMs();
    return [...brokerSettings(condition, brokers), ...openTransactions(condition, { brokers, nowMs })].map(
      ({ finding, command }) => `${finding}: ${command}`,
    );
  }

  private tell(): void {
    const { logger } = this.options;
    const now = [...(this.trouble?.split('\n') ?? []), ...this.durability];
    // What an alarm says may grow older by the second; its first words name what it is about.
    const isNew = (sentence: string): boolean => !this.said.has(aboutWhat(sentence));
    for (const sentence of this.trouble?.split('\n') ?? [])
      if (isNew(sentence)) logger.error({ problem: sentence }, 'a topic is not as it must be');
    for (const sentence of this.durability)
      if (isNew(sentence)) logger.warn({ advice: sentence }, 'the log needs attention');
    if (this.said.size > 0 && now.length === 0) logger.info({}, 'the topics are as they must be again');
    this.said = new Set(now.map(aboutWhat));
  }
}

const aboutWhat = (sentence: string): string => sentence.replace(/(\d+ s ago|, which hold \d+).*$/, '');
