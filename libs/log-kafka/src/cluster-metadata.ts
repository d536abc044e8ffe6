import { addressText, type Clock, type Logger, messageOf, parseAddress, pause, type Timers } from '@levee/kernel';
import { LogFailure } from '@levee/log';
import { type Address, BrokerConnection, ConnectionFailure } from './broker-connection';
import type { ConnectionFactory } from './kafkajs-client';
import type { KafkaLogLimits } from './limits';
import { kafkaError } from './protocol/error-codes';
import { apis, decodeMetadata, encodeMetadata, type MetadataAnswer, type TopicMetadata } from './protocol/requests';

/** What to do about a topic that is not there. Of Levee's own only the master makes any; of others nobody here does. */
export const missingTopic =
  'the topic does not exist: the master makes what is new of Levee itself, see whether one runs (levee status); a topic ' +
  'of others, and one that was deleted, comes back only by who keeps it (levee doctor)';

/** One that is known by its id was there. */
export const goneTopic =
  'the topic does not exist any more: Levee makes none for others; see to it where it was deleted (levee doctor says what follows)';

/** Never told as a topic that is missing: what may not be seen may well be there. */
export const forbiddenTopic =
  'the Kafka user of this process may not describe the topic (TOPIC_AUTHORIZATION_FAILED): give it the ACLs of its role, docs/security.md lists them';

export const unreadableTopic =
  'the Kafka user of this process may not read the topic: give it the ACLs of its role, docs/security.md lists them';

export interface Leader {
  readonly nodeId: number;
  readonly epoch: number;
  /**
   * Monotonic ms: when somebody else than this leader last said that it leads under this epoch (in a cluster of one
   * broker: when it said so itself). -Infinity: nobody has.
   */
  readonly confirmedMs: number;
}

/** What is known about a topic. `missingSinceMs`: monotonic time since when the cluster has said it does not exist. */
export interface KnownTopic {
  readonly topicId: string;
  readonly leaders: readonly (Leader | undefined)[];
  readonly missingSinceMs: number | undefined;
  /** The last look was refused: whether the topic exists, and who leads it, is not for this user to know. */
  readonly isForbidden: boolean;
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
 * Which broker leads which partition, for the topics somebody asked about. Refreshed on demand: whoever meets an error
 * that speaks of leadership asks for a refresh and looks again, and tails have it looked at every few seconds.
 *
 * A broker that is cut off from the others tells an old story and does not know it. So each refresh asks another broker,
 * the epoch says which story is newer, and a leader's word about itself confirms nothing.
 */
export class ClusterMetadata {
  private readonly topics = new Map<string, KnownTopic>();
  /** Who last spoke of another topic under a known name. */
  private readonly rumours = new Map<string, { topicId: string; by: number | undefined }>();
  private readonly addresses = new Map<number, Address>();
  private readonly controls = new Map<string, BrokerConnection>();
  private refreshing: Promise<void> | undefined;
  private startedMs = -Infinity;
  private nextBroker = 0;
  private nextLook = 0;
  /** Monotonic ms until which a broker is asked last, by node id. */
  private readonly distrusted = new Map<number, number>();
  /** Node ids that the last look called alive. */
  private alive: ReadonlySet<number> = new Set();

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

  /** True when the broker asked last refuses to tell anything of the topic. */
  isForbidden(name: string): boolean {
    return this.topics.get(name)?.isForbidden === true;
  }

  /**
   * One refresh for all who ask at the same time, and a pause of `retryMs` between two. Never throws: an unreachable
   * cluster leaves what was known.
   */
  refresh(): Promise<void> {
    this.refreshing ??= this.refreshSoon().finally(() => (this.refreshing = undefined));
    return this.refreshing;
  }

  /** The leader of this partition, or what is taken for it, did not do what leaders do: others are asked first. */
  distrustLeader(name: string, partition: number): void {
    const leader = this.leaderOf(name, partition);
    if (leader === undefined) return;
    this.distrusted.set(leader.nodeId, this.parts.clock.monotonicMs() + this.parts.limits.distrustMs);
  }

  /** One request to a broker that answers, the same one as long as it does; throws ConnectionFailure when none does. */
  async ask(topics: readonly string[] | undefined): Promise<MetadataAnswer> {
    const candidates = this.candidates();
    const { answer, at } = await this.askInTurn(topics, rotated(candidates, this.nextBroker));
    this.nextBroker = candidates.indexOf(at);
    return answer;
  }

  /** As {@link ask}, but another broker each time: one that is behind is not asked for ever. */
  async look(topics: readonly string[]): Promise<MetadataAnswer> {
    return (await this.lookAround(topics)).answer;
  }

  /** The connection for short questions to this broker. */
  control(address: Address): BrokerConnection {
    const name = addressText(address);
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
    if (pauseMs > 0) await pause(timers, pauseMs);
    this.startedMs = clock.monotonicMs();
    if (this.topics.size === 0) return;
    try {
      const { answer, at, askedMs } = await this.lookAround([...this.topics.keys()]);
      const by = answer.brokers.find(({ nodeId }) => this.addresses.get(nodeId) === at)?.nodeId;
      for (const topic of answer.topics) this.learnTopic(topic, { askedMs, by, alive: answer.brokers });
    } catch (error) {
      this.parts.logger.debug({ reason: messageOf(error) }, 'no metadata from any broker');
    }
  }

