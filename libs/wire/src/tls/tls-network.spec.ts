import { createConnection, type Socket } from 'node:net';
import { connect as tlsConnect, createSecureContext, type TLSSocket } from 'node:tls';
import { silentLogger } from '@levee/kernel';
import { systemClock } from '@levee/log';
import { TestAuthority, type Certified } from '../../../../test/support/certificates';
import { eventually } from '../../../../test/support/deadline';
import { RespClient } from '../resp-client';
import { RespServer } from '../resp-server';
import type { HandshakeLimits } from './handshakes';
import type { TlsIdentity, TlsPeer } from './tls-identity';
import { TlsNetwork } from './tls-network';

const authority = new TestAuthority();
const stranger = new TestAuthority('somebody else');
const server = authority.issue({ name: 'server', hosts: ['127.0.0.1', 'localhost'] });

function identityOf(own: Certified | undefined, options: { ca?: string; required?: boolean } = {}) {
  const listeners = new Set<() => void>();
  const { ca = authority.cert, required = false } = options;
  const pair = own && { cert: own.cert, key: own.key };
  const identity = {
    serving: { ...pair, ca: authority.cert, requestCert: true, rejectUnauthorized: required },
    calling: { secureContext: createSecureContext({ ...pair, ca }) },
    callingAsStranger: { secureContext: createSecureContext({ ca }) },
    onChange: (listener: () => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  const become = (next: Certified): void => {
    identity.serving = { ...identity.serving, ...next };
    for (const listener of listeners) listener();
  };
  return { identity: identity as TlsIdentity, become, listeners };
}

const world = (limits: Partial<HandshakeLimits> = {}) => ({ logger: silentLogger, clock: systemClock, limits });

interface Started {
  readonly port: number;
  readonly network: TlsNetwork;
  readonly peers: (TlsPeer | undefined)[];
  readonly server: RespServer<object>;
  readonly own: ReturnType<typeof identityOf>;
}

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});

async function start(
  options: { limits?: Partial<HandshakeLimits>; required?: boolean; own?: Certified } = {},
): Promise<Started> {
  const own = identityOf(options.own ?? server, { required: options.required ?? false });
  const network = new TlsNetwork(own.identity, world(options.limits));
  const peers: (TlsPeer | undefined)[] = [];
  const resp = new RespServer<object>(
    {
      open: (_connection, peer) => {
        peers.push(peer);
        return {};
      },
      command: (_connection, args, reply) => reply.bulk(args.at(-1) as Buffer),
    },
    { network },
  );
  const port = await resp.listen(0);
  opened.push({ close: () => resp.close(500) });
  return { port, network, peers, server: resp, own };
}

function client(port: number, identity: TlsIdentity, host = '127.0.0.1'): RespClient {
  const made = new RespClient(
    { host, port },
    { network: new TlsNetwork(identity, world()), limits: { connectMs: 5_000 } },
  );
  opened.push(made);
  return made;
}

