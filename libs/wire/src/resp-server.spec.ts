import { connect, type Socket } from 'node:net';
import type { LogFields, Logger, Timers } from '@levee/kernel';
import { silentLogger } from '@levee/kernel';
import { systemTimers } from '@levee/log';
import { RespError } from './reply-parser';
import type { ReplySlot } from './reply-slot';
import { RespClient } from './resp-client';
import { RespServer } from './resp-server';
import type { RespService } from './resp-service';
import type { RespServerLimits } from './resp-server-limits';

jest.setTimeout(60_000);

const held: ReplySlot[] = [];
const service: RespService<undefined> = {
  open: () => undefined,
  command(connection, args, reply) {
    const name = String(args[0]).toUpperCase();
    if (name === 'ECHO') reply.bulk(args[1] as Buffer);
    else if (name === 'HOLD') held.push(reply);
    else if (name === 'FREE') {
      reply.ok();
      for (const slot of held.splice(0).reverse()) slot.text('free');
    } else if (name === 'QUIT') {
      reply.ok();
      connection.endAfterReplies();
    } else if (name === 'BIG') reply.bulk(Buffer.alloc(Number(args[1])));
    else if (name === 'THROW') throw new Error('a bug');
    else if (name !== 'SILENT') reply.error('ERR unknown command');
  },
};

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  held.length = 0;
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(limits: Partial<RespServerLimits> = {}, logger: Logger = silentLogger) {
  const server = new RespServer(service, { limits, logger });
  const port = await server.listen(0);
  cleanups.push(() => server.close(200));
  return { server, port };
}

/** Sends text, resolves with everything received once `until` holds or the server hangs up. */
function talk(port: number, text: string, until: (all: string) => boolean = () => false): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(port, '127.0.0.1');
    let all = '';
    const timer = setTimeout(() => reject(new Error(`only got ${JSON.stringify(all.slice(-200))}`)), 45_000);
    const finish = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(all);
    };
    socket.on('data', (data) => {
      all += data.toString('latin1');
      if (until(all)) finish();
    });
    socket.on('close', finish);
    socket.on('error', () => undefined);
    socket.write(text);
  });
}

