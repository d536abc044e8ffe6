import { connect, type Socket } from 'node:net';
import { silentLogger } from '@levee/kernel';
import { ByteQueue } from './byte-queue';
import { ChunkList } from './chunk-list';
import type { ReplySlot } from './reply-slot';
import { RespServer } from './resp-server';
import type { RespService } from './resp-service';
import type { RespServerLimits } from './resp-server-limits';
import { bound } from '../../../test/support/seed';

const MiB = 1024 * 1024;
const held: ReplySlot[] = [];
let busy = false;
let begun = 0;
const service: RespService<undefined> = {
  open: () => undefined,
  get busy() {
    return busy;
  },
  command(_connection, args, reply) {
    begun++;
    const name = String(args[0]).toUpperCase();
    if (name === 'ECHO') reply.bulk(args[1] as Buffer);
    else if (name === 'BIG') reply.bulk(Buffer.alloc(Number(args[1]), 'x'));
    else if (name === 'HOLD') held.push(reply);
    else if (name === 'ALONE') {
      held.push(reply);
      reply.holdPipeline();
    } else reply.ok();
  },
};

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  held.length = 0;
  busy = false;
  begun = 0;
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(limits: Partial<RespServerLimits> = {}) {
  const server = new RespServer(service, { limits, logger: silentLogger });
  const port = await server.listen(0);
  cleanups.push(() => server.close(0));
  return { server, port };
}

function open(port: number): Socket {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  cleanups.push(() => void socket.destroy());
  return socket;
}

