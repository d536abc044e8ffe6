import { EventEmitter } from 'node:events';
import type { Server } from 'node:tls';
import { silentLogger } from '@levee/kernel';
import { Handshakes } from './handshakes';

function door(handshakesOfAddressMax: number) {
  const server = new EventEmitter();
  const clock = { nowMs: () => 0, monotonicMs: () => 0 };
  const limits = { handshakeMs: 10_000, handshakesMax: 100, handshakesOfAddressMax };
  const of = new Handshakes(server as unknown as Server, limits, { logger: silentLogger, clock });
  let remotePort = 1_000;
  return {
    of,
    /** Somebody connects; the returned function hangs up. */
    connect(remoteAddress: string): () => void {
      const socket = Object.assign(new EventEmitter(), {
        remoteAddress,
        remotePort: remotePort++,
        destroy: () => undefined,
      });
      server.emit('connection', socket);
      return () => socket.emit('close');
    },
  };
}

it.each([
  ['of one address of IPv4', '10.0.0.1', '10.0.0.1', '10.0.0.2'],
  [
    'of one /64 of IPv6, whoever has which has all its addresses',
    '2001:db8:1:2::1',
    '2001:db8:1:2::2',
    '2001:db8:1:3::1',
  ],
])('handshakes %s have a part of the room', (_what, one, same, other) => {
  const { of, connect } = door(2);
  const first = connect(one);
  connect(same);
  connect(same);
  expect([of.size, of.counts.handshakesRefused]).toEqual([2, 1]);
  connect(other);
  expect(of.size).toBe(3);
  first();
  connect(same);
  connect(same);
  expect([of.size, of.counts.handshakesRefused]).toEqual([3, 2]);
});
