import { EventEmitter } from 'node:events';
import type { ByteStream, Network, NetworkAddress, NetworkListener } from '@levee/wire';
import { type Delay, Lane } from './lane';
import type { SimulatedProcess } from './simulated-process';

const latency: Delay = { minMs: 0.1, maxMs: 0.8 };
/** Bytes under way on one direction of a connection before its writer is told to wait. */
const windowBytes = 64 * 1024;

interface Listening {
  readonly process: SimulatedProcess;
  readonly accept: (stream: ByteStream) => void;
  readonly streams: Set<SimulatedStream>;
  whenEmpty: (() => void) | undefined;
  closing: boolean;
}

/** All the cables of a simulated world. Hosts are named like their processes; every connection keeps its order. */
export class SimulatedNetwork {
  private readonly listening = new Map<string, Listening>();
  private nextPort = 7_000;
  private readonly cuts = new Set<string>();
  private held: (() => void)[] = [];

  constructor(private readonly dice: () => number) {}

  /** The network as one process sees it. */
  of(process: SimulatedProcess): Network {
    return {
      connect: (to) => this.connect(process, to),
      listen: (at, accept) => this.listen(process, at, accept),
    };
  }

  /** From now on nothing gets from `from` to `to`: connections in the making hang, bytes wait. */
  cut(from: string, to: string): void {
    this.cuts.add(`${from}>${to}`);
  }

  /** Every cut is mended, and what waited goes on. */
  heal(): void {
    this.cuts.clear();
    for (const passing of this.held.splice(0)) passing();
  }

  /** Passes over the way from one process to another, once there is one. */
  pass(from: string, to: string, passing: () => void): void {
    if (this.cuts.has(`${from}>${to}`)) this.held.push(() => this.pass(from, to, passing));
    else passing();
  }

  private listen(
    process: SimulatedProcess,
    { port }: NetworkAddress,
    accept: (stream: ByteStream) => void,
  ): Promise<NetworkListener> {
    const taken = port === 0 ? this.nextPort++ : port;
    const place = `${process.name}:${taken}`;
    if (this.listening.has(place))
      return Promise.reject(Object.assign(new Error(`${place} is in use`), { code: 'EADDRINUSE' }));
    const listening: Listening = { process, accept, streams: new Set(), whenEmpty: undefined, closing: false };
    this.listening.set(place, listening);
    process.onDeath(() => {
      if (this.listening.get(place) === listening) this.listening.delete(place);
    });
    return Promise.resolve({
      port: taken,
      close: () => {
        this.listening.delete(place);
        listening.closing = true;
        if (listening.streams.size === 0) return Promise.resolve();
        return new Promise((resolve) => (listening.whenEmpty = resolve));
      },
    });
  }

  private connect(process: SimulatedProcess, { host, port }: NetworkAddress): ByteStream {
    const client = this.stream(process, host, false);
    const arrive = (): void => {
      const listening = this.listening.get(`${host}:${port}`);
      if (listening === undefined || !listening.process.alive) return client.answer(() => client.refuse());
      // Whose caller hung up before the connection was made is never told of it.
      if (!process.alive) return;
      const server = this.stream(listening.process, process.name, true);
      client.join(server);
      server.join(client);
      listening.streams.add(server);
      server.whenClosed = () => {
        listening.streams.delete(server);
        if (listening.streams.size === 0) listening.whenEmpty?.();
      };
      // The operating system takes connections also for a process that stands still.
      listening.process.deliver(() => listening.accept(server));
      client.answer(() => client.tell('connect'));
    };
    client.send(arrive);
    return client;
  }

  private stream(process: SimulatedProcess, peer: string, halfOpen: boolean): SimulatedStream {
    return new SimulatedStream(this, process, peer, { halfOpen, lane: new Lane(process.time, this.dice, latency) });
  }
}

