import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Connections on which no request ever came: browsers and pools open them ahead. Node's server counts them as busy
 * for a minute, so whoever closes it must hang up on them; from `hangUp` on new ones are hung up on at once.
 */
export class UnusedConnections {
  private readonly unused = new Set<Socket>();
  private closing = false;

  constructor(server: Server) {
    server.on('connection', (socket: Socket) => {
      if (this.closing) return void socket.destroy();
      this.unused.add(socket);
      socket.once('close', () => this.unused.delete(socket));
    });
    server.on('request', ({ socket }: IncomingMessage) => this.unused.delete(socket));
  }

  hangUp(): void {
    this.closing = true;
    for (const socket of this.unused) socket.destroy();
  }
}
