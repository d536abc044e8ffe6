import { connect, type Socket } from 'node:net';
import { Body, Controller, Get, Module, Post, Query } from '@nestjs/common';
import { silentLogger } from '@levee/kernel';
import { systemTimers } from '@levee/log';
import { NetworkBudget } from '@levee/wire';
import { isDeeperThan, startHttpApp, type HttpApp, type HttpLimits } from '../src';
import { OwnTime } from '../../../test/support/own-time';
import { bound } from '../../../test/support/seed';

jest.setTimeout(180_000);

const MiB = 1024 * 1024;

@Controller()
class PlainController {
  @Get('large')
  large(): string {
    return 'x'.repeat(4 * MiB);
  }

  @Get('small')
  small(@Query('word') word?: string): string {
    return (word ?? 'small').toUpperCase();
  }

  @Post('bodies')
  body(@Body() body: unknown): string {
    return String(JSON.stringify(body).length);
  }
}

@Module({ controllers: [PlainController] })
class PlainModule {}

const access = { routes: { 'GET /*': 'user', 'POST /*': 'user' } } as const;

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(but: Partial<HttpLimits> = {}, budgetBytes = 16 * MiB) {
  const budget = new NetworkBudget(budgetBytes, 1_000, systemTimers);
  const limits = { lookMs: 50, crowdedMs: 300, drainMs: 300, ...but };
  const door = { host: '127.0.0.1', port: 0, logger: silentLogger, access };
  const http = await startHttpApp({ ...door, module: PlainModule, budget, limits, bodyBytesMax: 2 * MiB });
  cleanups.push(() => http.close());
  return { http, budget };
}

function open({ port }: HttpApp): Socket {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  cleanups.push(() => void socket.destroy());
  return socket;
}