async function until(what: string, look: () => boolean, deadlineMs = 50_000): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  while (!look()) {
    if (performance.now() > endMs) throw new Error(`${what} did not happen within ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Everything that is received from now on. */
function received(socket: Socket): { bytes: number; text: string; closed: boolean } {
  const all = { bytes: 0, text: '', closed: false };
  socket.on('data', (data) => {
    all.bytes += data.length;
    all.text = (all.text + data.toString('latin1')).slice(-2_000);
  });
  socket.on('close', () => (all.closed = true));
  return all;
}

/** Resolves once all of it has left this side, nothing being read meanwhile. */
async function writeWhole(socket: Socket, text: string): Promise<void> {
  socket.pause();
  let written = false;
  socket.write(text, () => (written = true));
  await until('the pipeline being written', () => written);
}

describe('a client that writes its whole pipeline before it reads', () => {
  jest.setTimeout(60_000);

  it('is answered: 200,000 commands whose replies have 500 bytes', async () => {
    const { server, port } = await serve();
    const socket = open(port);
    await writeWhole(socket, 'BIG 500\r\n'.repeat(200_000));
    // What it sent, and the replies of which it took none: no more than were begun before they waited.
    expect(server.stats().queuedBytes).toBeLessThan(12 * MiB);
    const all = received(socket);
    socket.resume();
    await until('all replies', () => all.bytes === 200_000 * 508);
    expect(server.stats()).toMatchObject({ closedSlow: 0, inputBytes: 0 });
    await until('nothing being left', () => server.stats().queuedBytes === 0);
  });

  it('is answered too when what it sends ahead is more than is kept, as long as its replies find room', async () => {
    const { server, port } = await serve({ inputAheadBytes: 256 * 1024, outputPauseBytes: 64 * 1024 });
    const socket = open(port);
    const command = `ECHO ${'k'.repeat(100)}\r\n`;
    const count = 10_000;
    await writeWhole(socket, command.repeat(count)).catch(() => undefined);
    expect(server.stats().queuedBytes).toBeLessThan(2 * MiB);
    const all = received(socket);
    socket.resume();
    await until('all replies', () => all.bytes === count * 108);
  });

  it('sees its replies in order, and those of half a command at the end of what it sent ahead', async () => {
    const { port } = await serve({ outputPauseBytes: 8 * 1024, crowdedPauseBytes: 8 * 1024 });
    const socket = open(port);
    const numbers = Array.from({ length: 50_000 }, (_, i) => `${i}`);
    await writeWhole(
      socket,
      `${numbers.map((n) => `*2\r\n$4\r\nECHO\r\n$${n.length}\r\n${n}\r\n`).join('')}*2\r\n$4\r\nEC`,
    );
    let text = '';
    socket.on('data', (data) => (text += data.toString('latin1')));
    socket.resume();
    socket.write('HO\r\n$3\r\nend\r\n');
    await until('the last reply', () => text.endsWith('end\r\n'));
    expect(text).toBe([...numbers, 'end'].map((n) => `$${n.length}\r\n${n}\r\n`).join(''));
  });
});

describe('what a client has under way is its own', () => {
  it('commands wait while the arguments of those before take too much', async () => {
    const { server, port } = await serve({ pipelineBytesMax: 4 * MiB });
    const socket = open(port);
    const all = received(socket);
    socket.write(`*2\r\n$4\r\nHOLD\r\n$${MiB}\r\n${'x'.repeat(MiB)}\r\n`.repeat(12));
    await until('four and one being begun', () => held.length === 4);
    await until('the rest being here', () => server.stats().queuedBytes > 11 * MiB);
    expect(begun).toBe(4);
    for (let answered = 0; answered < 12; answered++) {
      await until('the next being begun', () => held.length > 0);
      held.shift()?.ok();
    }
    await until('all replies', () => all.text === '+OK\r\n'.repeat(12));
    await until('nothing being left', () => server.stats().queuedBytes === 0);
  });

  it('a command that holds the pipeline is answered before the next is begun', async () => {
    const { port } = await serve();
    const socket = open(port);
    const all = received(socket);
    socket.write('ALONE\r\nHOLD\r\nPING\r\n');
    await until('the first being begun', () => held.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(begun).toBe(1);
    held.shift()?.ok();
    await until('the others being begun', () => begun === 3);
    held.shift()?.ok();
    await until('all replies', () => all.text === '+OK\r\n'.repeat(3));
  });

  it('while the service is busy only those wait who have much under way', async () => {
    const { port } = await serve({ crowdedPauseBytes: 1_000 });
    const many = open(port);
    many.write(`HOLD ${'x'.repeat(100)}\r\n`.repeat(40));
    await until('all being begun', () => begun === 40);
    busy = true;
    many.write('HOLD\r\n'.repeat(10));
    const few = open(port);
    const all = received(few);
    for (let i = 1; i <= 20; i++) {
      few.write('PING\r\n');
      await until('a reply', () => all.text.length === i * 5);
    }
    expect(begun).toBe(61);
    for (const slot of held.splice(0)) slot.ok();
    await until('the others being begun', () => begun === 70);
  });
});

describe('a client that does not take its replies', () => {
  it('goes first once all hold too much, though it goes on sending; others do not notice', async () => {
    const { server, port } = await serve({ queuedBytesMax: 8 * MiB, crowdedSlowMs: 300 });
    // It is there before the others: how long a new connection waits behind sixty is not what is tried.
    const quick = open(port);
    const all = received(quick);
    quick.write('PING\r\n');
    await until('its first reply', () => all.bytes === 5);
    const slow = Array.from({ length: 60 }, () => {
      const socket = open(port);
      socket.pause();
      socket.write(`BIG ${MiB}\r\n`.repeat(40));
      return socket;
    });
    const trickle = setInterval(() => slow.forEach((socket) => socket.write('PING\r\n')), 50);
    cleanups.push(() => clearInterval(trickle));
    let longestMs = 0;
    for (let i = 2; i <= 200 || server.stats().queuedBytes > 8 * MiB; i++) {
      const began = performance.now();
      quick.write('PING\r\n');
      await until('a reply', () => all.bytes === i * 5);
      longestMs = Math.max(longestMs, performance.now() - began);
    }
    expect(longestMs).toBeLessThan(bound(1_500));
    expect(server.stats().closedSlow + server.stats().closedCrowded).toBeGreaterThan(0);
    expect(quick.destroyed).toBe(false);
  });

  it('is waited for as long as it takes something, however slowly', async () => {
    const { server, port } = await serve({ slowClientMs: 2_500, crowdedSlowMs: 2_500, bytesPerMsMin: 1e9 });
    const socket = open(port);
    socket.pause();
    socket.write(`BIG ${8 * MiB}\r\n`.repeat(3));
    const all = received(socket);
    socket.pause();
    for (let round = 0; round < 8; round++) {
      const before = all.bytes;
      socket.resume();
      await until('some of it being taken', () => all.bytes >= Math.min(before + 2 * MiB, 24 * MiB));
      socket.pause();
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    socket.resume();
    await until('all replies', () => all.bytes > 24 * MiB);
    expect(server.stats().closedSlow).toBe(0);
  });
});

it('a client that has sent its last byte is hung up on once it has taken what kept its last command waiting', async () => {
  const { server, port } = await serve({
    outputPauseBytes: 8 * 1024,
    crowdedPauseBytes: 8 * 1024,
    halfClosedWaitMs: 1,
  });
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => undefined);
  cleanups.push(() => void socket.destroy());
  await writeWhole(socket, `BIG ${16 * MiB}\r\n`);
  socket.end();
  await until('the server knowing', () => [...server.list()].every(({ gone }) => gone));
  const all = received(socket);
  let ended = false;
  socket.on('end', () => (ended = true)).resume();
  await until('the end of the connection', () => ended, 20_000);
  expect(all.bytes).toBe(16 * MiB + 13);
});

describe('a command that does not come to its end', () => {
  it.each(['*2\r\n$3\r\nGET\r\n$100\r\nabc', '*2\r\n$3\r\nGET\r\n', '*', 'GET half of a li', '*1\r\n$16777216\r\n'])(
    '%j is given up, with the reason',
    async (half) => {
      const { server, port } = await serve({ unfinishedMs: 100 });
      const socket = open(port);
      const all = received(socket);
      socket.write(`PING\r\n${half}`);
      await until('the server hanging up', () => all.closed);
      expect(all.text).toMatch(/^\+OK\r\n-ERR Protocol error: a command was not complete \d+ ms after it began\r\n$/);
      expect(server.stats().inputBytes).toBe(0);
    },
  );

  it('those that end are not counted together, and an idle connection stays', async () => {
    const { port } = await serve({ unfinishedMs: 2_000 });
    const socket = open(port);
    const idle = received(open(port));
    const all = received(socket);
    for (let i = 0; i < 8; i++) {
      socket.write('NG\r\nPI'.slice(i === 0 ? 4 : 0));
      await new Promise((resolve) => setTimeout(resolve, 400));
    }
    expect([all.closed, idle.closed, all.text]).toEqual([false, false, '+OK\r\n'.repeat(7)]);
  });

  it('has as much time as it has bytes', async () => {
    const { port } = await serve({ unfinishedMs: 100, bytesPerMsMin: 50 });
    const socket = open(port);
    const all = received(socket);
    socket.write(`*2\r\n$4\r\nECHO\r\n$400000\r\n${'x'.repeat(300_000)}`);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    socket.write(`${'x'.repeat(100_000)}\r\n`);
    await until('the reply', () => all.bytes === 400_011);
  });

  it('who sent most ahead is closed when all together sent too much, not who comes last', async () => {
    const { server, port } = await serve({ inputBytesMax: 8 * MiB, requestBytesMax: 8 * MiB, bulkBytesMax: 8 * MiB });
    const large = open(port);
    const closed = received(large);
    large.write(`*2\r\n$4\r\nECHO\r\n$${7 * MiB}\r\n${'x'.repeat(7 * MiB - 10)}`);
    await until('it being there', () => server.stats().inputBytes > 6 * MiB);
    const small = open(port);
    const all = received(small);
    small.write(`*2\r\n$4\r\nECHO\r\n$${2 * MiB}\r\n${'x'.repeat(2 * MiB)}\r\n`);
    await until('the small one being answered', () => all.bytes > 2 * MiB);
    expect([closed.closed, small.destroyed, server.stats().closedCrowded]).toEqual([true, false, 1]);
  });

  it('reserves no more than twice what has arrived', () => {
    const queue = new ByteQueue();
    queue.push(Buffer.from('*1\r\n$16777216\r\nfirst'));
    for (const part of ['of', 'sixteen', 'million']) queue.push(Buffer.from(part), 16_777_218);
    expect(queue.buffer.length).toBeLessThanOrEqual(1_024);
    for (let bytes = queue.length; bytes < 16_777_218; bytes += 60_000) {
      queue.push(Buffer.alloc(60_000), 16_777_218);
      expect(queue.buffer.length).toBeLessThanOrEqual(Math.max(queue.length * 2, 1_024));
    }
  });
});

it('bytes that wait keep their order, and small pieces cost little', () => {
  const list = new ChunkList();
  const sent: Buffer[] = [];
  const taken: Buffer[] = [];
  for (let i = 0; i < 5_000; i++) {
    const piece = Buffer.alloc(i % 7 === 0 ? 5_000 : (i % 3) + 1, i);
    list.push(piece);
    sent.push(piece);
    if (i % 50 === 0) taken.push(list.shift() as Buffer);
  }
  expect(list.bytes).toBeLessThan(Buffer.concat(sent).length * 1.1);
  for (let piece = list.shift(); piece; piece = list.shift()) taken.push(piece);
  expect(Buffer.concat(taken).equals(Buffer.concat(sent))).toBe(true);
  expect([list.bytes, list.isEmpty]).toEqual([0, true]);
});
