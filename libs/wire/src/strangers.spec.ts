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
      command: (connection, args, reply) => {
        const { context } = connection;
        if (['AUTH', 'TRUST'].includes(String(args[0]))) context.sinceMs = undefined;
        if (String(args[0]) === 'TRUST') connection.host.leaveAddress(connection);
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

/** So many that have said who they are. */
async function known(port: number, count: number, word: 'AUTH' | 'TRUST'): Promise<ReturnType<typeof client>[]> {
  const clients = Array.from({ length: count }, () => client(port));
  for (const { socket } of clients) socket.write(`${word}\r\n`);
  await eventually('all are known', () => clients.every(({ got }) => got() === '+OK\r\n'));
  return clients;
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
  const { server, port } = await serve({ strangerMs: 1_000 });
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
  const three = await known(port, 3, 'AUTH');
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

it.each<readonly [what: string, limits: Partial<RespServerLimits>]>([
  ['the server is full', { connectionsMax: 4 }],
  ['the address has all it may', { connectionsOfAddressMax: 4 }],
])('%s: who has been a stranger for longest gives way to who comes, and nobody else', async (_, limits) => {
  const { server, port } = await serve(limits);
  const [somebody] = await known(port, 1, 'AUTH');
  const strangers: ReturnType<typeof client>[] = [];
  for (let i = 0; i < 3; i++) {
    strangers.push(client(port));
    await eventually('it is taken', () => server.stats().connections === i + 2);
  }
  const [next] = await known(port, 1, 'AUTH');
  await eventually('the first stranger is gone', () => strangers[0]?.closed());
  expect(strangers.map(({ closed }) => closed())).toEqual([true, false, false]);
  expect([somebody?.closed(), next?.closed()]).toEqual([false, false]);
  expect(server.stats()).toMatchObject({ connections: 4, closedStrangers: 1, refusedConnections: 0 });

  // A crowd of strangers keeps nobody out, at any moment.
  const crowd = Array.from({ length: 40 }, () => client(port));
  const [last, other] = await known(port, 2, 'AUTH');
  await eventually('most of the crowd is gone', () => crowd.filter(({ closed }) => closed()).length >= 38);
  expect([somebody, next, last, other].map((each) => each?.closed())).toEqual([false, false, false, false]);
  expect(server.stats().connections).toBe(4);
  const late = client(port);
  await eventually('there is room for nobody', () => late.closed());
  expect(late.got()).toMatch(/^-ERR max number of clients( of one address)? reached \(4\)\r\n$/);
});

it('who is trusted does not count among the connections of its address', async () => {
  const { port } = await serve({ connectionsOfAddressMax: 2 });
  const trusted = await known(port, 2, 'TRUST');
  const users = await known(port, 2, 'AUTH');
  const fifth = client(port);
  await eventually('the third user is refused', () => fifth.closed());
  expect([...trusted, ...users].some(({ closed }) => closed())).toBe(false);
});

it('takes little of a stranger at a time, and all that he has sent once he is somebody', async () => {
  const { server, port } = await serve({});
  const large = 'v'.repeat(1_000_000);
  const set = `*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${large.length}\r\n${large}\r\n`;
  const [stranger, somebody] = [client(port), client(port)];
  stranger.socket.write(set);
  await eventually('it is hung up on', () => stranger.closed());
  expect(stranger.got()).toMatch(/^-ERR Protocol error: unauthenticated bulk length: at most 16384 bytes before AUTH/);
  somebody.socket.write(`AUTH\r\n${set}`);
  await eventually('both are answered', () => somebody.got() === '+OK\r\n+OK\r\n');
  expect(server.stats()).toMatchObject({ commands: 2, inputBytes: 0 });
});
