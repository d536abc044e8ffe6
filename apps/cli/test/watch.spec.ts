import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serverEvents } from '../src/event-stream';
import { runLevee } from './fake-terminal';

type Answer = (response: ServerResponse) => void;

/** Answers the n-th request with the n-th answer; remembers the Last-Event-ID of each. */
class WatchedPortal {
  readonly resumedFrom: (string | undefined)[] = [];
  private readonly server: Server;

  constructor(answers: readonly Answer[]) {
    this.server = createServer((request: IncomingMessage, response: ServerResponse) => {
      const answer = answers[this.resumedFrom.length];
      this.resumedFrom.push(request.headers['last-event-id'] as string | undefined);
      if (answer) answer(response);
      else response.destroy();
    });
  }

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

const change = (version: number, whole: boolean, ...chunks: string[]): string => {
  const replicas = [
    { unitId: 'n1/u00', role: 'primary' },
    { unitId: 'n2/u00', role: 'follower' },
  ];
  const routes = chunks.map((chunkId) => ({ chunkId, slotStart: 0, slotEnd: 500, replicas }));
  const data = JSON.stringify({ change: 'metaChange', version, whole, routes });
  return `id: ${version}\nevent: metaChange\ndata: ${data}\n\n`;
};

const streams =
  (text: string, then: (response: ServerResponse) => void = (response) => void response.end()): Answer =>
  (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(text, () => then(response));
  };
const breaks: Answer = (response) => response.destroy();
const refuses =
  (status: number, code: string): Answer =>
  (response) =>
    void response.writeHead(status).end(JSON.stringify({ code, message: `it says ${code}` }));
const deleted = streams('event: deleted\ndata: {"change":"deleted"}\n\n');

async function watch(answers: readonly Answer[], ...argv: string[]) {
  const portal = new WatchedPortal(answers);
  const env = { LEVEE_URL: await portal.open() };
  const ran = await runLevee(['routes', 'shop', '--watch', ...argv], { env });
  await portal.close();
  return { ...ran, out: ran.stdout.toString(), resumedFrom: portal.resumedFrom };
}

describe('levee routes --watch', () => {
  it('prints a line a changed chunk, comes back after the last version, and ends when the namespace does', async () => {
    const events = `retry: 1000\n\n: alive\n\n${change(7, true, 'a', 'b')}${change(9, false, 'b')}`;
    const ran = await watch([
      streams(events, breaks),
      refuses(503, 'LVSTOPPING'),
      streams(change(12, true, 'a')),
      deleted,
    ]);
    expect(ran.out.split('\n')).toEqual([
      '7 all a 0..500 primary n1/u00 followers n2/u00',
      '7 all b 0..500 primary n1/u00 followers n2/u00',
      '9 changed b 0..500 primary n1/u00 followers n2/u00',
      '12 all a 0..500 primary n1/u00 followers n2/u00',
      '',
    ]);
    expect(ran.resumedFrom).toEqual([undefined, '9', '9', '12']);
    expect(ran.stderr).toContain('namespace shop was deleted [NAMESPACE_DELETED]');
    expect(ran.code).toBe(1);
  });

  it('comes back when the portal says that it stops', async () => {
    const stopping = streams('event: stopping\ndata: {"message":"this portal is stopping"}\n\n');
    const ran = await watch([stopping, deleted], '--known-version', '5');
    expect(ran.resumedFrom).toEqual(['5', '5']);
    expect(ran.stderr).toContain('this portal is stopping; asking again in 250 ms, from version 5');
  });

  it.each([
    ['nobody is there from the start', breaks, 'UNREACHABLE'],
    ['there is no such namespace', refuses(404, 'LVNAMESPACE'), 'LVNAMESPACE'],
  ])('fails at once when %s', async (_what, answer, code) => {
    const ran = await watch([answer]);
    expect([ran.code, ran.resumedFrom.length]).toEqual([1, 1]);
    expect(ran.stderr).toContain(`[${code}]`);
  });

  it('gives one event a line as JSON', async () => {
    const ran = await watch([streams(change(7, true, 'a')), deleted], '-o', 'json');
    expect(JSON.parse(ran.out)).toMatchObject({ change: 'metaChange', version: 7, whole: true });
  });
});

describe('server-sent events', () => {
  it.each([
    [
      'comments and unknown fields',
      ': hi\nretry: 5\nwhat: x\ndata: 1\n\n',
      [{ event: 'message', id: undefined, data: '1' }],
    ],
    ['carriage returns', 'event: a\r\nid: 4\r\ndata: 1\r\n\r\n', [{ event: 'a', id: '4', data: '1' }]],
    ['data of many lines', 'data: 1\ndata:2\n\n', [{ event: 'message', id: undefined, data: '1\n2' }]],
    ['an event without data', 'event: a\n\ndata: 2\n\n', [{ event: 'message', id: undefined, data: '2' }]],
    ['an unfinished event', 'data: 1\n\ndata: 2\n', [{ event: 'message', id: undefined, data: '1' }]],
    [
      'an id that stays',
      'id: 1\ndata: a\n\ndata: b\n\n',
      [
        { event: 'message', id: '1', data: 'a' },
        { event: 'message', id: '1', data: 'b' },
      ],
    ],
  ])('with %s', async (_what, text, events) => {
    for (const size of [1, 3, 1000]) {
      const found: unknown[] = [];
      for await (const event of serverEvents(cut(Buffer.from(text), size), 100)) found.push(event);
      expect(found).toEqual(events);
    }
  });
});

async function* cut(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size));
}