  private lookAround(topics: readonly string[]): Promise<Asked> {
    const nowMs = this.parts.clock.monotonicMs();
    const trusted: Address[] = [];
    const others: Address[] = [];
    for (const [nodeId, address] of this.addresses) {
      const last = (this.distrusted.get(nodeId) ?? -Infinity) > nowMs || !this.alive.has(nodeId);
      (last ? others : trusted).push(address);
    }
    const known = new Set(this.addresses.values());
    const configured = this.candidates().filter((address) => !known.has(address));
    return this.askInTurn(topics, [
      ...rotated(trusted, this.nextLook++),
      ...rotated(configured, this.nextLook),
      ...others,
    ]);
  }

  private async askInTurn(topics: readonly string[] | undefined, addresses: readonly Address[]): Promise<Asked> {
    let failure: unknown;
    for (const at of addresses) {
      const askedMs = this.parts.clock.monotonicMs();
      try {
        const answer = decodeMetadata(await this.control(at).send(apis.metadata, encodeMetadata(topics)));
        this.learnBrokers(answer);
        return { answer, at, askedMs };
      } catch (error) {
        failure = error;
        this.distrustAt(at);
        if (error instanceof ConnectionFailure && error.code === 'BROKER_TOO_OLD') break;
      }
    }
    throw failure instanceof ConnectionFailure ? failure : new ConnectionFailure('NO_ANSWER', messageOf(failure));
  }

  private distrustAt(at: Address): void {
    const { clock, limits } = this.parts;
    for (const [nodeId, address] of this.addresses)
      if (address === at) this.distrusted.set(nodeId, clock.monotonicMs() + limits.distrustMs);
  }

  private learnBrokers(answer: MetadataAnswer): void {
    this.alive = new Set(answer.brokers.map(({ nodeId }) => nodeId));
    for (const { nodeId, host, port } of answer.brokers) {
      const known = this.addresses.get(nodeId);
      if (known?.host !== host || known.port !== port) this.addresses.set(nodeId, { host, port });
    }
  }

  private learnTopic(answer: TopicMetadata, { askedMs, by, alive }: Look): void {
    const known = this.topics.get(answer.name);
    if (known === undefined) return;
    if (answer.errorCode === kafkaError.topicAuthorizationFailed) {
      // Leaders that are known answer for themselves.
      this.topics.set(answer.name, { ...known, missingSinceMs: undefined, isForbidden: true });
      return;
    }
    if (answer.errorCode === kafkaError.unknownTopicOrPartition) {
      const missingSinceMs = known.missingSinceMs ?? this.parts.clock.monotonicMs();
      this.topics.set(answer.name, { ...known, leaders: [], missingSinceMs, isForbidden: false });
      return;
    }
    if (answer.errorCode !== kafkaError.none && answer.partitions.length === 0) return;
    if (this.isRumour(known, answer, { by, alive })) return;
    const leaders: (Leader | undefined)[] = [];
    for (const { partition, leader: nodeId, leaderEpoch: epoch } of answer.partitions) {
      // A broker that is behind may tell an older story: the epoch says which is newer.
      const before = known.topicId === answer.topicId ? known.leaders[partition] : undefined;
      if (before !== undefined && before.epoch > epoch) {
        leaders[partition] = before;
      } else if (nodeId < 0) {
        leaders[partition] = undefined;
      } else {
        const same = before?.nodeId === nodeId && before.epoch === epoch;
        const alone = alive.every((broker) => broker.nodeId === nodeId);
        const confirms = alone || (by !== undefined && by !== nodeId);
        leaders[partition] = { nodeId, epoch, confirmedMs: confirms ? askedMs : same ? before.confirmedMs : -Infinity };
      }
    }
    this.topics.set(answer.name, { topicId: answer.topicId, leaders, missingSinceMs: undefined, isForbidden: false });
  }

  /**
   * Deleted and created again, says one broker; it may as well be behind, and speak of the topic before. Believed when
   * the next one that is asked says the same.
   */
  private isRumour({ topicId }: KnownTopic, answer: TopicMetadata, { by, alive }: Omit<Look, 'askedMs'>): boolean {
    const rumour = this.rumours.get(answer.name);
    this.rumours.delete(answer.name);
    if (topicId === '' || topicId === answer.topicId || alive.length <= 1) return false;
    if (rumour?.topicId === answer.topicId && rumour.by !== by) return false;
    this.rumours.set(answer.name, { topicId: answer.topicId, by });
    return true;
  }

  /** Known brokers first, then the configured ones: they may be all that is left. */
  private candidates(): Address[] {
    const all = new Map<string, Address>();
    for (const address of [...this.addresses.values(), ...this.parts.bootstrap]) {
      const name = addressText(address);
      if (!all.has(name)) all.set(name, address);
    }
    return [...all.values()];
  }
}

interface Asked {
  readonly answer: MetadataAnswer;
  readonly at: Address;
  /** Monotonic ms. */
  readonly askedMs: number;
}

interface Look {
  readonly askedMs: number;
  /** Node id of who answered; `undefined` when its address is none of those that the cluster names. */
  readonly by: number | undefined;
  readonly alive: MetadataAnswer['brokers'];
}

function rotated<T>(all: readonly T[], by: number): T[] {
  const at = all.length === 0 ? 0 : by % all.length;
  return [...all.slice(at), ...all.slice(0, at)];
}

const unknownTopic: KnownTopic = { topicId: '', leaders: [], missingSinceMs: undefined, isForbidden: false };

/** `host:port`, or `[v6]:port`. */
export function brokerAddress(text: string): Address {
  const address = parseAddress(text);
  if (address !== undefined && address.port > 0) return address;
  throw new LogFailure('LOG_UNAVAILABLE', `'${text}' is no broker address: use 127.0.0.1:9092, or [::1]:9092`);
}
