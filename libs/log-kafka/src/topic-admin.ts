import { type Clock, messageOf, pause, type Timers } from '@levee/kernel';
import { LogFailure, type TopicDescription, type TopicSpec } from '@levee/log';
import { type Admin, ConfigResourceTypes } from 'kafkajs';
import { type ClusterMetadata, forbiddenTopic } from './cluster-metadata';
import type { KafkaLogLimits } from './limits';
import { kafkaError } from './protocol/error-codes';
import type { TopicMetadata } from './protocol/requests';
import { brokerSettingNames } from './log-examination';
import { topicFaults } from './topic-policy';

export interface TopicAdminParts {
  readonly admin: Admin;
  readonly metadata: ClusterMetadata;
  readonly limits: KafkaLogLimits;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly replicationFactor: number;
  /** For the commands in messages. */
  readonly brokers: string;
}

/** Source of a setting that was made for its topic; ConfigSource of kafkajs exists as a type only. */
const ownSetting = 1;

/** Topics: create, describe, check, alter, delete. Every call is idempotent and ends within `adminMs`. */
export class TopicAdmin {
  private connecting: Promise<void> | undefined;

  constructor(private readonly parts: TopicAdminParts) {}

  async ensure(specs: readonly TopicSpec[]): Promise<void> {
    const existing = new Map((await this.describe(specs.map(({ name }) => name))).map((topic) => [topic.name, topic]));
    const missing = specs.filter(({ name }) => !existing.has(name));
    if (missing.length > 0) {
      await this.create(missing);
      for (const topic of await this.describe(missing.map(({ name }) => name))) existing.set(topic.name, topic);
    }
    const faults: string[] = [];
    for (const spec of specs) {
      const actual = existing.get(spec.name);
      const found = actual === undefined ? ['it vanished while it was checked'] : this.faults(spec, actual);
      faults.push(...found.map((fault) => `topic ${spec.name}: ${fault}`));
    }
    if (faults.length > 0)
      throw new LogFailure('TOPIC_MISCONFIGURED', faults.join('\n'), { details: { faults: faults.length } });
  }

  async describe(names?: readonly string[]): Promise<TopicDescription[]> {
    if (names?.length === 0) return [];
    const { clock, timers, limits } = this.parts;
    const untilMs = clock.monotonicMs() + limits.adminMs;
    for (;;) {
      const found = await this.existing(names);
      if (found.length === 0) return [];
      try {
        return await this.described(found);
      } catch (error) {
        // The broker that tells settings may hear of a new topic, or of the end of one, later than that which told of it.
        if (!brokerCodes(error).includes(kafkaError.unknownTopicOrPartition) || clock.monotonicMs() > untilMs)
          throw error;
      }
      await pause(timers, limits.retryMs);
    }
  }

  private async described(found: readonly TopicMetadata[]): Promise<TopicDescription[]> {
    const { resources } = await this.run(
      `describing topics ${found.map(({ name }) => name).join(', ')}`,
      async (admin) =>
        admin.describeConfigs({
          includeSynonyms: false,
          resources: found.map(({ name }) => ({ type: ConfigResourceTypes.TOPIC, name })),
        }),
    );
    const settings = new Map(
      resources.map(({ resourceName, configEntries }) => [
        resourceName,
        Object.fromEntries(configEntries.map(({ configName, configValue }) => [configName, configValue])),
      ]),
    );
    return found.map(({ name, topicId, partitions }) => ({
      name,
      topicId,
      partitions: partitions.length,
      replicationFactor: Math.max(0, ...partitions.map(({ replicas }) => replicas)),
      settings: settings.get(name) ?? {},
    }));
  }

  /** The settings named by {@link brokerSettingNames} of each broker. */
  async brokerSettings(nodeIds: readonly number[]): Promise<Map<number, Record<string, string>>> {
    if (nodeIds.length === 0) return new Map();
    const { resources } = await this.run('describing brokers', (admin) =>
      admin.describeConfigs({
        includeSynonyms: false,
        resources: nodeIds.map((id) => ({
          type: ConfigResourceTypes.BROKER,
          name: String(id),
          configNames: [...brokerSettingNames],
        })),
      }),
    );
    return new Map(
      resources.map(({ resourceName, configEntries }) => [
        Number(resourceName),
        Object.fromEntries(configEntries.map(({ configName, configValue }) => [configName, configValue])),
      ]),
    );
  }

