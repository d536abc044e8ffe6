import { decodeSessionToken } from '@levee/keyspace';
import { FakeNode, type Behaviour } from '../../client/test/fake-node';
import { eventually } from '../../../test/support/deadline';
import { direct } from '../src/direct';
import { bulk, directFacts } from './direct-facts';
import { found, ScriptedPortal } from './scripted-portal';
import {
  connect,
  LimitError,
  UnreadableError,
  utf8,
  type Client,
  type ConnectOptions,
  type LeveeError,
  type Namespace,
} from '@levee/sdk';

const name = 'shop.orders';
const nodes: FakeNode[] = [];
const clients: Client[] = [];
let portal: ScriptedPortal;
/** What the portal says of routes, if it is asked. */
let facts: object;
let routesAsked: number;

async function started(...behaviours: Behaviour[]): Promise<FakeNode[]> {
  for (const behaviour of behaviours) nodes.push(await new FakeNode(`n${nodes.length + 1}`, behaviour).start());
  return nodes;
}

const routesOf = (all: readonly FakeNode[], but: object = {}): object => directFacts(name, all, but);

beforeEach(async () => {
  routesAsked = 0;
  portal = await ScriptedPortal.start((words) => {
    if (words[0] === 'LV.DIRECT') {
      routesAsked++;
      return bulk(JSON.stringify({ ...facts, nowMs: Date.now() }));
    }
    return words[0] === 'LV.GET' ? found('by the portal') : '+0:1\r\n';
  });
});

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  for (const node of nodes.splice(0)) await node.close();
  await portal.close();
});

/** Routes are known to it. */
async function opened(options: Partial<ConnectOptions> = {}): Promise<{ client: Client; keys: Namespace<string> }> {
  const client = await connect({ portals: [portal.name], reads: direct(), deadlineMs: 4_000, ...options });
  clients.push(client);
  const keys = client.namespace(name).typed(utf8);
  await keys.get('first');
  await eventually('routes are known', () => (client.status().direct?.namespaces[0]?.version ?? 0) > 0);
  return { client, keys };
}

const commands = (word: string): string[][] => portal.commands.filter(([first]) => first === word);

async function failureOf(work: Promise<unknown>): Promise<LeveeError> {
  return work.then(
    (result) => {
      throw new Error(`it gave ${JSON.stringify(result)}`);
    },
    (error: unknown) => error as LeveeError,
  );
}