function plain(port: number): Socket {
  const socket = createConnection({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  opened.push({ close: () => socket.destroy() });
  return socket;
}

const closed = (socket: Socket): Promise<void> => new Promise((resolve) => socket.once('close', () => resolve()));

describe('RESP over TLS', () => {
  it('carries requests and replies, large ones too, and tells who the client is', async () => {
    const { port, peers } = await start();
    const ann = client(port, identityOf(authority.issue({ name: 'ann' })).identity);
    const large = Buffer.alloc(3_000_000, 'x');
    expect(await ann.request(['ECHO', 'hello'], 5_000)).toEqual(Buffer.from('hello'));
    expect((await ann.request(['ECHO', large], 10_000)) as Buffer).toEqual(large);
    expect(peers).toEqual([{ name: 'ann', validUntilMs: expect.any(Number) as number }]);
    expect(peers[0]?.validUntilMs).toBeGreaterThan(Date.now());
  });

  it('calls by name too', async () => {
    const { port } = await start();
    expect(await client(port, identityOf(undefined).identity, 'localhost').request(['ECHO', 'a'], 5_000)).toEqual(
      Buffer.from('a'),
    );
  });

  it.each<readonly [who: string, certificate: () => Certified | undefined]>([
    ['shows none', () => undefined],
    ['shows one of another authority', () => stranger.issue({ name: 'ann' })],
    ['shows one that signed itself', () => selfSigned('ann')],
    ['shows one that has ended', () => authority.issue({ name: 'ann', notAfter: new Date(Date.now() - 60_000) })],
    ['shows one that begins later', () => authority.issue({ name: 'ann', notBefore: new Date(Date.now() + 60_000) })],
    ['shows one of a server', () => authority.issue({ name: 'ann', usages: ['server'] })],
    ['shows one with two names', () => authority.issue({ name: ['ann', 'bob'] })],
    ['shows one of no name', () => authority.issue({ name: [] })],
  ])('is nobody who %s', async (_who, certificate) => {
    const { port, peers } = await start();
    const made = client(port, identityOf(certificate()).identity);
    expect(await made.request(['ECHO', 'a'], 5_000)).toEqual(Buffer.from('a'));
    expect(peers).toEqual([undefined]);
  });

  it('is refused who shows none where one is required', async () => {
    const { port, network, peers } = await start({ required: true });
    for (const own of [undefined, stranger.issue({ name: 'ann' })])
      await expect(client(port, identityOf(own).identity).request(['ECHO', 'a'], 3_000)).rejects.toThrow();
    expect(peers).toEqual([]);
    await eventually('both are counted', () => (network.stats()['handshakesFailed'] ?? 0) >= 2);
    const ann = client(port, identityOf(authority.issue({ name: 'ann' })).identity);
    expect(await ann.request(['ECHO', 'a'], 5_000)).toEqual(Buffer.from('a'));
  });

  it.each<readonly [what: string, own: () => Certified, host: string]>([
    ['another authority', () => stranger.issue({ name: 'server', hosts: ['127.0.0.1'] }), '127.0.0.1'],
    ['another name', () => authority.issue({ name: 'server', hosts: ['example.org'] }), '127.0.0.1'],
    [
      'an end in the past',
      () => authority.issue({ name: 's', hosts: ['127.0.0.1'], notAfter: new Date(1e12) }),
      '127.0.0.1',
    ],
  ])('calls nobody whose certificate has %s, and sends it nothing', async (_what, own, host) => {
    const { port, server: resp } = await start({ own: own() });
    const made = client(port, identityOf(undefined).identity, host);
    await expect(made.request(['ECHO', 'secret'], 3_000)).rejects.toThrow(/certificate|altname|issuer|expired/i);
    expect(resp.stats().commands).toBe(0);
  });
});

describe('strangers at a door that speaks TLS', () => {
  it('are hung up on when they speak none, and counted', async () => {
    const { port, network, peers } = await start();
    for (const bytes of ['*1\r\n$4\r\nPING\r\n', 'GET / HTTP/1.1\r\n\r\n', Buffer.alloc(20_000, 7)]) {
      const socket = plain(port);
      socket.write(bytes);
      await closed(socket);
    }
    await eventually('all are counted', () => network.stats()['handshakesFailed'] === 3);
    expect(peers).toEqual([]);
    expect(network.stats()['handshakes']).toBe(0);
  });

  it('have a deadline for the handshake', async () => {
    const { port, network } = await start({ limits: { handshakeMs: 200 } });
    const silent = plain(port);
    const slow = plain(port);
    // The begin of a ClientHello, and no more of it.
    slow.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]));
    await Promise.all([closed(silent), closed(slow)]);
    await eventually('both are counted', () => network.stats()['handshakesLate'] === 2);
    await eventually('both are over', () => network.stats()['handshakes'] === 0);
  });

  it('have so many handshakes of one address at once, and others wait for nobody', async () => {
    const { port, network } = await start({ limits: { handshakeMs: 1_500, handshakesOfAddressMax: 3 } });
    for (let i = 0; i < 3; i++) plain(port);
    await eventually('three are under way', () => network.stats()['handshakes'] === 3);
    await closed(plain(port));
    expect(network.stats()['handshakesRefused']).toBe(1);
    await eventually('they are too late', () => network.stats()['handshakes'] === 0);
    expect(await client(port, identityOf(undefined).identity).request(['ECHO', 'a'], 5_000)).toEqual(Buffer.from('a'));
  });

  it('keep no door from closing', async () => {
    const { port, network, server: resp } = await start({ limits: { handshakeMs: 60_000 } });
    plain(port);
    await eventually('it is under way', () => network.stats()['handshakes'] === 1);
    const began = performance.now();
    await resp.close(5_000);
    expect(performance.now() - began).toBeLessThan(3_000);
  });
});

it('gives new connections the new certificate, and leaves the old ones', async () => {
  const { port, own } = await start();
  const [before, opens] = [await serialAt(port), client(port, identityOf(undefined).identity)];
  expect(await opens.request(['ECHO', 'a'], 5_000)).toEqual(Buffer.from('a'));
  own.become(authority.issue({ name: 'server', hosts: ['127.0.0.1'] }));
  expect(await serialAt(port)).not.toBe(before);
  expect(await opens.request(['ECHO', 'b'], 5_000)).toEqual(Buffer.from('b'));
  expect(own.listeners.size).toBe(1);
});

function serialAt(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = tlsConnect({ port, host: '127.0.0.1', ca: authority.cert }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

function selfSigned(name: string): Certified {
  return new TestAuthority(name).issue({ name });
}
