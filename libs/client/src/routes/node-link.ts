import { nodeHello, type ClusterKey } from '@levee/auth';
import { splitAddress, type Clock, type Logger, type Random, type Timers } from '@levee/kernel';
import { RespClient, RespError, type Network, type NodeHello, type RespReply } from '@levee/wire';
import { RoundTrips } from '../reads/round-trips';

export interface NodeAddress {
  readonly nodeId: string;
  readonly storeId: string;
  /** `host:port` of its RESP door. */
  readonly respAddress: string;
}

export interface LinkOptions {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly network?: Network;
  readonly clusterKey?: ClusterKey | undefined;
  /** Of a user, in place of the key. */
  readonly credentials?: readonly [user: string, secret: string] | undefined;
}

/**
 * The connections to one node. Replies of one connection come in order, so what may wait at the node has connections
 * of its own: reads whose position the node is known to have, reads that may have to wait, reads of large
 * values, acknowledgements, scans.
 */
export class NodeLink {
  reads!: RespClient;
  waitingReads!: RespClient;
  largeReads!: RespClient;
  acks!: RespClient;
  /** Acknowledgements that may take long: of a replica that lags, or of a position that somebody named. */
  longAcks!: RespClient;
  scans!: RespClient;
  /** Where the connections lead: `address`, or where the node says that it is while no master can decide it. */
  private connectsTo = '';
  /** Failures seen since the start, for metrics. */
  failures = 0;
  private failuresTold = 0;
  /** By lane of reads. */
  readonly roundTrips: readonly [RoundTrips, RoundTrips, RoundTrips] = [
    new RoundTrips(),
    new RoundTrips(),
    new RoundTrips(),
  ];
  private doubtMs = 0;
  private doubtUntilMs = 0;

  constructor(
    readonly address: NodeAddress,
    private readonly clusterId: string,
    private readonly options: LinkOptions,
  ) {
    this.connectTo(address.respAddress);
  }

  /** Hangs up where nobody answers, and connects there; the greeting shows whether it is the same disk. */
  moveTo(respAddress: string): void {
    if (respAddress === this.connectsTo || this.reads.connected) return;
    this.close();
    this.trust();
    this.connectTo(respAddress);
  }

  private connectTo(respAddress: string): void {
    this.connectsTo = respAddress;
    const { address, clusterId, options } = this;
    const target = splitAddress(respAddress);
    const { credentials, clusterKey } = options;
    const hello = [
      ...(credentials ? [{ args: ['AUTH', ...credentials], check: refusalOf }] : []),
      {
        args: nodeHello(clusterId, address, clusterKey),
        check: (reply: RespReply) => helloProblem(reply, address),
      },
    ];
    const connection = (): RespClient => new RespClient(target, { ...options, hello });
    this.reads = connection();
    this.waitingReads = connection();
    this.largeReads = connection();
    this.acks = connection();
    this.longAcks = connection();
    this.scans = connection();
  }

  /** False while its last connection attempt failed a moment ago. */
  get usable(): boolean {
    return this.reads.usable;
  }

  /** Failures since the last call, and one more while it cannot be reached at all: what a heartbeat says of the node. */
  newFailures(): number {
    const fresh = this.failures - this.failuresTold;
    this.failuresTold = this.failures;
    return fresh + (this.usable ? 0 : 1);
  }

  /**
   * A request got no reply, or a damaged one. What a node says in a reply (it is behind, stale, busy, not ready) is no
   * failure of the link: heartbeats would call a node unreachable that answers.
   */
  failed(): void {
    this.failures++;
  }

  /** It did not answer: others are asked first, for a time that grows while it stays so (a frozen process connects). */
  doubt(nowMs: number): void {
    this.failed();
    this.avoid(nowMs, doubtMsMin);
  }

  /** It takes much longer than it used to: others are asked first, as with {@link doubt}, but it has not failed. */
  slow(nowMs: number): void {
    this.avoid(nowMs, slowMsMin);
  }

  /** A request goes out. After a time of doubt one is enough to see how it is: the others do not wait for that. */
  asked(nowMs: number): void {
    if (this.doubtMs > 0) this.avoid(nowMs, this.doubtMs);
  }

  trust(): void {
    this.doubtMs = 0;
    this.doubtUntilMs = 0;
  }

  private avoid(nowMs: number, leastMs: number): void {
    if (nowMs < this.doubtUntilMs) return;
    this.doubtMs = Math.min(doubtMsMax, Math.max(leastMs, this.doubtMs * 2));
    this.doubtUntilMs = nowMs + this.doubtMs;
  }

  isDoubted(clock: Clock): boolean {
    return this.doubtUntilMs > 0 && clock.monotonicMs() < this.doubtUntilMs;
  }

  close(): void {
    const { reads, waitingReads, largeReads, acks, longAcks, scans } = this;
    for (const client of [reads, waitingReads, largeReads, acks, longAcks, scans]) client.close();
  }
}

const slowMsMin = 100;
const doubtMsMin = 500;
const doubtMsMax = 5_000;

const refusalOf = (reply: RespReply): string | undefined => (reply instanceof RespError ? reply.text : undefined);

function helloProblem(reply: RespReply, address: NodeAddress): string | undefined {
  if (reply instanceof RespError) return reply.text;
  if (!Buffer.isBuffer(reply)) return 'no greeting of a data node';
  try {
    const hello = JSON.parse(reply.toString('utf8')) as Partial<NodeHello>;
    if (hello.nodeId === address.nodeId && hello.storeId === address.storeId) return undefined;
    return `${hello.nodeId} with store ${hello.storeId} answers, not ${address.nodeId} with ${address.storeId}`;
  } catch {
    return 'a greeting that is no JSON';
  }
}

/** One link per node, replaced when the node's address or store changes. */
export class NodeLinks {
  private readonly links = new Map<string, NodeLink>();

  constructor(private readonly options: LinkOptions) {}

  of(address: NodeAddress, clusterId: string): NodeLink {
    const known = this.links.get(address.nodeId);
    if (known && known.address.respAddress === address.respAddress && known.address.storeId === address.storeId)
      return known;
    known?.close();
    const link = new NodeLink(address, clusterId, this.options);
    this.links.set(address.nodeId, link);
    return link;
  }

  /**
   * A node was heard. Where it says that it is counts only while no master can decide that it moved, and nothing answers
   * where it is registered; afterwards it is looked for there again.
   */
  heard(nodeId: string, respAddress: string, masterless: boolean): void {
    const link = this.links.get(nodeId);
    link?.moveTo(masterless ? respAddress : link.address.respAddress);
  }

  /** Hangs up on nodes that are no more. */
  retain(exists: (nodeId: string) => boolean): void {
    for (const [nodeId, link] of this.links)
      if (!exists(nodeId)) {
        link.close();
        this.links.delete(nodeId);
      }
  }

  all(): Iterable<NodeLink> {
    return this.links.values();
  }

  close(): void {
    for (const link of this.links.values()) link.close();
    this.links.clear();
  }
}