  /** The broker replaces the whole set: what the topic has of its own is sent along. */
  async alter(name: string, settings: Readonly<Record<string, string>>): Promise<void> {
    const [existing] = await this.describe([name]);
    if (existing === undefined) throw new LogFailure('TOPIC_MISSING', `topic ${name} does not exist`);
    const resource = { type: ConfigResourceTypes.TOPIC, name };
    const asked = Object.entries(settings).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
    // Kafka takes an empty cleanup.policy, and then neither cleans nor deletes.
    if (Object.values(settings).some((value) => value.trim() === ''))
      throw new LogFailure('TOPIC_MISCONFIGURED', `setting ${asked.join()} of topic ${name}: a value is empty`);
    await this.run(`setting ${asked.join()} of topic ${name}`, async (admin) => {
      const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [resource] });
      const entries = (resources[0]?.configEntries ?? []).filter(
        ({ configSource }) => Number(configSource) === ownSetting,
      );
      const own = Object.fromEntries(entries.map(({ configName, configValue }) => [configName, configValue]));
      const configEntries = Object.entries({ ...own, ...settings }).map(([key, value]) => ({ name: key, value }));
      await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries }] });
    });
    await this.untilInForce(name, settings);
  }

  async delete(names: readonly string[]): Promise<void> {
    const existing = await this.existing(names);
    if (existing.length === 0) return;
    await this.run(`deleting topics ${names.join(', ')}`, async (admin) => {
      for (const { name } of existing) {
        try {
          await admin.deleteTopics({ topics: [name], timeout: this.parts.limits.requestMs });
        } catch (error) {
          if (!brokerCodes(error).includes(kafkaError.unknownTopicOrPartition)) throw error;
        }
      }
    });
    const gone = (topics: readonly TopicMetadata[]): boolean => topics.every(({ errorCode }) => errorCode !== 0);
    await this.until(names, gone, 'the topics are still there');
    for (const name of names) this.parts.metadata.forget(name);
  }

  async close(): Promise<void> {
    if (this.connecting === undefined) return;
    await this.connecting.catch(() => undefined);
    await this.parts.admin.disconnect();
  }

  private async untilInForce(name: string, settings: Readonly<Record<string, string>>): Promise<void> {
    const { clock, timers, limits } = this.parts;
    const untilMs = clock.monotonicMs() + limits.adminMs;
    for (;;) {
      const [topic] = await this.describe([name]);
      if (topic === undefined) throw new LogFailure('TOPIC_MISSING', `topic ${name} was deleted meanwhile`);
      const { partitions } = topic;
      const left = this.faults({ name, partitions, settings }, topic);
      if (left.length === 0) return;
      if (clock.monotonicMs() > untilMs)
        throw new LogFailure('LOG_UNAVAILABLE', `topic ${name} after ${limits.adminMs} ms: ${left.join('; ')}`);
      await pause(timers, limits.retryMs);
    }
  }

  private faults(spec: TopicSpec, actual: TopicDescription): string[] {
    return topicFaults(spec, actual, this.parts.brokers);
  }

  /** Others may create the same topic at the same moment: what counts is what is there afterwards. */
  private async create(specs: readonly TopicSpec[]): Promise<void> {
    const topics = specs.map(({ name, partitions, settings, replicationFactor }) => ({
      topic: name,
      numPartitions: partitions,
      replicationFactor: replicationFactor ?? this.parts.replicationFactor,
      configEntries: Object.entries(settings).map(([setting, value]) => ({ name: setting, value })),
    }));
    await this.run('creating topics', (admin) =>
      admin.createTopics({ topics, waitForLeaders: false, timeout: this.parts.limits.requestMs }),
    );
    const led = (found: readonly TopicMetadata[]): boolean =>
      found.length === specs.length &&
      found.every(
        ({ errorCode, partitions }) =>
          errorCode === 0 && partitions.length > 0 && partitions.every(({ leader }) => leader >= 0),
      );
    const names = specs.map(({ name }) => name);
    await this.until(names, led, 'not every partition has a leader');
    // What was known of these names, such as that they are missing, is out of date.
    for (const name of names) this.parts.metadata.forget(name);
  }

  private async until(
    names: readonly string[],
    condition: (topics: readonly TopicMetadata[]) => boolean,
    otherwise: string,
  ): Promise<void> {
    const { clock, timers, limits } = this.parts;
    const untilMs = clock.monotonicMs() + limits.adminMs;
    while (!condition(await this.ask(names))) {
      if (clock.monotonicMs() > untilMs)
        throw new LogFailure('LOG_UNAVAILABLE', `${names.join(', ')}: ${otherwise} after ${limits.adminMs} ms`);
      await pause(timers, limits.retryMs);
    }
  }

  /** Those that are there. Fails with LOG_UNAVAILABLE for one that may not be seen: nobody can say that it is missing. */
  private async existing(names: readonly string[] | undefined): Promise<readonly TopicMetadata[]> {
    const found = await this.ask(names);
    const hidden = found.find(({ errorCode }) => errorCode === kafkaError.topicAuthorizationFailed);
    if (names !== undefined && hidden !== undefined)
      throw new LogFailure('LOG_UNAVAILABLE', `topic ${hidden.name}: ${forbiddenTopic}`);
    return found.filter(({ errorCode }) => errorCode === kafkaError.none);
  }

  private async ask(names: readonly string[] | undefined): Promise<readonly TopicMetadata[]> {
    const { clock, timers, limits, metadata } = this.parts;
    const untilMs = clock.monotonicMs() + limits.adminMs;
    for (;;) {
      try {
        return (await metadata.ask(names)).topics;
      } catch (error) {
        if (clock.monotonicMs() > untilMs)
          throw new LogFailure('LOG_UNAVAILABLE', `no broker answers: ${messageOf(error)}`, { cause: error });
        await pause(timers, limits.retryMsMax);
      }
    }
  }

  private async run<T>(what: string, work: (admin: Admin) => Promise<T>): Promise<T> {
    const { admin } = this.parts;
    try {
      this.connecting ??= admin.connect();
      await this.connecting;
      return await work(admin);
    } catch (cause) {
      this.connecting = undefined;
      const codes = brokerCodes(cause);
      const code = codes.some((one) => misconfigured.has(one)) ? 'TOPIC_MISCONFIGURED' : 'LOG_UNAVAILABLE';
      const mend = codes.some((one) => forbidden.has(one))
        ? ': give the Kafka user the ACLs of its role, docs/security.md lists them'
        : '';
      throw new LogFailure(code, `${what}: ${causesOf(cause)}${mend}`, { cause });
    }
  }
}

