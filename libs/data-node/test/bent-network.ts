import { type ByteStream, type Network, type NetworkAddress, type NetworkListener, systemNetwork } from '@levee/wire';

/** TCP whose received bytes pass through the test's hands. */
export class BentNetwork implements Network {
  /** Bytes received over all connections so far. */
  received = 0;
  /** Called with every piece received, before it is handed on; what it returns is handed on, `'cut'` ends it. */
  onData: (bytes: Buffer, to: NetworkAddress) => Buffer | 'cut' = (bytes) => bytes;

  connect(to: NetworkAddress): ByteStream {
    const stream = systemNetwork.connect(to);
    const bent: ByteStream = new Proxy(stream, {
      get: (target, name) => {
        if (name === 'on')
          return (event: string, listener: (argument: unknown) => void) => {
            if (event !== 'data') return target.on(event as 'close', listener as () => void);
            return target.on('data', (bytes) => {
              this.received += bytes.length;
              const given = this.onData(bytes, to);
              if (given === 'cut') target.destroy();
              else listener(given);
            });
          };
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    return bent;
  }

  listen(at: NetworkAddress, accept: (stream: ByteStream) => void): Promise<NetworkListener> {
    return systemNetwork.listen(at, accept);
  }

  /** Calls `then` once, when more than `bytes` were received from now on; its answer is for that piece. */
  after(bytes: number, then: (piece: Buffer, to: NetworkAddress) => Buffer | 'cut'): void {
    const limit = this.received + bytes;
    this.onData = (piece, to) => {
      if (this.received <= limit) return piece;
      this.onData = (rest) => rest;
      return then(piece, to);
    };
  }
}
