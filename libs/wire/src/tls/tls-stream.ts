import type { TLSSocket } from 'node:tls';
import type { ByteStream } from '../network';
import { tlsPeerOf, type TlsPeer } from './tls-identity';

/** A TLS connection as what is used of one: it stands when its handshake is over. */
export class TlsStream implements ByteStream {
  readonly tlsPeer: TlsPeer | undefined;

  constructor(
    private readonly socket: TLSSocket,
    private readonly connected: 'connect' | 'secureConnect',
  ) {
    this.tlsPeer = connected === 'connect' ? tlsPeerOf(socket) : undefined;
  }

  get remoteAddress(): string | undefined {
    return this.socket.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.socket.remotePort;
  }

  get localAddress(): string | undefined {
    return this.socket.localAddress;
  }

  get localPort(): number | undefined {
    return this.socket.localPort;
  }

  get writableLength(): number {
    return this.socket.writableLength;
  }

  on(event: string, listener: (...args: never[]) => void): unknown {
    return this.socket.on(event === 'connect' ? this.connected : event, listener as (...args: unknown[]) => void);
  }

  write(bytes: Buffer): boolean {
    return this.socket.write(bytes);
  }

  end(lastWords?: string): unknown {
    return lastWords === undefined ? this.socket.end() : this.socket.end(lastWords);
  }

  destroy(): unknown {
    return this.socket.destroy();
  }

  pause(): unknown {
    return this.socket.pause();
  }

  resume(): unknown {
    return this.socket.resume();
  }

  cork(): void {
    this.socket.cork();
  }

  uncork(): void {
    this.socket.uncork();
  }
}
