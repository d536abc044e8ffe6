import type { Socket } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';
import { messageOf, networkOf, RareWarning, type Clock, type Logger } from '@levee/kernel';

export interface HandshakeLimits {
  /** From the first byte that could come until the handshake has to be over. */
  readonly handshakeMs: number;
  /** Under way at the same time: each costs a core a millisecond and keeps some 50 KB. */
  readonly handshakesMax: number;
  /** The same of one address, of IPv6 its /64: a pool of clients that starts has as many, and hardly more. */
  readonly handshakesOfAddressMax: number;
}

export const handshakeLimits: HandshakeLimits = {
  handshakeMs: 10_000,
  handshakesMax: 1_024,
  handshakesOfAddressMax: 256,
};

/**
 * Connections of a door whose handshake is not over: nobody else counts them yet. Who speaks no TLS, too slowly, or in
 * too many places at once is hung up on and counted.
 */
export class Handshakes {
  readonly counts = { handshakesFailed: 0, handshakesLate: 0, handshakesRefused: 0 };
  /** By address and port of the client. */
  private readonly pending = new Map<string, Socket>();
  private readonly ofAddress = new Map<string, number>();
  private readonly warning: RareWarning;

  constructor(
    server: Server,
    private readonly limits: HandshakeLimits,
    world: { readonly logger: Logger; readonly clock: Clock },
  ) {
    this.warning = new RareWarning(world.logger, world.clock);
    server.on('connection', (socket: Socket) => this.began(socket));
    server.on('secureConnection', (socket: TLSSocket) => this.ended(keyOf(socket)));
    server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
      this.failed(error, socket.remoteAddress);
      // Node leaves one that is late as it is.
      socket.destroy();
    });
  }

  get size(): number {
    return this.pending.size;
  }

  /** Hangs up on those that have not come to an end. */
  close(): void {
    for (const socket of this.pending.values()) socket.destroy();
  }

  private began(socket: Socket): void {
    const key = keyOf(socket);
    const address = networkOf(socket.remoteAddress ?? '?');
    const many = this.ofAddress.get(address) ?? 0;
    if (this.pending.size >= this.limits.handshakesMax || many >= this.limits.handshakesOfAddressMax) {
      this.counts.handshakesRefused++;
      this.warning.warn('refused', { client: address, pending: many }, 'too many TLS handshakes at once: hung up');
      socket.destroy();
      return;
    }
    this.pending.set(key, socket);
    this.ofAddress.set(address, many + 1);
    socket.once('close', () => this.ended(key));
  }

  private ended(key: string): void {
    if (!this.pending.delete(key)) return;
    const address = networkOf(key.slice(0, key.lastIndexOf(' ')));
    const left = (this.ofAddress.get(address) ?? 0) - 1;
    if (left > 0) this.ofAddress.set(address, left);
    else this.ofAddress.delete(address);
  }

  private failed(error: Error, client = '?'): void {
    const { code } = error as NodeJS.ErrnoException;
    const isLate = code === 'ERR_TLS_HANDSHAKE_TIMEOUT';
    this.counts[isLate ? 'handshakesLate' : 'handshakesFailed']++;
    // Whoever hangs up without a word, such as a health check, is no trouble.
    if (code === 'ECONNRESET') return;
    const why = speaksPlainly(error)
      ? 'it sent no TLS: this door speaks nothing else (rediss://, https://)'
      : messageOf(error);
    this.warning.warn(code ?? 'failed', { client, why }, 'a TLS handshake failed');
  }
}

function speaksPlainly({ message }: Error): boolean {
  return /wrong version number|http request|packet length too long|unexpected message/i.test(message);
}

function keyOf({ remoteAddress = '?', remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
