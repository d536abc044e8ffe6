import type { Between, Ports } from '../../libs/log-kafka/test/kafka-process';
import { type Link, type Tap, TcpProxy } from './tcp-proxy';

/** Of a request: its length, kind, version and correlation; then the client's id behind its length. */
const bytesBeforeClientId = 12;

interface Way {
  /** Node that was called. */
  readonly to: number;
  /** Node that calls, once its first request has said so. */
  from: number | undefined;
  readonly link: Link;
  /** Bytes are missing on it. */
  spoiled: boolean;
}

/**
 * The network between brokers and a controller of their own (`apart`): every listener that they call each other by is a
 * proxy. Clients have other ways, which nothing befalls. Brokers name themselves in the client id of every request
 * (`broker-1-fetcher-0`, `raft-client-1`, `1`), and by that one node is cut off from all the others.
 */
export class BrokerNetwork implements Between {
  /** Chunks that were lost, by direction as the cut node sees it. */
  readonly lost = { outOf: 0, into: 0 };
  private readonly ways: Way[] = [];
  private readonly isCut = new Set<number>();

  private constructor(private readonly proxies: TcpProxy[]) {}

  static async of(brokers: number): Promise<BrokerNetwork> {
    const proxies: TcpProxy[] = [];
    const network = new BrokerNetwork(proxies);
    for (let to = 1; to <= brokers + 1; to++) proxies.push(await TcpProxy.listen(undefined, () => network.tap(to)));
    return network;
  }

  get brokers(): string[] {
    return this.addresses.slice(0, -1);
  }

  get controllers(): string[] {
    return this.addresses.slice(-1);
  }

  leadTo({ brokers, controllers }: Ports): void {
    const ports = [...brokers, ...controllers];
    if (ports.length !== this.proxies.length) throw new Error(`${ports.length} ports, ${this.proxies.length} proxies`);
    this.proxies.forEach((proxy, i) => (proxy.target = { host: '127.0.0.1', port: ports[i] as number }));
  }

  /** Who has called whom, as `1>4`. */
  get calls(): Set<string> {
    return new Set(this.ways.map(({ from, to }) => `${from}>${to}`));
  }

  /** Nothing reaches this node any more, or leaves it, and nobody says so; until the returned function is called. */
  cut(node: number): () => void {
    this.isCut.add(node);
    return () => {
      this.isCut.delete(node);
      for (const way of this.ways) if (way.spoiled) way.link.reset();
    };
  }

  async close(): Promise<void> {
    for (const proxy of this.proxies) await proxy.close();
  }

  private get addresses(): string[] {
    return this.proxies.map(({ port }) => `127.0.0.1:${port}`);
  }

  private tap(to: number): Tap {
    let head: Buffer = Buffer.alloc(0);
    let way: Way | undefined;
    return {
      toServer: (chunk, link) => {
        if (way === undefined) {
          head = Buffer.concat([head, chunk]);
          const name = clientIdIn(head);
          if (name === undefined) return;
          way = { to, from: nodeIn(name), link, spoiled: false };
          this.ways.push(way);
          chunk = head;
        }
        this.pass(way, 'toServer', chunk);
      },
      toClient: (chunk, link) => {
        if (way === undefined) link.forward('toClient', chunk);
        else this.pass(way, 'toClient', chunk);
      },
    };
  }

  private pass(way: Way, direction: 'toServer' | 'toClient', chunk: Buffer): void {
    const called = this.isCut.has(way.to);
    const calls = way.from !== undefined && this.isCut.has(way.from);
    // Once bytes are missing, what is behind them would be read as something else.
    if (called === calls && !way.spoiled) return way.link.forward(direction, chunk);
    way.spoiled = true;
    this.lost[calls === (direction === 'toServer') ? 'outOf' : 'into']++;
  }
}

function clientIdIn(head: Buffer): string | undefined {
  if (head.length < bytesBeforeClientId + 2) return undefined;
  const from = bytesBeforeClientId + 2;
  const to = from + Math.max(0, head.readInt16BE(bytesBeforeClientId));
  return head.length < to ? undefined : head.toString('utf8', from, to);
}

function nodeIn(clientId: string): number | undefined {
  const digits = /\d+/.exec(clientId)?.[0];
  return digits === undefined ? undefined : Number(digits);
}
