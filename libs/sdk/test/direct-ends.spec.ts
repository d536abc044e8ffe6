import { FakeNode, type Behaviour } from '../../client/test/fake-node';
import { eventually } from '../../../test/support/deadline';
import { direct } from '../src/direct';
import { bulk, directFacts } from './direct-facts';
import { found, ScriptedPortal } from './scripted-portal';
import { connect, utf8, type Client, type ConnectOptions, type Namespace, type OperationEvent } from '@levee/sdk';

const name = 'shop.orders';
let node: FakeNode;
let portal: ScriptedPortal;
const clients: Client[] = [];

/** Nothing in it, and nothing behind it. */
const emptyPage = '*2\r\n$-1\r\n:0\r\n';

beforeEach(async () => {
  node = await new FakeNode('n1', { value: 'by the node' }).start();
  portal = await ScriptedPortal.start((words) => {
    if (words[0] === 'LV.DIRECT') return bulk(JSON.stringify({ ...directFacts(name, [node]), nowMs: Date.now() }));
    if (words[0] === 'LV.PAGE') return emptyPage;
    return words[0] === 'LV.GET' ? found('by the portal') : '+0:1\r\n';
  });
});

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await node.close();
  await portal.close();
});

/** Its node answers; from now on as `behaviour` says. */
async function opened(
  behaviour: Behaviour,
  options: Partial<ConnectOptions> = {},
): Promise<{ client: Client; keys: Namespace<string> }> {
  const client = await connect({ portals: [portal.name], reads: direct(), deadlineMs: 4_000, ...options });
  clients.push(client);
  const keys = client.namespace(name).typed(utf8);
  await eventually('the node answers', async () => (await keys.get('first')) === 'by the node');
  node.behaviour = behaviour;
  return { client, keys };
}

async function keysOf(keys: Namespace<string>): Promise<string[]> {
  const all = [];
  for await (const key of keys.keys()) all.push(key);
  return all;
}

const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'none',
    (error: unknown) => (error as { code?: string }).code,
  );

describe('how reads of nodes end', () => {
  it('a read ends at its deadline, also when no portal may be asked beside the node', async () => {
    const { keys } = await opened({ value: 'too late' }, { limits: { retryShare: 0.001, retriesAtOnceMax: 0.5 } });
    node.delayMs = 1_500;
    // A node that took long a moment ago is not asked, and a portal answers.
    await eventually('it ends', async () => (await codeOf(keys.get('a', { deadlineMs: 100 }))) === 'DEADLINE');
  });

  it.each([
    ['at its deadline, with what the portal said', undefined, 'LVLIMIT'],
    ['when it is aborted', 50, 'ABORTED'],
  ])('a read of which a portal has failed and no node says anything ends %s', async (_when, abortMs, code) => {
    // The node is given up after four seconds.
    const { keys } = await opened('silent');
    const asked: string[] = [];
    portal.script = (words) => {
      if (words[0] !== 'LV.GET') return '+0:1\r\n';
      asked.push(String(words[1]));
      return '-LVLIMIT too much\r\n';
    };
    // A node that took long a moment ago is not asked: what the portal says is the end of such a read.
    await eventually('it ends', async () => {
      asked.length = 0;
      const abort = new AbortController();
      const began = performance.now();
      const read = codeOf(keys.get('a', { deadlineMs: abortMs === undefined ? 2_000 : 60_000, signal: abort.signal }));
      await eventually('the portal has failed', () => asked.includes('a'));
      if (abortMs !== undefined) setTimeout(() => abort.abort(), abortMs);
      return (await read) === code && performance.now() - began < 4_000;
    });
  });

  it.each([
    ['refuses', '-LVLIMIT too much\r\n'],
    ['says nothing', undefined],
  ])('a node that was slow a moment ago is asked where the portal %s', async (_what, answer) => {
    const { client, keys } = await opened('silent', { deadlineMs: 20_000 });
    const usual = portal.script;
    const isAsked = (): boolean | undefined => client.status().direct?.nodes[0]?.isAsked;
    // It is in doubt for a moment only, and on a slow machine that is over too soon.
    await eventually('it is asked while it is in doubt', async () => {
      node.behaviour = 'silent';
      portal.script = usual;
      await eventually('it is in doubt', async () => {
        expect(await keys.get('first')).toBe('by the portal');
        return isAsked() === false;
      });
      node.behaviour = { value: 'by the slow node' };
      portal.script = (words) => (words[0] === 'LV.GET' ? answer : usual(words));
      const wasInDoubt = isAsked() === false;
      expect(await keys.get('a')).toBe('by the slow node');
      return wasInDoubt;
    });
  });

  it('close waits for a page that a node is asked for, whoever gives it in the end', async () => {
    const { client, keys } = await opened('silent');
    const asked = node.reads;
    const pages: Promise<unknown>[] = [];
    // A node that took long a moment ago is not asked.
    await eventually('the node is asked', () => {
      if (node.reads === asked) pages.push(keysOf(keys).catch((error: unknown) => error));
      return node.reads > asked;
    });
    const closed = client.close();
    for (const page of pages) expect(await page).toEqual([]);
    await closed;
  });

  it('pages of nodes count among the operations of a client, and measurements are told of them', async () => {
    const told: OperationEvent[] = [];
    const { keys } = await opened(
      { value: 'x' },
      {
        limits: { operationsMax: 5 },
        metrics: { operation: (event) => void (event.operation === 'page' && told.push(event)) },
      },
    );
    await eventually('a page of the node is told', async () => {
      expect(await keysOf(keys)).toEqual([]);
      return told.some(({ by }) => by === 'node');
    });
    expect(told.find(({ by }) => by === 'node')).toMatchObject({ operation: 'page', outcome: 'ok', attempts: 1 });
    node.delayMs = 200;
    const codes = await Promise.all(Array.from({ length: 8 }, () => codeOf(keysOf(keys))));
    expect(codes.filter((code) => code === 'CLIENT_LIMIT')).toHaveLength(3);
  });
});
