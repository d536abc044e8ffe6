import { asOffset } from '@levee/kernel';
import type { Log, LogBatch, TopicDescription } from '@levee/log';
import { connect, utf8, type Client, type LocalNamespaceStatus, type LocalStatus, type Namespace } from '@levee/sdk';
import { ScriptedLog, scriptedPlace } from '../../follow/test/scripted-log';
import { eventually } from '../../../test/support/deadline';
import { bulk } from './direct-facts';
import { localOn } from './local-choice';
import { found, ScriptedPortal } from './scripted-portal';

/** A binlog that a replica of an application follows. */
class FollowedLog extends ScriptedLog {
  readonly description: string = 'kafka scripted';
  topic: TopicDescription = {
    name: scriptedPlace.binlog,
    topicId: 'first',
    partitions: 1,
    replicationFactor: 1,
    settings: { 'delete.retention.ms': '86400000' },
  };
  /** An open transaction holds records back. */
  withheld = false;

  describeTopics(): Promise<TopicDescription[]> {
    return Promise.resolve([this.topic]);
  }

  override batch(from: number, to: number): LogBatch {
    const batch = super.batch(from, to);
    return this.withheld ? { ...batch, withheldTo: asOffset(this.end + 1) } : batch;
  }
}

const followFacts = {
  clusterId: scriptedPlace.clusterId,
  creation: 'shop.orders#1',
  bornAs: scriptedPlace.namespace,
  binlog: scriptedPlace.binlog,
  sourceTopicId: null,
  recordFormat: 'put',
  hiddenAfterMs: null,
  maxStalenessMs: null,
};

/** One client, one portal and one log of one partition, of which a test says what they say. */
export class LocalWorld {
  readonly log = new FollowedLog();
  portal!: ScriptedPortal;
  client!: Client;
  keys!: Namespace<string>;
  /** What the portal says to LV.DIRECT. */
  facts: Record<string, unknown> = {
    change: 'metaChange',
    version: 5,
    askedAs: '@shop.orders#1 shop.orders#1',
    log: scriptedPlace.binlog,
    partitions: 1,
    hashAlgorithm: 'murmur2',
    consistency: 'session',
    notDirect: null,
    nodes: [],
    routes: [],
    follow: followFacts,
    stopped: [],
    logKind: 'kafka',
    unheardMs: 0,
  };
  follow = followFacts;
  /** By how much its clock is ahead. */
  aheadMs = 0;
  /** In place of an answer to LV.DIRECT. */
  refusal: string | undefined;
  /** Reads that it was asked for, and pages of scans. */
  asked = 0;
  pagesAsked: { from: string; to: string; count: number }[] = [];
  /** What it says to those, whatever they ask for. */
  page: readonly (readonly [key: string, value: string])[] = [['of the portal', 'x']];
  /** What it says to a write. */
  written = '0:1';

  async open(more: Parameters<typeof localOn>[2] = {}): Promise<this> {
    this.portal ??= await ScriptedPortal.start((args) => this.answer(args));
    this.portal.scope = { namespace: 'shop.orders', binlog: scriptedPlace.binlog, partitions: 1 };
    this.client = await connect({
      portals: [this.portal.name],
      reads: localOn(this.log as unknown as Log, ['shop.orders'], more),
      deadlineMs: 3_000,
    });
    this.keys = this.client.namespace('shop.orders').typed(utf8);
    return this;
  }

  async close(): Promise<void> {
    await this.client.close();
    await this.portal.close();
  }

  get status(): LocalStatus {
    return this.client.status().local as LocalStatus;
  }

  get kept(): LocalNamespaceStatus {
    return this.status.namespaces[0] as LocalNamespaceStatus;
  }

  /** The replica answers what is read. */
  async near(): Promise<void> {
    await eventually('the replica answers', async () => (await this.by('k')) === 'replica');
  }

  /** Who answers a read of the key. */
  async by(key: string): Promise<'replica' | 'portal'> {
    const { answered } = this.status;
    await this.keys.get(key).catch(() => undefined);
    return this.status.answered > answered ? 'replica' : 'portal';
  }

  private answer([name, ...args]: readonly string[]): string {
    switch (name) {
      case 'LV.DIRECT':
        if (this.refusal !== undefined) return `-${this.refusal}\r\n`;
        return bulk(JSON.stringify({ ...this.facts, nowMs: Date.now() + this.aheadMs }));
      case 'LV.GET':
        this.asked++;
        return found('of the portal', '0:1');
      case 'LV.PAGE': {
        const [from = '', to = '', count] = args;
        this.pagesAsked.push({ from, to, count: Number(count) });
        const facts = this.page.map(([key, value]) => `${bulk(key)}+0:1\r\n:0\r\n${bulk(value)}`);
        return `*${2 + 4 * facts.length}\r\n$-1\r\n:0\r\n${facts.join('')}`;
      }
      default:
        return `+${this.written}\r\n`;
    }
  }
}
