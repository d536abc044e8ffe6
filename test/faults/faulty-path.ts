import { TcpProxy, type Damage, type Direction, type Tap } from './tcp-proxy';

/**
 * Every way between one process and what it talks to (all brokers, or one node's door): its proxies misbehave together.
 * Each fault lasts until the function it returned is called.
 */
export class FaultyPath {
  private constructor(private readonly proxies: readonly TcpProxy[]) {}

  /** One proxy for each of `targets` places, which are told later by `leadTo`. */
  static async of(targets: number, tap?: () => Tap): Promise<FaultyPath> {
    return new FaultyPath(await Promise.all(Array.from({ length: targets }, () => TcpProxy.listen(undefined, tap))));
  }

  /** `host:port` of the proxies, in the order of their targets. */
  get addresses(): string[] {
    return this.ports.map((port) => `127.0.0.1:${port}`);
  }

  get ports(): number[] {
    return this.proxies.map(({ port }) => port);
  }

  get connections(): number {
    return this.proxies.reduce((sum, { connections }) => sum + connections, 0);
  }

  leadTo(ports: readonly number[]): void {
    if (ports.length !== this.proxies.length) throw new Error(`${ports.length} ports, ${this.proxies.length} proxies`);
    this.proxies.forEach((proxy, i) => (proxy.target = { host: '127.0.0.1', port: ports[i] as number }));
  }

  /** Connections are reset and refused, as by a firewall that says so. */
  cut(): () => void {
    return all(this.proxies.map((proxy) => proxy.cut()));
  }

  /** The same, but only on the ways to these of its targets, by their order. */
  cutTo(targets: readonly number[]): () => void {
    return all(this.proxies.filter((_, i) => targets.includes(i)).map((proxy) => proxy.cut()));
  }

  /** Nothing arrives in this direction, and nobody says so; the other direction works. */
  lose(direction: Direction): () => void {
    return all(this.proxies.map((proxy) => proxy.drop(direction)));
  }

  /** Everything takes so much longer, in both directions. */
  delay(ms: number): () => void {
    for (const proxy of this.proxies) proxy.delayMs = ms;
    return () => {
      for (const proxy of this.proxies) proxy.delayMs = 0;
    };
  }

  /** Open connections are reset; new ones work. */
  reset(): void {
    for (const proxy of this.proxies) proxy.reset();
  }

  /** A share (0..1) of what comes in this direction is damaged. */
  damage(direction: Direction, how: Damage): () => void {
    return all(this.proxies.map((proxy) => proxy.corrupt(direction, how)));
  }

  /** How often a fault has met traffic since the start. */
  get struck(): number {
    return this.proxies.reduce((sum, { struck }) => sum + struck, 0);
  }

  async close(): Promise<void> {
    await Promise.all(this.proxies.map((proxy) => proxy.close()));
  }
}

const all = (undos: ReadonlyArray<() => void>) => (): void => {
  for (const undo of undos) undo();
};
