import { connect } from 'node:net';
import { PassThrough } from 'node:stream';
import { Controller, Get, Module, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Failure, silentLogger } from '@levee/kernel';
import { startHttpApp } from '@levee/service-kit';
import { eventually } from '../../../test/support/deadline';
import { goneOf, sendJsonLines } from './json-lines';

let opened = 0;
let ended = 0;

@Controller()
class LinesController {
  @Get('all')
  all(@Res() reply: FastifyReply): Promise<void> {
    return sendJsonLines(reply, async function* () {
      for (let n = 1; n <= 3; n++) yield await Promise.resolve({ n });
    });
  }

  @Get('refused')
  refused(@Res() reply: FastifyReply): Promise<void> {
    return sendJsonLines(reply, async function* () {
      if (ended >= 0) throw new Failure('LIMIT', 'no more of these');
      yield await Promise.resolve({});
    });
  }

  /** Has its first line when its reader is gone, and still has a place to give back. */
  @Get('late')
  late(@Res() reply: FastifyReply): Promise<void> {
    return sendJsonLines(reply, async function* (signal) {
      opened++;
      try {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        yield { why: 'it was ended' };
      } finally {
        ended++;
      }
    });
  }
}

@Module({ controllers: [LinesController] })
class LinesModule {}

it('lines are answered one by one, what is refused has a status, and no reader that hangs up leaves one behind', async () => {
  const access = { routes: { 'GET /*': 'user' } } as const;
  const http = await startHttpApp({ module: LinesModule, host: '127.0.0.1', port: 0, logger: silentLogger, access });
  try {
    expect(await (await fetch(`${http.url}/all`)).text()).toBe('{"n":1}\n{"n":2}\n{"n":3}\n');
    const refused = await fetch(`${http.url}/refused`);
    expect([refused.status, await refused.json()]).toEqual([429, { code: 'LVLIMIT', message: 'no more of these' }]);
    const socket = connect(http.port, '127.0.0.1').on('error', () => undefined);
    socket.write('GET /late HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await eventually('it being asked', () => opened === 1);
    socket.destroy();
    await eventually('its end', () => ended === 1);
  } finally {
    await http.close();
  }
});

it('a reader that went while a guard was waited for is gone from the start, and nothing is begun for him', async () => {
  const reply = { raw: new PassThrough().destroy(), status: () => reply, header: () => reply, send: () => reply };
  const gone = reply as unknown as FastifyReply;
  expect(goneOf(gone).aborted).toBe(true);
  let begun = 0;
  await sendJsonLines(gone, async function* () {
    begun++;
    yield await Promise.resolve({});
  });
  expect(begun).toBe(0);
});
