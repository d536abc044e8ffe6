import { connect, type Socket } from 'node:net';
import { silentLogger } from '@levee/kernel';
import type { ReplySlot } from './reply-slot';
import { RespServer } from './resp-server';
import type { RespService } from './resp-service';
import type { RespServerLimits } from './resp-server-limits';

/** LATER command …: keeps it. GO: begins what was kept. DROP: forgets it. */
const held: ReplySlot[] = [];
let begun: string[] = [];
const service: RespService<undefined> = {
  open: () => undefined,
  command(connection, args, reply) {
    const [name = '', word = ''] = args.map(String);
    begun.push([name, word].join(' ').trim());
    if (name === 'LATER') reply.simple(connection.defer(args.slice(1)) ?? 'QUEUED');
    else if (name === 'DROP') {
      connection.dropDeferred();
      reply.ok();
    } else if (name === 'GO') {
      reply.integer(connection.deferredCommands);
      connection.beginDeferred();
    } else if (name === 'HOLD' || name === 'ALONE') {
      held.push(reply);
      if (name === 'ALONE') reply.holdPipeline();
    } else reply.text(word);
  },
};

let server: RespServer<undefined>;
let port: number;
const sockets: Socket[] = [];

async function serve(limits: Partial<RespServerLimits> = {}): Promise<void> {
  server = new RespServer(service, { limits, logger: silentLogger });
  port = await server.listen(0);
}

afterEach(async () => {
  held.length = 0;
  begun = [];
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.close(0);
});

function open(): { socket: Socket; got: () => string; closed: () => boolean } {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => undefined);
  sockets.push(socket);
  let all = '';
  let closed = false;
  socket.on('data', (data) => (all += data.toString('latin1')));
  socket.on('end', () => socket.end()).on('close', () => (closed = true));
  return { socket, got: () => all.replace(/\r\n/g, ' ').trim(), closed: () => closed };
}