describe('a client at direct distance', () => {
  it('asks a portal until it knows routes, and then the node, with position and expiry', async () => {
    const expiresAtMs = Date.now() + 60_000;
    facts = routesOf(await started({ value: 'by the node', expiresAtMs }));
    const { client, keys } = await opened();
    const before = commands('LV.GET').length;
    expect(await keys.get('a')).toBe('by the node');
    expect(await keys.entry('a')).toMatchObject({ value: 'by the node', expiresAt: new Date(expiresAtMs) });
    expect((await keys.entry('a'))?.position).toMatch(/^\d:2$/);
    expect(await keys.getMany(['a', 'b', 'c'])).toEqual(Array(3).fill('by the node'));
    expect(commands('LV.GET')).toHaveLength(before);
    expect(client.status().direct).toMatchObject({ answered: 6, nodes: [{ node: 'n1', isAsked: true }] });
  });

  it('reads of one tick are one request for each node, and many do not wait for the end of the tick', async () => {
    const [node] = (facts = routesOf(await started('the key'))) && nodes;
    const { keys } = await opened();
    await keys.get('x');
    const wanted = Array.from({ length: 50 }, (_, i) => `k${i}`);
    /** How many reads of the node it takes. On a machine that stands still meanwhile portals are asked too: once more. */
    const reads = (count: number, how: { consistency?: 'eventual' } = {}): Promise<number> =>
      eventually('the node alone answers', async () => {
        const before = node?.reads ?? 0;
        const values = await keys.getMany(wanted.slice(0, count), how);
        if (values.includes('by the portal')) return undefined;
        expect(values).toEqual(wanted.slice(0, count));
        return (node?.reads ?? 0) - before;
      });
    // Batches of 16, and the rest.
    expect(await reads(50, { consistency: 'eventual' })).toBe(4);
    expect(node?.mostKeys).toBe(16);
    expect(await reads(9, { consistency: 'eventual' })).toBe(1);
    // Those that may have to wait for a position do not hold up the others.
    expect(await reads(50)).toBeLessThanOrEqual(5);
  });

  it.each<[string, Behaviour]>([
    ['has not the slot any more', { error: 'LVMOVED', detail: '9 null' }],
    ['is behind', { error: 'LVBEHIND', detail: '0:1' }],
    ['is too old', { error: 'LVSTALE', detail: '9000' }],
    ['is loading', { error: 'LVNOTREADY', detail: 'loading' }],
    ['stands before a cut', { error: 'LVSTOPPED', detail: '0:1 cut' }],
    ['holds a damaged value', { error: 'LVDAMAGED', detail: 'crc' }],
    ['sends what is no reply', 'garbage'],
    ['answers another number of keys', 'wrong count'],
    ['is starting', 'not ready'],
    ['is another one', 'wrong node'],
    ['says nothing', 'silent'],
    ['has no room, again and again', 'again always'],
  ])('a node that %s: the next replica answers, and a portal where there is none', async (_what, behaviour) => {
    const [bad, good] = await started(behaviour, { value: 'by the other' });
    facts = routesOf([bad as FakeNode]);
    const alone = await opened();
    expect(await alone.keys.get('a')).toBe('by the portal');
    facts = routesOf([bad as FakeNode, good as FakeNode]);
    const both = await opened();
    // It is asked again as long as there is time, and nobody else, but by a hedge on a machine that stands still.
    const expected = behaviour === 'again always' ? 'by the portal' : 'by the other';
    await eventually(expected, async () => (await both.keys.get('a')) === expected);
  });

  it('a refusal that a portal would only repeat is told at once', async () => {
    facts = routesOf(await started({ error: 'LVUNREADABLE', detail: '0:7 no such schema' }));
    const { keys } = await opened();
    const before = commands('LV.GET').length;
    const failure = await failureOf(keys.get('a'));
    expect(failure).toBeInstanceOf(UnreadableError);
    expect(failure).toMatchObject({ code: 'LVUNREADABLE', position: '0:7' });
    (nodes[0] as FakeNode).behaviour = { error: 'LVLIMIT', detail: 'more than 5 requests a second' };
    expect(await failureOf(keys.get('a'))).toBeInstanceOf(LimitError);
    expect(commands('LV.GET')).toHaveLength(before);
  });

  it('a node that refuses makes the client ask for newer routes, within bounds, and it goes by them', async () => {
    const [old, now] = await started({ error: 'LVMOVED', detail: '9 null' }, { value: 'by the new node' });
    facts = routesOf([old as FakeNode]);
    const { keys } = await opened();
    facts = routesOf([now as FakeNode], { version: 9 });
    await eventually('the new node is asked', async () => (await keys.get('a')) === 'by the new node');
    expect((old as FakeNode).reads).toBeLessThan(20);
    expect(routesAsked).toBeLessThan(20);
  });

  it('a node that hangs up costs no read', async () => {
    facts = routesOf(await started({ value: 'by n1' }, { value: 'by n2' }));
    const { keys } = await opened();
    const n1 = nodes[0] as FakeNode;
    let [hasAnswered, isClosed] = [false, false];
    const reading = Array.from({ length: 200 }, async (_, i) => {
      await new Promise((resolve) => setTimeout(resolve, i));
      if (i > 60 && hasAnswered && !isClosed) {
        isClosed = true;
        void n1.close();
      }
      const value = await keys.get(`k${i}`);
      hasAnswered ||= value === 'by n1';
      return value;
    });
    const values = new Set(await Promise.all(reading));
    values.delete('by the portal');
    expect([...values].sort()).toEqual(['by n1', 'by n2']);
  });

  it('a slow node costs a hedge, and without another one a portal is asked', async () => {
    const [slow, quick] = await started({ value: 'late' }, { value: 'in time' });
    (slow as FakeNode).delayMs = 3_000;
    facts = routesOf([slow as FakeNode, quick as FakeNode]);
    const hedged = await opened();
    expect(await hedged.keys.get('a')).toBe('in time');
    expect(hedged.client.status().direct?.hedges).toBe(1);
    facts = routesOf([slow as FakeNode]);
    const alone = await opened();
    expect(await alone.keys.get('a')).toBe('by the portal');
  });

  it('strong reads, writes, what is behind a write, and unfit keys go through portals', async () => {
    facts = routesOf(await started({ value: 'by the node' }));
    const { client, keys } = await opened();
    expect(await keys.get('a', { consistency: 'strong' })).toBe('by the portal');
    const [, value] = await Promise.all([keys.put('a', 'x'), keys.get('a')]);
    expect(value).toBe('by the portal');
    expect(await keys.get(Buffer.from('\0levee\0x'))).toBe('by the portal');
    expect(await keys.get('')).toBe('by the portal');
    expect(client.status().direct?.throughPortals.always).toBe(4);
    expect(await keys.get('a')).toBe('by the node');
  });

  it('a write waits for the reads of its key that were asked of a node before it', async () => {
    facts = routesOf(await started({ value: 'old' }));
    const { keys } = await opened();
    (nodes[0] as FakeNode).delayMs = 100;
    const told: string[] = [];
    const read = keys.get('a').then((value) => told.push(`read ${value}`));
    const written = keys.put('a', 'new').then(() => told.push('written'));
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(commands('LV.PUT')).toHaveLength(0);
    await Promise.all([read, written]);
    expect(told).toEqual(['read old', 'written']);
  });

  it('what a node has seen a portal is told before it reads', async () => {
    facts = routesOf(await started({ value: 'by the node' }));
    const { keys } = await opened();
    await keys.get('a', { consistency: 'strong' });
    const joins = portal.joins.length;
    const seen = (await keys.entry('a'))?.position as string;
    await keys.get('b', { consistency: 'strong' });
    expect(portal.joins.length).toBe(joins + 1);
    const token = decodeSessionToken(portal.joins.at(-1) as string);
    if ('problem' in token) throw new Error(token.problem);
    expect(token.positions.map(({ partition, nextOffset }) => `${partition}:${nextOffset}`)).toContain(seen);
  });

  it('the position of a write travels with the next read', async () => {
    facts = routesOf(await started({ value: 'old', applied: 2 }));
    const { client, keys } = await opened();
    portal.script = (words) =>
      words[0] === 'LV.DIRECT'
        ? bulk(JSON.stringify({ ...facts, nowMs: Date.now() }))
        : words[0] === 'LV.GET'
          ? found('new', '0:50')
          : '+0:50\r\n';
    const there = await keyIn(keys, '0');
    await keys.put(there, 'new');
    expect(await keys.get(there)).toBe('new');
    expect(client.status().direct?.throughPortals.refused).toBe(1);
    (nodes[0] as FakeNode).behaviour = { value: 'newest' };
    expect(await keys.get(there)).toBe('newest');
  });

  /** A key of partition 0. */
  async function keyIn(keys: Namespace<string>, partition: string): Promise<string> {
    for (let i = 0; ; i++) {
      const position = (await keys.entry(`k${i}`))?.position;
      if (position?.startsWith(`${partition}:`) === true) return `k${i}`;
    }
  }

  it.each([
    ['of another log', { log: 'levee.binlog.shop.orders_2' }],
    ['with other partitions', { partitions: 8 }],
    ['that its portal keeps from nodes', { notDirect: 'portals count its requests' }],
    ['without routes for every slot', { routes: [] }],
    ['strong by default', { consistency: 'strong' }],
  ])('a namespace %s is read through portals', async (_what, but) => {
    facts = routesOf(await started('nil'), but);
    const client = await connect({ portals: [portal.name], reads: direct() });
    clients.push(client);
    const keys = client.namespace(name).typed(utf8);
    await keys.get('first');
    await eventually('routes were told', () => routesAsked > 0);
    for (let i = 0; i < 20; i++) {
      expect(await keys.get(`k${i}`)).toBe('by the portal');
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect((nodes[0] as FakeNode).reads).toBe(0);
  });

  it('nodes go on answering while no portal does', async () => {
    facts = routesOf(await started({ value: 'by the node' }));
    const { keys } = await opened({ deadlineMs: 1_500 });
    await portal.close();
    // One that took long a moment ago, on a machine that stood still, is not asked.
    for (let i = 0; i < 20; i++)
      await eventually('the node answers', async () => (await keys.get(`k${i}`)) === 'by the node');
    expect(await failureOf(keys.put('a', 'x'))).toMatchObject({ kind: 'definite' });
  });

  it('ends at its deadline, and at once when it is aborted, also when nobody answers', async () => {
    facts = routesOf(await started('silent'));
    const { keys } = await opened();
    portal.silent = true;
    const beganMs = performance.now();
    expect(await failureOf(keys.get('a', { deadlineMs: 300 }))).toMatchObject({ code: 'DEADLINE' });
    const tookMs = performance.now() - beganMs;
    expect(tookMs).toBeGreaterThanOrEqual(290);
    expect(tookMs).toBeLessThan(3_000);
    const abort = new AbortController();
    const read = failureOf(keys.get('a', { signal: abort.signal, deadlineMs: 60_000 }));
    abort.abort();
    expect(await read).toMatchObject({ code: 'ABORTED', kind: 'definite' });
  });

  it('expiry is judged by the clock of portals, whatever that of this process says', async () => {
    facts = routesOf(await started({ value: 'there', expiresAtMs: Date.now() + 60_000 }));
    const { keys } = await opened();
    expect(await keys.get('a')).toBe('there');
    const aheadMs = 120_000;
    portal.script = () => bulk(JSON.stringify({ change: 'notChange', version: 5, nowMs: Date.now() + aheadMs }));
    await eventually('its time is over', async () => (await keys.get('a')) === undefined);
  });

  it('the namespace made anew behind a connection: the same request is carried out in the new one', async () => {
    facts = routesOf(await started({ value: 'by the node' }));
    const { keys } = await opened();
    let refused = 0;
    portal.script = (words) =>
      words[0] === 'LV.PUT' && refused++ === 0 ? '-LVANEW shop.orders was created anew\r\n' : '+0:1\r\n';
    expect(await keys.put('a', 'x')).toEqual({ position: '0:1' });
    expect(refused).toBe(2);
  });
});

describe('what connect refuses', () => {
  it.each([
    [{ brokers: ['k:9092'] }, /^brokers: /],
    [{ portals: ['p:1'], local: {} }, /^local: /],
    [{}, /^portals is missing/],
    [{ portals: ['p:1'], reads: 'direct' }, /^reads is 'direct': .*direct\(\)/],
    [{ portals: ['p:1'], reads: 5 }, /^reads is number/],
  ])('%j', async (options, problem) => {
    const failure = await connect(options as unknown as ConnectOptions).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RangeError);
    expect((failure as Error).message).toMatch(problem);
  });
});