const forbidden: ReadonlySet<number> = new Set([
  kafkaError.topicAuthorizationFailed,
  kafkaError.clusterAuthorizationFailed,
]);
/** What stays wrong however often it is asked. */
const misconfigured: ReadonlySet<number> = new Set([
  kafkaError.invalidTopic,
  kafkaError.invalidPartitions,
  kafkaError.invalidReplicationFactor,
  kafkaError.invalidConfig,
  kafkaError.policyViolation,
]);

/** The broker's codes in an error of kafkajs, which keeps them in causes and lists of errors. */
function brokerCodes(error: unknown): number[] {
  if (typeof error !== 'object' || error === null) return [];
  const { code, cause, errors } = error as { code?: unknown; cause?: unknown; errors?: unknown };
  const inner = Array.isArray(errors) ? errors.flatMap(brokerCodes) : [];
  return [...(typeof code === 'number' ? [code] : []), ...inner, ...brokerCodes(cause)];
}

/** kafkajs hides the broker's reasons of a partly failed creation in a list. */
function causesOf(error: unknown): string {
  const inner = (error as { errors?: readonly unknown[] }).errors;
  if (!Array.isArray(inner) || inner.length === 0) return messageOf(error);
  return inner.map((one) => `${(one as { topic?: string }).topic ?? ''} ${messageOf(one)}`.trim()).join('; ');
}