async function until(what: string, look: () => boolean): Promise<void> {
  const endMs = performance.now() + 20_000;
  while (!look()) {
    if (performance.now() > endMs) throw new Error(`${what} did not happen within 20 s`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

it('begins what was kept in order, after its command and before what was sent after it', async () => {
  await serve();
  const { socket, got } = open();
  socket.write('LATER ECHO a\r\nLATER HOLD\r\nLATER ECHO b\r\nECHO now\r\nGO\r\nECHO after\r\nGO\r\n');
  await until('all being begun', () => begun.length === 10);
  expect(begun.slice(3)).toEqual(['ECHO now', 'GO', 'ECHO a', 'HOLD', 'ECHO b', 'ECHO after', 'GO']);
  held[0]?.text('held');
  await until('the replies', () => got().endsWith(':0'));
  expect(got()).toBe('+QUEUED +QUEUED +QUEUED $3 now :3 $1 a $4 held $1 b $5 after :0');
});

it('a command that holds the pipeline holds what was kept behind it', async () => {
  await serve();
  const { socket, got } = open();
  socket.write('LATER ALONE\r\nLATER ECHO b\r\nGO\r\nECHO after\r\n');
  await until('the first being begun', () => held.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(begun.at(-1)).toBe('ALONE');
  held[0]?.ok();
  await until('the replies', () => got().endsWith('after'));
  expect(got()).toBe('+QUEUED +QUEUED :2 +OK $1 b $5 after');
});

it('a message that nobody asked for stands behind the last of them, and comes to no client of RESP2', async () => {
  await serve();
  const { socket, got } = open();
  const push = (): void => {
    for (const connection of server.list()) connection.push((writer) => writer.push(1).text('hey'));
  };
  socket.write('LATER ALONE\r\nLATER ECHO b\r\nGO\r\nECHO after\r\n');
  await until('the first being begun', () => held.length === 1);
  for (const connection of server.list()) connection.protocol = 3;
  push();
  held[0]?.ok();
  await until('the replies', () => got().endsWith('after'));
  expect(got()).toBe('+QUEUED +QUEUED :2 +OK $1 b >1 $3 hey $5 after');
  for (const connection of server.list()) connection.protocol = 2;
  push();
  socket.write('ECHO end\r\n');
  await until('the replies', () => got().endsWith('end'));
  expect(got()).toMatch(/ \$5 after \$3 end$/);
});

const many = 5_000;
const manyLater = 'LATER ECHO x\r\n'.repeat(many);
const manyReplies = new RegExp(`^(\\+QUEUED ){${many}}:${many}( \\$1 x){${many}}( |$)`);

it('others have their turns while many are carried out', async () => {
  await serve();
  const { socket, got } = open();
  socket.write(`${manyLater}GO\r\n`);
  const other = open();
  await until('them being begun', () => begun.includes('ECHO x'));
  other.socket.write('ECHO other\r\n');
  await until('all replies', () => manyReplies.test(got()));
  expect(other.got()).toBe('$5 other');
  expect(begun.indexOf('ECHO other')).toBeLessThan(begun.lastIndexOf('ECHO x'));
});

it.each([
  ['the client ends its side', (socket: Socket) => socket.end(`${manyLater}GO\r\n`)],
  [
    'the server closes',
    (socket: Socket) => {
      socket.write(`${manyLater}GO\r\n`);
      void until('them being begun', () => begun.includes('ECHO x')).then(() => server.close(20_000));
    },
  ],
])('carries out all that was begun when %s', async (_what, act) => {
  await serve();
  const { socket, got, closed } = open();
  act(socket);
  await until('all replies', () => closed());
  expect(got()).toMatch(manyReplies);
});

it('begins nothing of a connection that ends before it says so', async () => {
  await serve();
  const { socket, closed } = open();
  socket.end('LATER ECHO x\r\nLATER ECHO y\r\n');
  await until('the end', closed);
  expect(begun).toEqual(['LATER ECHO', 'LATER ECHO']);
  await until('nothing being held', () => server.stats().connections === 0);
  expect(server.stats()).toMatchObject({ inputBytes: 0, queuedBytes: 0 });
});

it('counts what is kept, until it is carried out or dropped', async () => {
  await serve();
  const { socket, got } = open();
  socket.write(`LATER ECHO ${'x'.repeat(10_000)}\r\n`.repeat(6));
  await until('all being kept', () => server.stats().inputBytes > 60_000);
  expect(server.stats().queuedBytes).toBeGreaterThan(60_000);
  socket.write('DROP\r\n');
  await until('it being dropped', () => server.stats().inputBytes === 0);
  socket.write(`LATER ECHO ${'y'.repeat(10_000)}\r\n`);
  await until('it being kept', () => server.stats().inputBytes > 10_000);
  socket.write('GO\r\n');
  await until('it being carried out', () => got().endsWith('y'));
  await until('nothing being held', () => server.stats().inputBytes + server.stats().queuedBytes === 0);
});

it.each([
  [{ deferredCommandsMax: 2 }, 'more than 2 commands are queued'],
  [{ deferredBytesMax: 700 }, 'the commands that are queued have more than 700 bytes'],
])('says when there is no room for more: %j', async (limits, why) => {
  await serve(limits);
  const { socket, got } = open();
  socket.write(`${'LATER ECHO x\r\n'.repeat(2)}LATER ECHO ${'x'.repeat(200)}\r\nGO\r\n`);
  await until('the replies', () => got().endsWith('x $1 x'));
  expect(got()).toBe(`+QUEUED +QUEUED +${why} :2 $1 x $1 x`);
});

it('closes who keeps most when all keep too much together', async () => {
  await serve({ inputBytesMax: 200_000, requestBytesMax: 100_000, bulkBytesMax: 100_000 });
  const large = open();
  const small = open();
  large.socket.write(`LATER ECHO ${'x'.repeat(50_000)}\r\n`.repeat(3));
  await until('them being kept', () => server.stats().inputBytes > 150_000);
  small.socket.write(`LATER ECHO ${'x'.repeat(50_000)}\r\n`);
  await until('the largest being closed', large.closed);
  small.socket.write('GO\r\n');
  await until('the other being served', () => small.got().endsWith('x'));
  expect(server.stats()).toMatchObject({ connections: 1, closedCrowded: 1 });
});

it('closes who keeps commands and falls silent, and only that one', async () => {
  await serve({ deferredSilentMs: 1 });
  const silent = open();
  const idle = open();
  silent.socket.write('LATER ECHO x\r\n');
  idle.socket.write('ECHO y\r\n');
  await until('the silent one being closed', silent.closed);
  expect(begun).not.toContain('ECHO x');
  expect(idle.closed()).toBe(false);
});
