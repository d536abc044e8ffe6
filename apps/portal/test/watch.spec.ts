import { request, type IncomingMessage } from 'node:http';
import { eventually } from '../../../test/support/deadline';
import { routeWatchLimits } from '../src/watch.controller';
import { OneNodeCluster } from './one-node-cluster';

jest.setTimeout(60_000);

const size = { partitions: 4, chunks: 4, replicas: 1, chunkCapacityBytes: 8 << 20 };
const asJson = { 'content-type': 'application/json' };
let cluster: OneNodeCluster;

beforeAll(async () => {
  cluster = await OneNodeCluster.start();
  for (const name of ['default', 'shop.doomed'])
    await cluster.ask('POST', '/v1/namespaces', JSON.stringify({ name, ...size }), asJson);
});
afterAll(() => cluster?.close());

interface Change {
  readonly event: string;
  readonly id: number;
  readonly routes: { readonly chunkId: string; readonly replicas: readonly { readonly nodeState: string }[] }[];
  readonly whole: boolean;
}

/** An open stream; `next` resolves with the next event, `ended` when the portal closes it. */
class Stream {
  private text = '';
  private waiting: () => void = () => undefined;
  private closed = false;
  readonly ended: Promise<void>;

  private constructor(readonly response: IncomingMessage) {
    response.on('data', (chunk: Buffer) => {
      this.text += chunk.toString();
      this.waiting();
    });
    this.ended = new Promise((resolve) =>
      response.once('close', () => {
        this.closed = true;
        this.waiting();
        resolve();
      }),
    );
  }

  static open(
    namespace: string,
    headers: Record<string, string> = {},
    query = '',
    localAddress = '127.0.0.1',
  ): Promise<Stream> {
    const path = `/v1/watch/${namespace}${query}`;
    return new Promise((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port: cluster.app.port, path, headers, agent: false, localAddress });
      asked.on('response', (response) => resolve(new Stream(response))).on('error', reject);
      asked.end();
    });
  }

  async next(): Promise<Change> {
    for (;;) {
      const end = this.text.indexOf('\n\n');
      if (end < 0) {
        if (this.closed) throw new Error('the stream ended without another event');
        await new Promise<void>((resolve) => (this.waiting = resolve));
        continue;
      }
      const block = this.text.slice(0, end);
      this.text = this.text.slice(end + 2);
      const field = (name: string): string | undefined => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
      const event = field('event');
      if (event === undefined) continue;
      return { event, id: Number(field('id')), ...(JSON.parse(field('data') ?? '{}') as object) } as Change;
    }
  }

  close(): void {
    this.response.destroy();
  }
}

const maintain = (on: boolean): Promise<unknown> =>
  on
    ? cluster.ask('POST', '/v1/nodes/n1/maintenance', '{"forMs":60000}', asJson)
    : cluster.ask('DELETE', '/v1/nodes/n1/maintenance');

const watchers = (): unknown => (cluster.app.portal.stats()['watch'] as Record<string, number>)['watchers'];

describe('GET /v1/watch/{namespace}', () => {
  it('gives the table, then what changes; who comes back with the last id gets what was missed, and no more', async () => {
    const stream = await Stream.open('default');
    expect(stream.response.headers['content-type']).toBe('text/event-stream');
    const first = await stream.next();
    expect([first.event, first.whole, first.routes.length]).toEqual(['metaChange', true, 4]);
    const routes = (await cluster.ask('GET', '/v1/routes/default')).json;
    expect(first).toMatchObject({ id: routes['version'], routes: routes['routes'] });

    await maintain(true);
    const second = await stream.next();
    expect(second.id).toBeGreaterThan(first.id);
    expect(second.routes[0]?.replicas[0]?.nodeState).toBe('maintenance');
    stream.close();

    await maintain(false);
    const back = await Stream.open('default', { 'last-event-id': String(second.id) });
    const third = await back.next();
    expect([third.event, third.whole]).toEqual(['metaChange', true]);
    expect(third.id).toBeGreaterThan(second.id);
    back.close();
    const { version } = (await cluster.ask('GET', '/v1/routes/default')).json;
    const newest = await Stream.open('default', {}, `?version=${String(version)}`);
    await maintain(true);
    expect((await newest.next()).whole).toBe(false);
    newest.close();
    await maintain(false);
  });

  it('says what is wrong with a request before it streams anything', async () => {
    const answers = await Promise.all(
      ['nowhere', 'default?version=x', 'default?version=999999'].map((path) => cluster.ask('GET', `/v1/watch/${path}`)),
    );
    expect(answers.map(({ status, json }) => [status, json['code']])).toEqual([
      [404, 'LVNAMESPACE'],
      [400, 'BAD_REQUEST'],
      [409, 'LVVERSION'],
    ]);
    expect((await cluster.ask('HEAD', '/v1/watch/default')).status).toBe(200);
  });

  it('leaves places for others when one address takes all that it may; one that hangs up makes room', async () => {
    const { watchersOfOneMax } = routeWatchLimits;
    const own = await Promise.all(Array.from({ length: watchersOfOneMax }, () => Stream.open('default')));
    expect(new Set(own.map(({ response }) => response.statusCode))).toEqual(new Set([200]));
    const refused = await cluster.ask('GET', '/v1/watch/default');
    expect([refused.status, refused.json['message']]).toEqual([
      429,
      '256 watches of routes are open through this portal from 127.0.0.1, at most that many may from one address',
    ]);
    const other = await Stream.open('default', {}, '', '127.0.0.2');
    expect((await other.next()).whole).toBe(true);
    own[0]!.close();
    await eventually('a place that is free again', async () => {
      const again = await Stream.open('default');
      again.close();
      return again.response.statusCode === 200;
    });
    for (const stream of [...own, other]) stream.close();
    await eventually('all places free', () => watchers() === 0);
  });

  it('ends when the namespace is deleted', async () => {
    const stream = await Stream.open('shop.doomed');
    await stream.next();
    await cluster.ask('DELETE', '/v1/namespaces/shop.doomed?confirm=shop.doomed');
    expect(await stream.next()).toMatchObject({ event: 'deleted', namespace: 'shop.doomed' });
    await stream.ended;
  });

  it('lets go of watchers that hang up, and ends the others when the portal stops', async () => {
    const some = await Promise.all([1, 2, 3].map(() => Stream.open('default')));
    await eventually('all three', () => watchers() === 3);
    some[0]!.close();
    while (watchers() !== 2) await new Promise((resolve) => setTimeout(resolve, 5));
    const [, second, third] = some;
    await Promise.all([second!.next(), third!.next()]);
    const closing = cluster.close();
    expect([(await second!.next()).event, (await third!.next()).event]).toEqual(['stopping', 'stopping']);
    await closing;
    cluster = undefined as unknown as OneNodeCluster;
  });
});
