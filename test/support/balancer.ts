import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export interface Backend {
  readonly port: number;
  /** Asked whether new connections may come. */
  readonly healthUrl: string;
}

const lookMs = 200;

/**
 * One address before many processes, as a balancer or a Kubernetes Service is: each connection goes to the next process
 * that said it is ready, or to another one when that refuses it, and stays there until one side ends it.
 */
export class Balancer {
  private readonly ready = new Set<Backend>();
  private readonly sockets = new Set<Socket>();
  private readonly looks: NodeJS.Timeout;
  private readonly asked = new Set<Backend>();
  private turn = 0;
  /** New connections for which no process was there. */
  refused = 0;

  private constructor(
    private readonly server: Server,
    private readonly backends: readonly Backend[],
  ) {
    this.looks = setInterval(() => void this.look(), lookMs);
    server.on('connection', (client) => this.accept(client, this.backends.length));
  }

  static async listen(backends: readonly Backend[]): Promise<Balancer> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    const balancer = new Balancer(server, backends);
    await balancer.look();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return balancer;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    clearInterval(this.looks);
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async look(): Promise<void> {
    await Promise.all(
      this.backends.map(async (backend) => {
        // One question at a time: an answer that is late must not outlive a newer one.
        if (this.asked.has(backend)) return;
        this.asked.add(backend);
        const answer = await fetch(backend.healthUrl, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
        await answer?.arrayBuffer().catch(() => undefined);
        this.asked.delete(backend);
        if (answer?.ok === true) this.ready.add(backend);
        else this.ready.delete(backend);
      }),
    );
  }

  private accept(client: Socket, attempts: number): void {
    this.keep(client);
    const ready = this.backends.filter((backend) => this.ready.has(backend));
    const backend = ready[this.turn++ % Math.max(1, ready.length)];
    if (backend === undefined || attempts === 0) {
      this.refused++;
      return void client.destroy();
    }
    const server = connect({ port: backend.port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const again = (): void => this.accept(client, attempts - 1);
    server.once('error', again);
    server.once('connect', () => {
      server.off('error', again);
      this.keep(server);
      client.pipe(server);
      server.pipe(client);
      for (const [one, other] of [
        [client, server],
        [server, client],
      ] as const)
        one.once('close', () => (one.readableEnded ? other.end() : other.destroy()));
    });
  }

  private keep(socket: Socket): void {
    if (this.sockets.has(socket)) return;
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => this.sockets.delete(socket));
  }
}
