import { EventEmitter } from 'node:events';
import type { ByteStream, Network } from './network';
import { RespServer } from './resp-server';
import type { RespService } from './resp-service';
import { respServerLimits } from './resp-server-limits';

/** A client whose bytes arrive when the test says so, as long as the server reads. */
class Stream extends EventEmitter implements ByteStream {
  readonly writableLength = 0;
  isRead = true;
  received = '';
  write(bytes: Buffer): boolean {
    this.received += bytes.toString('latin1');
    return true;
  }
  end(): void {}
  destroy(): void {}
  pause = (): boolean => (this.isRead = false);
  resume = (): boolean => (this.isRead = true);
  cork(): void {}
  uncork(): void {}
}

/** Commands take time of a clock that nothing else moves. */
async function serve(clients: number, commandMs = 0) {
  let nowMs = 0;
  let commands = 0;
  const service: RespService<undefined> = {
    open: () => undefined,
    command(_connection, args, reply) {
      commands++;
      nowMs += commandMs;
      reply.bulk(args[0] as Buffer);
    },
  };
  let accept: (stream: ByteStream) => void = () => undefined;
  const listen: Network['listen'] = (_at, taker) => {
    accept = taker;
    return Promise.resolve({ port: 1, close: () => Promise.resolve() });
  };
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
  const timers = { after: () => () => undefined };
  const network = { listen } as unknown as Network;
  const server = new RespServer(service, { network, clock, timers });
  await server.listen(0);
  const streams = Array.from({ length: clients }, () => new Stream());
  for (const stream of streams) accept(stream);
  return { server, streams, commands: () => commands, nowMs: () => nowMs };
}

const round = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('many connections that send much', () => {
  it('begin commands for some milliseconds, then what arrived meanwhile has its turn: a bystander waits for no more', async () => {
    const { streams, commands, nowMs } = await serve(61, 0.02);
    const [bystander, ...others] = streams as [Stream, ...Stream[]];
    for (const stream of others) stream.emit('data', Buffer.from('WORK\r\n'.repeat(5_000)));
    let longestMs = 0;
    for (let i = 1; i <= 50; i++) {
      await round();
      const beganMs = nowMs();
      bystander.emit('data', Buffer.from('PING\r\n'));
      for (let rounds = 0; !bystander.received.endsWith('PING\r\n') && rounds < 10; rounds++) await round();
      bystander.received = '';
      longestMs = Math.max(longestMs, nowMs() - beganMs);
    }
    // A connection's turn is not cut in its middle.
    expect(longestMs).toBeLessThanOrEqual(2 * (respServerLimits.turnsMs + respServerLimits.turnCommandsMax * 0.02));
    while (others.some(({ received }) => received.length < 5_000 * 10)) await round();
    expect(commands()).toBe(60 * 5_000 + 50);
  });

  it('are read in turns, so that no round of the loop reads more than so much; each of them comes to its end', async () => {
    const { streams, server } = await serve(100);
    const piece = Buffer.alloc(64 * 1024, 'x');
    const begin = Buffer.from(`*2\r\n$4\r\nECHO\r\n$${16 * piece.length}\r\n`);
    const left = new Map(streams.map((stream) => [stream, 16]));
    for (const stream of streams) stream.emit('data', begin);
    let most = 0;
    let rounds = 0;
    for (; [...left.values()].some((pieces) => pieces > 0) && rounds < 1_000; rounds++) {
      let bytes = 0;
      // As a socket does: up to 32 pieces as long as it is read.
      for (const stream of streams)
        for (let n = 0; n < 32 && stream.isRead && left.get(stream)! > 0; n++) {
          left.set(stream, left.get(stream)! - 1);
          bytes += piece.length;
          stream.emit('data', piece);
        }
      if (rounds > 0) most = Math.max(most, bytes);
      await round();
    }
    expect([...left.values()].every((pieces) => pieces === 0)).toBe(true);
    expect(most).toBeLessThanOrEqual(2 * respServerLimits.turnInputBytesMax);
    for (const stream of streams) stream.emit('data', Buffer.from('\r\n'));
    await round();
    await round();
    expect(streams.every(({ received }) => received === '$4\r\nECHO\r\n')).toBe(true);
    expect(server.stats().commands).toBe(100);
  });
});