async function until(what: string, look: () => boolean, deadlineMs = 60_000): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  while (!look()) {
    if (performance.now() > endMs) throw new Error(`${what} did not happen within ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Sends text on a connection of its own; everything that comes until the other side ends. */
async function talk(http: HttpApp, text: string): Promise<string> {
  const socket = open(http);
  let all = '';
  let ended = false;
  socket.on('data', (data) => (all += data.toString('latin1'))).on('close', () => (ended = true));
  socket.write(text);
  await until('the connection ending', () => ended);
  return all;
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`;
const post = (body: string): string =>
  `POST /bodies HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;

/** Looks all the time whether another client is served, and how long this process makes it wait at most. */
function bystander(http: HttpApp) {
  const seen = { longestMs: 0, answers: 0, wrong: [] as string[] };
  const time = new OwnTime();
  let over = false;
  const looking = (async () => {
    while (!over) {
      const began = time.ms;
      const answer = await talk(http, get('/small'));
      if (!/^HTTP\/1.1 200 .*SMALL$/s.test(answer)) seen.wrong.push(answer);
      seen.longestMs = Math.max(seen.longestMs, time.ms - began);
      seen.answers++;
    }
  })();
  const stop = async () => {
    over = true;
    await looking;
    time.stop();
    return seen;
  };
  return { stop };
}

describe('an HTTP door counts what its clients hold', () => {
  it('bodies that do not come to their end: as they arrive, and no more than there is room', async () => {
    const { http, budget } = await serve();
    const other = bystander(http);
    const half = Buffer.alloc(900_000, 'x');
    const sockets = Array.from({ length: 60 }, () => {
      const socket = open(http);
      socket.write(
        'POST /bodies HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1900000\r\n\r\n',
      );
      socket.write(half);
      return socket;
    });
    await until('some being closed', () => http.connections.counts.closedCrowded > 0);
    await until('there being room', () => !budget.crowded);
    // All that they sent would be 54 MB, and as much again for the whole of each.
    expect(budget.peakBytes).toBeLessThan(32 * MiB);
    const { longestMs, answers, wrong } = await other.stop();
    expect(wrong).toEqual([]);
    expect(answers).toBeGreaterThan(0);
    expect(longestMs).toBeLessThan(bound(1_000));
    for (const socket of sockets) socket.destroy();
    await until('all being let go', () => budget.usedBytes === 0);
  });

  it('answers that are not read', async () => {
    const { http, budget } = await serve();
    const other = bystander(http);
    for (let i = 0; i < 30; i++) {
      const socket = open(http);
      socket.pause();
      socket.write(get('/large'));
    }
    await until('some being closed', () => http.connections.counts.closedCrowded > 0);
    await until('there being room', () => !budget.crowded);
    const { longestMs, answers, wrong } = await other.stop();
    expect(wrong).toEqual([]);
    expect(answers).toBeGreaterThan(0);
    expect(longestMs).toBeLessThan(5_000);
  });

  it('while there is no room large bodies are refused, small ones are taken', async () => {
    const { http, budget } = await serve({ crowdedMs: 30_000, untakenMs: 60_000 });
    budget.count(17 * MiB);
    const large = await talk(http, post(JSON.stringify('x'.repeat(100_000))));
    expect(large).toMatch(/^HTTP\/1.1 429 /);
    expect(large).toMatch(/"code":"LVLIMIT","message":"what connections hold/);
    expect(await talk(http, post('{"a":1}'))).toMatch(/^HTTP\/1.1 201 .*7$/s);
    budget.count(-17 * MiB);
    expect(await talk(http, post(JSON.stringify('x'.repeat(100_000))))).toMatch(/^HTTP\/1.1 201 .*100002$/s);
    await until('all being let go', () => budget.usedBytes === 0);
  });

  it('a reader that takes nothing for long is hung up on', async () => {
    const { http, budget } = await serve({ untakenMs: 400, bytesPerMsMin: 1e9 }, 64 * MiB);
    const socket = open(http);
    socket.pause();
    socket.write(get('/large'));
    await until('it being closed', () => http.connections.counts.closedSlow === 1);
    await until('all being let go', () => budget.usedBytes === 0);
  });

  it('so many connections, no more', async () => {
    const { http } = await serve({ connectionsMax: 3 });
    const sockets = [open(http), open(http), open(http)];
    await until('all being open', () => http.connections.connections === 3);
    let refused = false;
    open(http).on('close', () => (refused = true));
    await until('the fourth being refused', () => refused && http.connections.counts.refused > 0);
    sockets[0]!.destroy();
    await until('one having left', () => http.connections.connections === 2);
    expect(await talk(http, get('/small'))).toMatch(/SMALL$/);
  });

  it('a close does not wait for those who take no answer', async () => {
    const { http } = await serve();
    for (let i = 0; i < 3; i++) {
      const socket = open(http);
      socket.pause();
      socket.write(get('/large'));
      open(http).write('POST /bodies HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\nhalf');
    }
    await until('all being open', () => http.connections.connections === 6 && http.connections.heldBytes > 4 * MiB);
    const began = performance.now();
    await http.close();
    expect(performance.now() - began).toBeLessThan(bound(1_500));
  });
});

describe('what is no proper request gets the error contract', () => {
  it.each([
    [
      'a body that does not come to its end',
      'POST /bodies HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\nhalf',
      408,
      'DEADLINE',
    ],
    ['a head that does not', 'GET /small HTTP/1.1\r\nhost: localhost\r\nx-long: ', 408, 'DEADLINE'],
    ['a head that is too long', `GET /small HTTP/1.1\r\nx-long: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'LVLIMIT'],
    ['no HTTP', 'hello there\r\n\r\n', 400, 'BAD_REQUEST'],
    ['a URL that cannot be decoded', get('/%zz'), 400, 'BAD_REQUEST'],
    ['a parameter given twice', get('/small?word=a&word=b'), 400, 'BAD_REQUEST'],
    ['a body nested too deep', post(`${'['.repeat(20_000)}${']'.repeat(20_000)}`), 400, 'BAD_REQUEST'],
    ['a body nested too deep in objects', post(`${'{"a":'.repeat(33)}1${'}'.repeat(33)}`), 400, 'BAD_REQUEST'],
    ['a long path', get(`/${'x'.repeat(10_000)}`), 404, 'NOT_FOUND'],
  ])('%s', async (_name, sent, status, code) => {
    // What is refused for something else comes in time, on a slow machine too.
    const { http } = await serve(status === 408 ? { requestMs: 500, headMs: 500 } : {});
    const answer = await talk(http, sent);
    expect(answer.slice(0, 13)).toBe(`HTTP/1.1 ${status} `);
    const body = JSON.parse(answer.slice(answer.indexOf('{'), answer.lastIndexOf('}') + 1)) as Record<string, unknown>;
    expect(body).toEqual({ code, message: expect.any(String) });
    expect(String(body['message']).length).toBeLessThan(20_100);
  });

  it('bodies may be nested as far as the limit', async () => {
    const { http } = await serve();
    expect(await talk(http, post(`${'{"a":'.repeat(32)}1${'}'.repeat(32)}`))).toMatch(/^HTTP\/1.1 201/);
  });

  it('how deep is found without going deep', () => {
    const deep = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`) as unknown;
    expect([
      isDeeperThan(deep, 99_999),
      isDeeperThan([[1], { a: [2] }], 3),
      isDeeperThan([[1], { a: [2] }], 2),
    ]).toEqual([true, false, true]);
    expect([isDeeperThan(undefined, 1), isDeeperThan('text', 1), isDeeperThan(Buffer.alloc(10), 1)]).toEqual([
      false,
      false,
      false,
    ]);
  });
});
