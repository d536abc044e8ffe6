import { once } from 'node:events';
import { connect } from 'node:net';
import type { Logger } from '@levee/kernel';
import { RespServer } from './resp-server';
import { isWebRequest } from './web-request';

test.each([
  ['POST / HTTP/1.1', true],
  ['post /x', true],
  ['Host: 127.0.0.1:7379', true],
  ['host:evil.example', true],
  ['"POST" / HTTP/1.1', true],
  ['GET / HTTP/1.1', true],
  ['SET /key HTTP/1.1', true],
  [`SET /${'x'.repeat(5_000)} HTTP/1.0`, true],
  ["DEL /it's HTTP/1.1", true],
  ['PRI * HTTP/2.0', true],
  ['OPTIONS * HTTP/1.1 ', true],
  ['POSTPONE x', false],
  ['GET post', false],
  ['SET Host: x', false],
  ['SET a HTTP/1.1 EX 5', false],
  ['ECHO xHTTP/1.1', false],
  ['GET HTTP/', false],
  ['PING', false],
])('%s is a line of a web request: %s', (line, expected) => {
  expect(isWebRequest(Buffer.from(line))).toBe(expected);
});

describe('a RESP server', () => {
  const ran: string[] = [];
  const warnings: string[] = [];
  const logger = { debug() {}, info() {}, error() {}, warn: (_: object, text: string) => warnings.push(text) };
  const server = new RespServer(
    {
      open: () => undefined,
      command(_connection, args, reply) {
        ran.push(args.join(' '));
        reply.ok();
      },
    },
    { logger: logger as unknown as Logger },
  );
  let port = 0;
  beforeAll(async () => void (port = await server.listen(0)));
  afterAll(() => server.close(0));
  beforeEach(() => void ran.splice(0));

  /** Everything that is answered before the server hangs up, or before `quiet` answers have come. */
  async function send(pieces: readonly string[]): Promise<string> {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    await once(socket, 'connect');
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    const closed = once(socket, 'close');
    for (const piece of pieces) {
      socket.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await closed;
    return answer;
  }

  const body = 'SET stolen 1\r\nFLUSHALL\r\n*1\r\n$8\r\nFLUSHALL\r\n';
  test.each<readonly [what: string, pieces: readonly string[], ran: readonly string[]]>([
    ['a form post', [`POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 60\r\n\r\n${body}`], []],
    ['a form post in pieces', ['PO', 'ST / HTTP/1.1\r\nHo', 'st: x\r\n\r\n', body], []],
    ['a method of the page itself', [`SET /key HTTP/1.1\r\nHost: rebound.example\r\n\r\n${body}`], []],
    ['a get', [`GET / HTTP/1.1\r\nHost: x\r\n\r\n${body}`], []],
    ['a head without a version', [`GET /\r\nHost: x\r\n\r\n${body}`], ['GET /']],
    ['a request behind a command', [`*1\r\n$4\r\nPING\r\nPOST / HTTP/1.1\r\n\r\n${body}`], ['PING']],
  ])('hangs up on %s, and none of its body is carried out', async (_what, pieces, expected) => {
    const before = server.stats().closedWeb;
    await send(pieces);
    expect(ran).toEqual(expected);
    expect(server.stats().closedWeb).toBe(before + 1);
  });

  test('says so in the log, once in a while', () => {
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/HTTP came in at a RESP door/);
  });

  test('takes such words in arrays, and inline commands of people', async () => {
    const answer = await send([
      '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$8\r\nHTTP/1.1\r\n',
      'GET post\r\n*1\r\n$4\r\nPOST\r\n',
      '*x\r\n',
    ]);
    expect(ran).toEqual(['SET k HTTP/1.1', 'GET post', 'POST']);
    expect(answer).toMatch(/^(\+OK\r\n){3}-ERR Protocol error/);
  });
});
