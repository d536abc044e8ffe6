import { type Clock, type Logger, messageOf, type Timers } from '@levee/kernel';
import { LogFailure } from '@levee/log';
import { type Address, BrokerConnection, ConnectionFailure } from './broker-connection';
import type { ConnectionFactory } from './kafkajs-client';
import type { KafkaLogLimits } from './limits';
import { kafkaError } from './protocol/error-codes';
import { apis, decodeMetadata, encodeMetadata, type MetadataAnswer, type TopicMetadata } from './protocol/requests';

/** What to do about a topic that is not there; only the master makes topics. */
export const missingTopic = 'the topic does not exist: the master creates it, see whether one runs (levee status)';

export interface Leader {
  readonly nodeId: number;
  readonly epoch: number;
}

/** What is known about a topic. `missingSinceMs`: monotonic time since when the cluster has said it does not exist. */
export interface KnownTopic {
  readonly topicId: string;
  readonly leaders: readonly (Leader | undefined)[];
  readonly missingSinceMs: number | undefined;
}

export interface ClusterParts {
  readonly connection: ConnectionFactory;
  readonly bootstrap: readonly Address[];
  readonly limits: KafkaLogLimits;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

/**
 * Which broker leads which partition, for the topics somebody asked about. Refreshed on demand only: whoever meets an
 * error that speaks of leadership asks for a refresh and looks again.
 */
export class ClusterMetadata {
  private readonly topics = new Map<string, KnownTopic>();
  private readonly addresses = new Map<number, Address>();
  private readonly controls = new Map<string, BrokerConnection>();
  private refreshing: Promise<void> | undefined;
  private startedMs = -Infinity;
  private nextBroker = 0;

  constructor(private readonly parts: ClusterParts) {}

  /** What the last refresh said; `undefined` before the first one that asked for this topic. */
  topic(name: string): KnownTopic | undefined {
    return this.topics.get(name);
  }

  leaderOf(name: string, partition: number): Leader | undefined {
    return this.topics.get(name)?.leaders[partition];
  }

  addressOf(nodeId: number): Address | undefined {
    return this.addresses.get(nodeId);
  }

  /** Puts `name` under watch; what is known of it comes with the next refresh. */
  watch(name: string): void {
    if (!this.topics.has(name)) this.topics.set(name, unknownTopic);
  }

  forget(name: string): void {
    this.topics.delete(name);
  }

  /** True when the topic has been missing for longer than a new one needs to be known everywhere. */
  isMissing(name: string): boolean {
    const since = this.topics.get(name)?.missingSinceMs;
    return since !== undefined && this.parts.clock.monotonicMs() - since >= this.parts.limits.topicMissingMs;
  }

  /**
   * One refresh for all who ask at the same time, and a pause of `retryMs` between two. Never throws: an unreachable
   * cluster leaves what was known.
   */
  refresh(): Promise<void> {
    this.refreshing ??= this.refreshSoon().finally(() => (this.refreshing = undefined));
    return this.refreshing;
  }

  /** One request to any broker that answers; throws ConnectionFailure when none does. */
  async ask(topics: readonly string[] | undefined): Promise<MetadataAnswer> {
    const candidates = this.candidates();
    let failure: unknown;
    for (let i = 0; i < candidates.length; i++) {
      const address = candidates[(this.nextBroker + i) % candidates.length] as Address;
      try {
        const answer = decodeMetadata(await this.control(address).send(apis.metadata, encodeMetadata(topics)));
        this.nextBroker = (this.nextBroker + i) % candidates.length;
        this.learnBrokers(answer);
        return answer;
      } catch (error) {
        failure = error;
        if (error instanceof ConnectionFailure && error.code === 'BROKER_TOO_OLD') break;
      }
    }
    throw failure instanceof ConnectionFailure ? failure : new ConnectionFailure('NO_ANSWER', messageOf(failure));
  }

  /** The connection for short questions to this broker. */
  control(address: Address): BrokerConnection {
    const name = `${address.host}:${address.port}`;
    let connection = this.controls.get(name);
    if (connection === undefined) {
      connection = new BrokerConnection(this.parts.connection, address, this.parts.limits.requestMs);
      this.controls.set(name, connection);
    }
    return connection;
  }

  close(): void {
    for (const connection of this.controls.values()) connection.close();
  }

  private async refreshSoon(): Promise<void> {
    const { clock, timers, limits } = this.parts;
    const pauseMs = this.startedMs + limits.retryMs - clock.monotonicMs();
    if (pauseMs > 0) await new Promise<void>((resolve) => timers.after(pauseMs, resolve));
    this.startedMs = clock.monotonicMs();
    if (this.topics.size === 0) return;
    try {
      const answer = await this.ask([...this.topics.keys()]);
      for (const topic of answer.topics) this.learnTopic(topic);
    } catch (error) {
      this.parts.logger.debug({ reason: messageOf(error) }, 'no metadata from any broker');
    }
  }

  private learnBrokers(answer: MetadataAnswer): void {
    for (const { nodeId, host, port } of answer.brokers) {
      const known = this.addresses.get(nodeId);
      if (known?.host !== host || known.port !== port) this.addresses.set(nodeId, { host, port });
    }
  }

  private learnTopic(answer: TopicMetadata): void {
    const known = this.topics.get(answer.name);
    if (known === undefined) return;
    if (answer.errorCode === kafkaError.unknownTopicOrPartition) {
      const missingSinceMs = known.missingSinceMs ?? this.parts.clock.monotonicMs();
      this.topics.set(answer.name, { ...known, leaders: [], missingSinceMs });
      return;
    }
    if (answer.errorCode !== kafkaError.none && answer.partitions.length === 0) return;
    const leaders: (Leader | undefined)[] = [];
    for (const { partition, leader, leaderEpoch } of answer.partitions) {
      // A broker that is behind may tell an older story: the epoch says which is newer.
      const before = known.topicId === answer.topicId ? known.leaders[partition] : undefined;
      const fresh = leader >= 0 ? { nodeId: leader, epoch: leaderEpoch } : undefined;
      leaders[partition] = before !== undefined && before.epoch > leaderEpoch ? before : fresh;
    }
    this.topics.set(answer.name, { topicId: answer.topicId, leaders, missingSinceMs: undefined });
  }

  /** Known brokers first, then the configured ones: they may be all that is left. */
  private candidates(): Address[] {
    const all = new Map<string, Address>();
    for (const address of [...this.addresses.values(), ...this.parts.bootstrap])
      all.set(`${address.host}:${address.port}`, address);
    return [...all.values()];
  }
}

const unknownTopic: KnownTopic = { topicId: '', leaders: [], missingSinceMs: undefined };

/** `host:port`, or `[v6]:port`. */
export function parseAddress(text: string): Address {
  const match = /^\[?([^\]]+?)\]?:(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[2]);
  if (match === null || port < 1 || port > 65_535)
    throw new LogFailure('LOG_UNAVAILABLE', `'${text}' is no broker address: use host:port, as in 127.0.0.1:9092`);
  return { host: match[1] as string, port };
}
