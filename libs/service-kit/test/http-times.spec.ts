import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Body, Controller, Get, Module, Post, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Readable } from 'node:stream';
import { silentLogger } from '@levee/kernel';
import { eventually } from '../../../test/support/deadline';
import { type HttpApp, startHttpApp } from '../src';

const asked: (() => void)[] = [];

@Controller('v1')
class SlowController {
  @Post('body')
  body(@Body() body: { readonly n: number }): { readonly n: number } {
    return { n: body.n };
  }

  @Get('for-ever')
  forEver(): Promise<never> {
    asked.shift()?.();
    return new Promise(() => undefined);
  }

  @Get('lines')
  async lines(@Res() reply: FastifyReply): Promise<void> {
    await reply.type('application/x-ndjson').send(Readable.from(['{}\n', '{}\n']));
  }
}

@Module({ controllers: [SlowController] })
class SlowModule {}

describe('how long requests of an HTTP door took', () => {
  let http: HttpApp;
  const sockets: Socket[] = [];

  beforeAll(async () => {
    const access = { routes: { 'GET /*': 'open', 'POST /*': 'open' } } as const;
    http = await startHttpApp({ module: SlowModule, host: '127.0.0.1', port: 0, logger: silentLogger, access });
  });

  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    await http.close();
  });

  /** As `<outcome> <count> <seconds, rounded down>`. */
  const times = (): string[] =>
    [...http.times.all()].map(
      ({ labels, histogram: { count, sumMs } }) => `${labels['outcome']} ${count} ${Math.floor(sumMs / 1_000)}`,
    );

  const send = (text: string): Socket => {
    const socket = connect(http.port, '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => undefined).write(text);
    return socket;
  };
  const post = (type: string): string =>
    `POST /v1/body HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${type}\r\ncontent-length: 7\r\n\r\n`;

  it.each([
    ['is counted from its last byte on', 'application/json', '{"n":1}', 201, ['ok 1 0']],
    ['is so too when it is refused', 'application/json', '{"n":1;', 400, ['ok 1 0', 'refused 1 0']],
  ])('a request that comes slowly %s', async (_, type, body, status, expected) => {
    const socket = send(post(type) + body.slice(0, 3));
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    socket.write(body.slice(3));
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toContain(`HTTP/1.1 ${status} `);
    await eventually('it is counted', () => Promise.resolve(times().length === expected.length || undefined), 5_000);
    expect(times()).toEqual(expected);
  });

  it('lines are not timed: they last as long as they are read', async () => {
    const before = times();
    expect(await (await fetch(`${http.url}/v1/lines`)).text()).toBe('{}\n{}\n');
    // One that is timed comes behind it.
    await fetch(`${http.url}/v1/body`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"n":2}',
    });
    await eventually('the next one is counted', () => Promise.resolve(times()[0] === 'ok 2 0' || undefined), 5_000);
    expect(times()).toEqual(['ok 2 0', ...before.slice(1)]);
  });

  it('a client that hangs up before its answer is counted as abandoned, half a request as none', async () => {
    const before = times();
    send(post('application/json') + '{"n').on('connect', function (this: Socket) {
      this.end();
    });
    const isAsked = new Promise<void>((resolve) => asked.push(resolve));
    const socket = send('GET /v1/for-ever HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await isAsked;
    socket.destroy();
    const now = await eventually(
      'it is counted',
      () => Promise.resolve(times().length > before.length ? times() : undefined),
      5_000,
    );
    expect(now).toEqual([...before, 'abandoned 1 0']);
  });
});
