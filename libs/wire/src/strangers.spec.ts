import { connect, type Socket } from 'node:net';
import { systemClock } from '@levee/log';
import { eventually } from '../../../test/support/deadline';
import { RespServer } from './resp-server';
import type { RespServerLimits } from './resp-server-limits';

/** Who is nobody since when. */
interface Caller {
  sinceMs: number | undefined;
}

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(limits: Partial<RespServerLimits>): Promise<{ server: RespServer<Caller>; port: number }> {
  const server = new RespServer<Caller>(
    {
      open: () => ({ sinceMs: systemClock.monotonicMs() }),
      strangerSinceMs: ({ context }) => context.sinceMs,
      command: ({ context }, args, reply) => {
        if (String(args[0]) === 'AUTH') context.sinceMs = undefined;
        if (String(args[0]) === 'FORGET') context.sinceMs = systemClock.monotonicMs();
        reply.ok();
      },
    },
    { limits },
  );
  const port = await server.listen(0);
  cleanups.push(() => server.close(200));
  return { server, port };
}

function client(port: number): { socket: Socket; got: () => string; closed: () => boolean } {
  const socket = connect(port, '127.0.0.1');
  cleanups.push(() => socket.destroy());
  let [text, isClosed] = ['', false];
  socket.on('data', (piece: Buffer) => (text += piece.toString()));
  socket.on('error', () => undefined);
  socket.on('close', () => (isClosed = true));
  return { socket, got: () => text, closed: () => isClosed };
}

it('hangs up on who has not said who he is for too long, or was forgotten, and on nobody else', async () => {
  const { server, port } = await serve({ strangerMs: 300 });
  const [silent, talker, known, forgotten] = [client(port), client(port), client(port), client(port)];
  known.socket.write('AUTH\r\n');
  forgotten.socket.write('AUTH\r\n');
  const talk = setInterval(() => talker.socket.write('PING\r\n'), 50);
  try {
    await eventually('the strangers are gone', () => silent.closed() && talker.closed());
  } finally {
    clearInterval(talk);
  }
  expect([known.closed(), forgotten.closed(), server.stats().closedStrangers]).toEqual([false, false, 2]);
  forgotten.socket.write('FORGET\r\n');
  await eventually('it is gone too', () => forgotten.closed());
  known.socket.write('PING\r\n');
  await eventually('it is answered', () => known.got() === '+OK\r\n+OK\r\n');
  expect(server.stats().closedStrangers).toBe(3);
});

it('takes so many connections of one address, and one more when one has gone', async () => {
  const { server, port } = await serve({ connectionsOfAddressMax: 3 });
  const three = [client(port), client(port), client(port)];
  await eventually('all are there', () => server.stats().connections === 3);
  const fourth = client(port);
  await eventually('the fourth is refused', () => fourth.closed());
  expect(fourth.got()).toBe('-ERR max number of clients of one address reached (3)\r\n');
  expect(server.stats().refusedConnections).toBe(1);
  three[0]?.socket.destroy();
  await eventually('one has gone', () => server.stats().connections === 2);
  const fifth = client(port);
  fifth.socket.write('PING\r\n');
  await eventually('it is answered', () => fifth.got() === '+OK\r\n');
});
