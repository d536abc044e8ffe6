import { createServer, connect, type Server, type Socket } from 'node:net';

export type Direction = 'toServer' | 'toClient';

/** Looks at, changes, holds or drops what passes; calls `forward` with what is to go on, when it is to go on. */
export interface Tap {
  toServer(chunk: Buffer, link: Link): void;
  toClient(chunk: Buffer, link: Link): void;
}

/** One client's connection through the proxy. */
export interface Link {
  forward(direction: Direction, chunk: Buffer): void;
  /** Ends both sides with a reset, as a crashed or filtered peer does. */
  reset(): void;
}

export interface Damage {
  readonly share: number;
  readonly random: () => number;
  readonly where: 'first byte' | 'any bit';
}

export interface Target {
  readonly host: string;
  readonly port: number;
}

/**
 * A TCP proxy on 127.0.0.1 that can misbehave. Put it in between by giving clients its port (advertised addresses, a
 * socket factory). Faults hold until they are taken back; `close` ends everything.
 */
export class TcpProxy {
  /** Added to every chunk, in both directions. */
  delayMs = 0;
  /** Where connections go; while there is none they are refused. */
  target: Target | undefined;
  /** How often anything was damaged, lost, late, reset or refused since the start: a fault without traffic is none. */
  struck = 0;
  private readonly dropped = new Set<Direction>();
  private readonly corrupting = new Map<Direction, (chunk: Buffer) => boolean>();
  private readonly links = new Set<{ client: Socket; server: Socket; link: Link }>();
  private refusing = false;

  private constructor(
    private readonly server: Server,
    target: Target | undefined,
    private readonly tap: (() => Tap) | undefined,
  ) {
    this.target = target;
  }

  /** `target` may be told later, when what it leads to has to know the proxy's port first. */
  static async listen(target: Target | undefined, tap?: () => Tap): Promise<TcpProxy> {
    const server = createServer({ noDelay: true });
    const proxy = new TcpProxy(server, target, tap);
    server.on('connection', (client) => proxy.accept(client));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    return proxy;
  }

  get port(): number {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    return address.port;
  }

  /** Swallows what goes in this direction; the other one still works. */
  drop(direction: Direction): () => void {
    this.dropped.add(direction);
    return () => this.dropped.delete(direction);
  }

  /**
   * Damages a share (0..1) of the chunks that go in this direction: their first byte, so that frames no longer begin
   * right, or one bit anywhere.
   */
  corrupt(direction: Direction, { share, random, where }: Damage): () => void {
    this.corrupting.set(direction, (chunk) => {
      if (random() >= share) return false;
      const bit = where === 'first byte' ? 7 : Math.floor(random() * chunk.length * 8);
      chunk[bit >> 3]! ^= 1 << (bit & 7);
      return true;
    });
    return () => this.corrupting.delete(direction);
  }

  /** Resets every connection and every new one. */
  cut(): () => void {
    this.refusing = true;
    this.reset();
    return () => (this.refusing = false);
  }

  reset(): void {
    this.struck += this.links.size;
    for (const { link } of [...this.links]) link.reset();
  }

  get connections(): number {
    return this.links.size;
  }

  async close(): Promise<void> {
    for (const { link } of [...this.links]) link.reset();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private accept(client: Socket): void {
    if (this.refusing || this.target === undefined) {
      this.struck++;
      client.resetAndDestroy();
      return;
    }
    const server = connect({ ...this.target, noDelay: true });
    const send = (direction: Direction, chunk: Buffer): void => {
      const to = direction === 'toServer' ? server : client;
      if (this.dropped.has(direction)) return void this.struck++;
      if (!to.writable) return;
      if (this.corrupting.get(direction)?.(chunk) === true) this.struck++;
      to.write(chunk);
    };
    const late = {
      toServer: new DelayLine((chunk) => send('toServer', chunk)),
      toClient: new DelayLine((chunk) => send('toClient', chunk)),
    };
    const link: Link = {
      forward: (direction, chunk) => {
        if (this.delayMs > 0) this.struck++;
        late[direction].push(chunk, this.delayMs);
      },
      reset: () => {
        this.links.delete(entry);
        client.resetAndDestroy();
        server.destroy();
      },
    };
    const entry = { client, server, link };
    this.links.add(entry);
    const tap = this.tap?.();
    client.on('data', (chunk) => (tap === undefined ? link.forward('toServer', chunk) : tap.toServer(chunk, link)));
    server.on('data', (chunk) => (tap === undefined ? link.forward('toClient', chunk) : tap.toClient(chunk, link)));
    for (const socket of [client, server]) {
      socket.on('error', () => link.reset());
      socket.on('close', () => {
        this.links.delete(entry);
        client.destroy();
        server.destroy();
      });
    }
  }
}

interface Late {
  readonly chunk: Buffer;
  readonly dueMs: number;
}

/** Hands chunks on after their delay, in order, also when the delay shrinks meanwhile: bytes never overtake. */
class DelayLine {
  private readonly waiting: Late[] = [];

  constructor(private readonly send: (chunk: Buffer) => void) {}

  push(chunk: Buffer, delayMs: number): void {
    if (delayMs === 0 && this.waiting.length === 0) return this.send(chunk);
    this.waiting.push({ chunk, dueMs: performance.now() + delayMs });
    if (this.waiting.length === 1) this.arm();
  }

  private arm(): void {
    const [next] = this.waiting;
    if (next === undefined) return;
    setTimeout(
      () => {
        const nowMs = performance.now();
        let due = 1;
        while (due < this.waiting.length && (this.waiting[due] as Late).dueMs <= nowMs) due++;
        for (const { chunk } of this.waiting.splice(0, due)) this.send(chunk);
        this.arm();
      },
      Math.max(0, next.dueMs - performance.now()),
    );
  }
}