/** One end of a connection. */
class SimulatedStream extends EventEmitter implements ByteStream {
  readonly remotePort = 1;
  writableLength = 0;
  whenClosed: () => void = () => undefined;
  private peer: SimulatedStream | undefined;
  private closed = false;
  private ended = false;
  private peerEnded = false;
  private full = false;
  private flowing = true;
  private corked: Buffer[] | undefined;
  private waiting: (() => void)[] = [];

  constructor(
    private readonly network: SimulatedNetwork,
    private readonly process: SimulatedProcess,
    readonly remoteAddress: string,
    private readonly way: { readonly halfOpen: boolean; readonly lane: Lane },
  ) {
    super();
    process.onDeath(() => this.die());
  }

  join(peer: SimulatedStream): void {
    this.peer = peer;
  }

  /** Something goes from here to the other side. */
  send(arrive: () => void): void {
    this.way.lane.send(() => this.network.pass(this.process.name, this.remoteAddress, arrive));
  }

  /** Something that the other side's system answers. */
  answer(arrive: () => void): void {
    this.way.lane.send(() => this.network.pass(this.remoteAddress, this.process.name, arrive));
  }

  refuse(): void {
    this.fail('ECONNREFUSED');
  }

  write(bytes: Buffer): boolean {
    if (this.closed || this.ended) return false;
    if (this.corked !== undefined) {
      this.corked.push(bytes);
      return true;
    }
    this.writableLength += bytes.length;
    this.process.act('send', '', () =>
      this.send(() => {
        this.peer?.receive(bytes);
        this.taken(bytes.length);
      }),
    );
    this.full = this.writableLength > windowBytes;
    return !this.full;
  }

  cork(): void {
    this.corked ??= [];
  }

  uncork(): void {
    const pieces = this.corked;
    this.corked = undefined;
    if (pieces !== undefined && pieces.length > 0) this.write(Buffer.concat(pieces));
  }

  end(lastWords?: string): void {
    if (this.closed || this.ended) return;
    if (lastWords !== undefined) this.write(Buffer.from(lastWords));
    this.ended = true;
    this.process.act('send', '', () => this.send(() => this.peer?.hearEnd()));
    this.closeWhenBothEnded();
  }

  destroy(): void {
    if (this.closed) return;
    this.send(() => this.peer?.hearReset());
    this.close();
  }

  pause(): void {
    this.flowing = false;
  }

  resume(): void {
    this.flowing = true;
    for (const each of this.waiting.splice(0)) this.tell(each);
  }

  /** An event for the process at this end, when it runs. */
  tell(event: 'connect' | 'drain' | (() => void)): void {
    this.process.deliver(() => {
      if (this.closed) return;
      if (typeof event === 'string') this.emit(event);
      else if (this.flowing) event();
      else this.waiting.push(event);
    });
  }

  private receive(bytes: Buffer): void {
    this.tell(() => this.emit('data', bytes));
  }

  private hearEnd(): void {
    this.tell(() => {
      this.peerEnded = true;
      this.emit('end');
      if (!this.way.halfOpen) this.end();
      this.closeWhenBothEnded();
    });
  }

  private hearReset(): void {
    if (this.peerEnded) this.process.deliver(() => this.close());
    else this.fail('ECONNRESET');
  }

  private fail(code: string): void {
    this.process.deliver(() => {
      if (this.closed) return;
      this.emit('error', Object.assign(new Error(`connection to ${this.remoteAddress}: ${code}`), { code }));
      this.close();
    });
  }

  private taken(bytes: number): void {
    this.writableLength -= bytes;
    if (!this.full || this.writableLength > windowBytes) return;
    this.full = false;
    this.tell('drain');
  }

  private closeWhenBothEnded(): void {
    if (this.ended && this.peerEnded) this.close();
  }

  private close(): void {
    if (this.closed) return;
    this.closed = true;
    this.whenClosed();
    this.process.time.after(0, () => this.process.deliver(() => void this.emit('close')));
  }

  /** The system hangs up for a process that was killed. */
  private die(): void {
    if (this.closed) return;
    this.closed = true;
    this.whenClosed();
    this.send(() => this.peer?.hearReset());
  }
}