describe('RespServer', () => {
  it('answers pipelined commands in their order, though they complete in another', async () => {
    const { port } = await serve();
    const all = await talk(port, 'HOLD\r\nECHO a\r\nHOLD\r\nECHO b\r\nFREE\r\nQUIT\r\n');
    expect(all).toBe('$4\r\nfree\r\n$1\r\na\r\n$4\r\nfree\r\n$1\r\nb\r\n+OK\r\n+OK\r\n');
  });

  it('answers more commands than the pipeline bound, by reading them later', async () => {
    const { port } = await serve({ pipelineMax: 8 });
    const all = await talk(port, `${'ECHO x\r\n'.repeat(5_000)}QUIT\r\n`);
    expect(all).toBe(`${'$1\r\nx\r\n'.repeat(5_000)}+OK\r\n`);
  });

  it('answers a client that closes its sending side', async () => {
    const { port } = await serve();
    const all = await new Promise<string>((resolve) => {
      let text = '';
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () =>
        socket.end('ECHO a\r\nECHO b\r\n'),
      );
      socket.on('data', (data) => (text += String(data))).on('end', () => resolve(text));
    });
    expect(all).toBe('$1\r\na\r\n$1\r\nb\r\n');
  });

  it('tells the protocol error after the replies owed, then hangs up', async () => {
    const { port } = await serve();
    expect(await talk(port, 'ECHO a\r\n*1\r\n!')).toBe("$1\r\na\r\n-ERR Protocol error: expected '$', got '!'\r\n");
  });

  it('survives a command that throws', async () => {
    const { port } = await serve();
    expect(await talk(port, 'THROW\r\nECHO a\r\nQUIT\r\n')).toBe(
      '-INTERNAL an unexpected error; the log of this process has it\r\n$1\r\na\r\n+OK\r\n',
    );
  });

  it('refuses clients above the maximum with a clear error', async () => {
    const { port } = await serve({ connectionsMax: 1 });
    const first = new RespClient({ host: '127.0.0.1', port });
    cleanups.push(() => first.close());
    await first.request(['ECHO', 'a'], 20_000);
    expect(await talk(port, 'PING\r\n')).toBe('-ERR max number of clients reached (1)\r\n');
  });

  it('closes a client that does not take its replies, with a log line', async () => {
    const lines: LogFields[] = [];
    const logger = { ...silentLogger, warn: (fields: LogFields) => void lines.push(fields) };
    const { server, port } = await serve({ outputBytesMax: 4 * 1024 * 1024, outputPauseBytes: 1024 }, logger);
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    cleanups.push(() => void socket.destroy());
    socket.pause();
    socket.write('BIG 30000000\r\n');
    while (server.stats().closedSlow === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(lines).toHaveLength(1);
    expect(server.stats().closedSlow).toBe(1);
  });

  it('stops reading those that take no replies once all hold too much, and serves the others on', async () => {
    const MiB = 1024 * 1024;
    // Nobody is hung up on meanwhile, however busy the machine is.
    const limits = { queuedBytesMax: 8 * MiB, outputPauseBytes: 4 * MiB, crowdedSlowMs: 60_000 };
    const { server, port } = await serve(limits);
    const slow = Array.from({ length: 8 }, () => {
      const socket = connect(port, '127.0.0.1').on('error', () => undefined);
      cleanups.push(() => void socket.destroy());
      socket.pause();
      // One after the other, so that each is asked for only when the last one was read.
      socket.write(`BIG ${MiB}\r\n`.repeat(12));
      return socket;
    });
    const client = new RespClient({ host: '127.0.0.1', port });
    cleanups.push(() => client.close());
    while (server.stats().queuedBytes <= 8 * MiB) await client.request(['ECHO', 'a'], 60_000);
    for (let i = 0; i < 50; i++) expect(String(await client.request(['ECHO', `${i}`], 60_000))).toBe(`${i}`);
    // The limit, and what each of them had begun when it was reached.
    expect(server.stats().queuedBytes).toBeLessThan(8 * MiB + slow.length * 2 * MiB);
    expect(server.stats().closedCrowded).toBe(0);
    const taken = slow.map(
      (socket) =>
        new Promise<void>((resolve) => {
          let bytes = 0;
          socket.on('data', (chunk) => (bytes += chunk.length) >= 12 * MiB && resolve());
          socket.resume();
        }),
    );
    await Promise.all(taken);
    while (server.stats().queuedBytes > 0) await client.request(['ECHO', 'a'], 60_000);
  }, 240_000);

  it('closes who holds most when all together hold twice what they may', async () => {
    const lines: LogFields[] = [];
    const logger = { ...silentLogger, warn: (fields: LogFields) => void lines.push(fields) };
    const { server, port } = await serve({ queuedBytesMax: 4 * 1024 * 1024 }, logger);
    for (let i = 0; i < 6; i++) {
      const socket = connect(port, '127.0.0.1').on('error', () => undefined);
      cleanups.push(() => void socket.destroy());
      socket.pause();
      socket.write('BIG 8000000\r\n');
    }
    while (server.stats().closedCrowded === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(lines[0]).toMatchObject({ heldBytes: expect.any(Number) as number });
    expect(server.stats().queuedBytes).toBeLessThan(16_000_000);
  });

  it('drains: replies under way are written, then the connection ends', async () => {
    const { server, port } = await serve();
    const answer = talk(port, 'HOLD\r\n');
    while (held.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const closed = server.close(5_000);
    held.splice(0).forEach((slot) => slot.text('late'));
    expect(await answer).toBe('$4\r\nlate\r\n');
    await closed;
  });

  it('with patience hangs up between commands: whoever rests has an answer to all that he sent', async () => {
    // The client's own: while this process stands still, neither side knows that the other could go on.
    let nowMs = 0;
    const clock = { nowMs: Date.now, monotonicMs: () => nowMs };
    let looks = 0;
    const timers: Timers = {
      after: (delayMs, action) => systemTimers.after(delayMs, () => (looks++, action())),
    };
    const server = new RespServer(service, { clock, timers });
    const port = await server.listen(0);
    cleanups.push(() => server.close(200));
    const socket = connect(port, '127.0.0.1');
    let said = '';
    let ended = false;
    socket.on('data', (data) => (said += data.toString('latin1'))).on('end', () => (ended = true));
    await new Promise((resolve) => socket.once('connect', resolve));
    let sent = 0;
    const answered = async (): Promise<void> => {
      const answers = said.length;
      socket.write(`ECHO ${sent++}\r\n`);
      while (said.length === answers && !ended) await new Promise((resolve) => setImmediate(resolve));
    };
    await answered();
    const closed = server.close(20_000, 4_000);
    // One command after the other, faster than anybody who rests: served on, though the door is closed to others.
    while ((nowMs < 400 || looks < 20) && !ended) {
      if (nowMs < 1_000) nowMs++;
      await answered();
    }
    const refused = await new Promise((resolve) => connect(port, '127.0.0.1').once('error', resolve));
    expect([ended, refused]).toMatchObject([false, { code: 'ECONNREFUSED' }]);
    const restsFromMs = nowMs;
    let isClosed = false;
    void closed.then(() => (isClosed = true));
    for (let seen = looks; !isClosed; seen = looks) {
      await new Promise((resolve) => setImmediate(resolve));
      if (looks > seen) nowMs += 5;
    }
    expect(said).toBe(Array.from({ length: sent }, (_, i) => `$${`${i}`.length}\r\n${i}\r\n`).join(''));
    // Long before the end of its patience.
    expect(nowMs - restsFromMs).toBeLessThan(500);
  });

  it('with patience ends those who never rest once it is over, after what they have asked', async () => {
    const { server, port } = await serve();
    const answer = talk(port, 'HOLD\r\n');
    while (held.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const closed = server.close(5_000, 100);
    await new Promise((resolve) => setTimeout(resolve, 200));
    held.splice(0).forEach((slot) => slot.text('late'));
    expect(await answer).toBe('$4\r\nlate\r\n');
    await closed;
  });

  it('says which port is in use', async () => {
    const { port } = await serve();
    await expect(new RespServer(service).listen(port)).rejects.toMatchObject({ code: 'PORT_IN_USE' });
  });
});

describe('RespClient', () => {
  it('pipelines, and matches replies to requests', async () => {
    const { port } = await serve();
    const client = new RespClient({ host: '127.0.0.1', port });
    cleanups.push(() => client.close());
    const big = Buffer.alloc(300_000, 'b');
    const replies = await Promise.all([
      ...Array.from({ length: 100 }, (_, i) => client.request(['ECHO', `${i}`], 20_000)),
      client.request(['ECHO', big], 20_000),
    ]);
    expect(replies.slice(0, 100).map(String)).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`));
    expect(big.equals(replies[100] as Buffer)).toBe(true);
    await expect(client.request(['NOPE'], 20_000)).rejects.toMatchObject({ code: 'ERR' });
  });

  it('says OUTCOME_UNKNOWN past the deadline of a written request, and goes on', async () => {
    const { port } = await serve();
    const client = new RespClient({ host: '127.0.0.1', port });
    cleanups.push(() => client.close());
    expect(String(await client.request(['ECHO', 'connected'], 5_000))).toBe('connected');
    const late = client.request(['HOLD'], 200);
    await expect(late).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    // On a busy machine the server may read the command only after its deadline.
    while (held.length === 0) await new Promise((resolve) => setImmediate(resolve));
    held.splice(0).forEach((slot) => slot.ok());
    expect(String(await client.request(['ECHO', 'a'], 20_000))).toBe('a');
  });

  it('says NOT_SENT when nobody listens, at once while that is known, and connects again later', async () => {
    const { server, port } = await serve();
    await server.close(0);
    const client = new RespClient({ host: '127.0.0.1', port }, { limits: { backoffMinMs: 30, backoffMaxMs: 30 } });
    cleanups.push(() => client.close());
    await expect(client.request(['ECHO', 'a'], 20_000)).rejects.toMatchObject({ code: 'NOT_SENT' });
    expect(client.usable).toBe(false);
    await expect(client.request(['ECHO', 'a'], 20_000)).rejects.toMatchObject({ code: 'NOT_SENT' });
    const again = new RespServer(service);
    await again.listen(port);
    cleanups.push(() => again.close(0));
    while (!client.usable) await new Promise((resolve) => setImmediate(resolve));
    expect(String(await client.request(['ECHO', 'b'], 20_000))).toBe('b');
  });

  it('fails what is under way as unknown when the connection breaks', async () => {
    const { server, port } = await serve();
    const client = new RespClient({ host: '127.0.0.1', port });
    cleanups.push(() => client.close());
    const waiting = client.request(['HOLD'], 5_000);
    while (held.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await Promise.all([server.close(0), expect(waiting).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })]);
  });

  it('begins anew with a connection whose replies are not to be trusted', async () => {
    const { port } = await serve();
    const client = new RespClient({ host: '127.0.0.1', port }, { limits: { backoffMinMs: 1, backoffMaxMs: 1 } });
    cleanups.push(() => client.close());
    const waiting = client.request(['HOLD'], 5_000);
    while (held.length === 0) await new Promise((resolve) => setImmediate(resolve));
    client.renew('the test says so');
    await expect(waiting).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    held.splice(0).forEach((slot) => slot.text('late'));
    while (!client.usable) await new Promise((resolve) => setImmediate(resolve));
    expect(String(await client.request(['ECHO', 'b'], 20_000))).toBe('b');
  });

  it('bounds its queue', async () => {
    const { port } = await serve();
    const client = new RespClient({ host: '127.0.0.1', port }, { limits: { requestsMax: 2 } });
    cleanups.push(() => client.close());
    const first = [client.request(['ECHO', 'a'], 20_000), client.request(['ECHO', 'a'], 20_000)];
    await expect(client.request(['ECHO', 'a'], 20_000)).rejects.toMatchObject({ code: 'LIMIT' });
    await Promise.all(first);
  });

  it('checks the greeting before it sends anything', async () => {
    const { port } = await serve();
    const check = (reply: unknown): string | undefined => (reply instanceof RespError ? 'wrong server' : undefined);
    const right = new RespClient({ host: '127.0.0.1', port }, { hello: { args: ['ECHO', 'hi'], check } });
    const wrong = new RespClient({ host: '127.0.0.1', port }, { hello: { args: ['WHO'], check } });
    cleanups.push(() => (right.close(), wrong.close()));
    expect(String(await right.request(['ECHO', 'a'], 20_000))).toBe('a');
    await expect(wrong.request(['ECHO', 'a'], 20_000)).rejects.toThrow('wrong server');
  });
});
