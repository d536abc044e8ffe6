import type { TlsPeer } from './tls/tls-identity';

/** Connections that the system keeps for a door which does not take them at once. */
export const backlog = 1024;

/** Where a server listens, or listens for a client. */
export interface NetworkAddress {
  readonly host: string;
  /** 0, where one listens: any free port. */
  readonly port: number;
}

/**
 * A connection of bytes, as `net.Socket` has it, and no more of it than is used here: what arrives keeps its order and
 * is told once per listener. After `error` there is always `close`; after `close` there is nothing.
 */
export interface ByteStream {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  /** Of an accepted connection: who the client has proved to be by a certificate. */
  readonly tlsPeer?: TlsPeer | undefined;
  /** Bytes written and not yet taken by the other side's system. */
  readonly writableLength: number;
  on(event: 'connect' | 'drain' | 'end' | 'close', listener: () => void): unknown;
  on(event: 'data', listener: (bytes: Buffer) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  /** False: `drain` tells when more is welcome. The bytes must not be changed afterwards. */
  write(bytes: Buffer): boolean;
  /** Sends no more; what was written still arrives. */
  end(): unknown;
  end(lastWords: string): unknown;
  /** Lets go at once, of both directions. */
  destroy(): unknown;
  pause(): unknown;
  resume(): unknown;
  /** Gathers writes until `uncork`. */
  cork(): void;
  uncork(): void;
}

export interface NetworkListener {
  readonly port: number;
  /** Accepts no more; resolves when every accepted connection is closed. */
  close(): Promise<void>;
}

/** How bytes reach other processes. The default is TCP (`systemNetwork`); a simulation brings its own. */
export interface Network {
  /** A connection in the making; `connect` or `error` tells what became of it. */
  connect(to: NetworkAddress): ByteStream;
  /** Accepted connections may be half open: the client has ended, and still reads. Fails as `net.Server` does. */
  listen(at: NetworkAddress, accept: (stream: ByteStream) => void): Promise<NetworkListener>;
}
