import type { AddressInfo } from 'node:net';
import { isIP } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import type { Clock, Logger } from '@levee/kernel';
import { backlog, type Network } from '../network';
import { Handshakes, handshakeLimits, type HandshakeLimits } from './handshakes';
import { TlsStream } from './tls-stream';
import type { TlsIdentity } from './tls-identity';

export interface TlsNetworkWorld {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly limits?: Partial<HandshakeLimits>;
}

/** TLS over TCP: a connection is told once its handshake is over and the other side is who it should be. */
export class TlsNetwork implements Network {
  private handshakes: Handshakes | undefined;

  constructor(
    private readonly identity: TlsIdentity,
    private readonly world: TlsNetworkWorld,
  ) {}

  /** Of the door that listens; empty without one. */
  stats(): Readonly<Record<string, number>> {
    return this.handshakes ? { ...this.handshakes.counts, handshakes: this.handshakes.size } : {};
  }

  connect: Network['connect'] = ({ host, port }) =>
    new TlsStream(
      connect({
        host,
        port,
        ...this.identity.calling,
        ...(isIP(host) === 0 ? { servername: host } : {}),
      }).setNoDelay(true),
      'secureConnect',
    );

  listen: Network['listen'] = ({ host, port }, accept) =>
    new Promise((resolve, reject) => {
      const { identity, world } = this;
      const limits = { ...handshakeLimits, ...world.limits };
      const server = createServer(
        { ...identity.serving, handshakeTimeout: limits.handshakeMs, noDelay: true, allowHalfOpen: true },
        (socket: TLSSocket) => accept(new TlsStream(socket, 'connect')),
      );
      const handshakes = new Handshakes(server, limits, world);
      const endChanges = identity.onChange(() => server.setSecureContext(identity.serving));
      server.once('error', (error) => {
        endChanges();
        reject(error);
      });
      server.listen({ port, host, backlog }, () => {
        this.handshakes = handshakes;
        resolve({
          port: (server.address() as AddressInfo).port,
          close: () => {
            endChanges();
            handshakes.close();
            return new Promise((closed) => server.close(() => closed()));
          },
        });
      });
    });
}
