import { decodeSessionToken } from '@levee/keyspace';
import {
  connect,
  DefiniteError,
  DeniedError,
  IndefiniteError,
  LimitError,
  NamespaceError,
  PartialError,
  PendingError,
  SessionError,
  UnavailableError,
  UnreadableError,
  utf8,
  type Client,
  type ConnectOptions,
  type LeveeError,
  type Namespace,
} from '@levee/sdk';
import { eventually } from '../../../test/support/deadline';
import { found, ScriptedPortal } from './scripted-portal';

let portals: ScriptedPortal[] = [];
let clients: Client[] = [];
afterEach(async () => {
  for (const portal of portals) await portal.close();
  for (const client of clients) await client.close();
  portals = [];
  clients = [];
});

const start = async (script?: ScriptedPortal['script']): Promise<ScriptedPortal> => {
  const portal = await ScriptedPortal.start(script);
  portals.push(portal);
  return portal;
};

async function opened(options: Partial<ConnectOptions> = {}, given = portals): Promise<Namespace<string>> {
  const client = await connect({ portals: given.map(({ name }) => name), deadlineMs: 4_000, ...options });
  clients.push(client);
  return client.namespace('shop.orders').typed(utf8);
}

const failureOf = (work: Promise<unknown>): Promise<LeveeError> =>
  work.then(
    (result) => {
      throw new Error(`it gave ${JSON.stringify(result)}`);
    },
    (error: unknown) => error as LeveeError,
  );

/** Resolves once both portals answer for `orders`. */
async function bothUp(): Promise<void> {
  while (clients.some((client) => client.status().portals.some(({ up }) => !up)))
    await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('what an answer of a portal is', () => {
  it.each([
    ['-LVDEFINITE no', DefiniteError, 'definite'],
    ['-LVINDEFINITE who knows', IndefiniteError, 'indefinite'],
    ['-LVPENDING 3:17 logged; not applied', PendingError, 'pending'],
    ['-LVLIMIT a key of 1025 bytes', LimitError, 'definite'],
    ['-LVFULL the chunk', LimitError, 'definite'],
    ['-LVSTOPPED it stands still', UnavailableError, 'definite'],
    ['-LVFROZEN by ann', UnavailableError, 'definite'],
    ['-LVREADONLY produce', NamespaceError, 'definite'],
    ['-NOPERM ann may not', DeniedError, 'definite'],
    ['-ERR syntax error', DefiniteError, 'definite'],
    ['-LVNEVERHEARD of it', IndefiniteError, 'indefinite'],
  ] as const)('%s to a write', async (answer, kind, says) => {
    await start(() => `${answer}\r\n`);
    const orders = await opened();
    const failure = await failureOf(orders.put('a', 'x', { deadlineMs: 1_500 }));
    expect(failure).toBeInstanceOf(kind);
    expect([failure.kind, failure.code]).toEqual([says, answer.slice(1).split(' ')[0]]);
    if (failure instanceof PendingError) expect(failure.position).toBe('3:17');
  });

  it.each([
    ['-LVUNREADABLE 2:9 no Put', UnreadableError],
    ['-LVSESSION of another log', SessionError],
    ['-LVNAMESPACE there is none', NamespaceError],
  ])('%s to a read', async (answer, kind) => {
    await start(() => `${answer}\r\n`);
    const failure = await failureOf((await opened()).get('a'));
    expect(failure).toBeInstanceOf(kind);
    if (failure instanceof UnreadableError) expect(failure.position).toBe('2:9');
  });

  it('a namespace that is refused to the connection says why', async () => {
    const portal = await start(() => '-LVNAMESPACE nothing is read or written on this connection\r\n');
    portal.useAnswer = '-NOPERM ann has no right in it\r\n';
    const orders = await opened();
    expect(await failureOf(orders.get('a'))).toBeInstanceOf(DeniedError);
    portal.useAnswer = '+OK\r\n';
    portal.script = () => found('here');
    expect(await orders.get('a')).toBe('here');
  });

  it('who is let in no more is told so at once, and served again as soon as he is', async () => {
    const portal = await start(() => found('here'));
    const orders = await opened({ limits: { probeMs: 50 } });
    const noauth = '-NOAUTH what it was is disabled\r\n';
    Object.assign(portal, { pingAnswer: noauth, script: () => noauth });
    const client = clients[0] as Client;
    await eventually('it is known', () => client.status().portals[0]?.up === false);
    expect(await failureOf(orders.get('a', { deadlineMs: 60_000 }))).toBeInstanceOf(DeniedError);
    expect(await failureOf(orders.put('a', 'x', { deadlineMs: 60_000 }))).toMatchObject({ kind: 'definite' });
    Object.assign(portal, { pingAnswer: '+PONG\r\n', script: () => found('again') });
    await eventually('he is let in', async () => (await orders.get('a').catch(() => undefined)) === 'again');
  });

  it('connect says that a door does not let it in, and that nobody answers', async () => {
    const portal = await start();
    portal.helloAnswer = '-WRONGPASS invalid\r\n';
    expect(await failureOf(opened({ user: 'ann', password: 'x' }))).toBeInstanceOf(DeniedError);
    await portal.close();
    const failure = await failureOf(opened({ deadlineMs: 200 }));
    expect(failure).toBeInstanceOf(UnavailableError);
    expect(failure.message).toContain(portal.name);
  });
});

describe('requests of one key', () => {
  it('a write waits for what was asked before it, and reads go side by side', async () => {
    const answers: (() => void)[] = [];
    const portal = await start(
      (words) => new Promise((resolve) => answers.push(() => resolve(words[0] === 'LV.GET' ? found('v') : '+0:2\r\n'))),
    );
    const orders = await opened();
    const all = [orders.get('a'), orders.get('a'), orders.put('a', '1'), orders.put('a', '2'), orders.get('a')];
    const other = orders.put('b', '1');
    await portal.received(3);
    const names = (): string[] => portal.commands.map(([name, key]) => `${name} ${key}`);
    expect(names()).toEqual(['LV.GET a', 'LV.GET a', 'LV.PUT b']);
    for (let left = 6; left > 0; left--) {
      while (answers.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
      answers.shift()?.();
    }
    await Promise.all([...all, other]);
    expect(names().slice(3)).toEqual(['LV.PUT a', 'LV.PUT a', 'LV.GET a']);
  });

  it('go to one portal for all clients, and to the same next one when it is gone', async () => {
    for (let i = 0; i < 3; i++) await start(() => found('v'));
    const [one, other] = [await opened(), await opened({}, [...portals].reverse())];
    await bothUp();
    const keys = Array.from({ length: 60 }, (_, i) => `key${i}`);
    const homes = async (orders: Namespace<string>): Promise<string[]> => {
      for (const portal of portals) portal.commands.length = 0;
      await orders.getMany(keys);
      return keys.map((key) =>
        portals.findIndex(({ commands }) => commands.some((words) => words[1] === key)).toString(),
      );
    };
    const before = await homes(one);
    expect(await homes(other)).toEqual(before);
    expect(new Set(before).size).toBe(3);
    await portals[0]?.close();
    const after = await homes(one);
    expect(await homes(other)).toEqual(after);
    expect(after).not.toContain('0');
    keys.forEach((_, i) => before[i] !== '0' && expect(after[i]).toBe(before[i]));
  });
});

describe('when a portal fails', () => {
  it('a read is asked of another one', async () => {
    const [one, other] = [await start(), await start()];
    for (const portal of [one, other]) portal.script = () => (setImmediate(() => portal.close()), undefined);
    const orders = await opened();
    await bothUp();
    const reading = orders.get('a');
    while (one.commands.length + other.commands.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    for (const portal of [one, other]) portal.script = () => found('v');
    expect(await reading).toBe('v');
    expect(clients[0]?.status().retries).toBeGreaterThan(0);
  });

  it('a write that was certainly not sent, or not taken, goes to another one', async () => {
    const [one, other] = [await start(() => '-LVSTOPPING bye\r\n'), await start(() => '-LVSTOPPING bye\r\n')];
    const orders = await opened();
    await bothUp();
    const writing = orders.put('a', 'x');
    while (one.commands.length + other.commands.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    for (const portal of [one, other]) portal.script = () => '+1:5\r\n';
    expect(await writing).toEqual({ position: '1:5' });
  });

  it('a write whose answer was lost is asked after at the process that took it, by its id, and nowhere else', async () => {
    const [one, other] = [await start(), await start()];
    for (const portal of [one, other])
      portal.script = (words) => (words.includes('AGAIN') ? '+2:7\r\n' : (setImmediate(() => portal.cut()), undefined));
    const orders = await opened();
    await bothUp();
    await failureOf(orders.get('warm', { deadlineMs: 50 }));
    await bothUp();
    expect(await orders.put('a', 'x')).toEqual({ position: '2:7' });
    const writes = [one, other].map(({ commands }) => commands.filter(([, key]) => key === 'a'));
    expect(writes.map(({ length }) => length).sort()).toEqual([0, 2]);
    const [first, again] = writes.flat() as [string[], string[]];
    expect(again.slice(0, first.length)).toEqual(first);
    expect(again.slice(first.length, -1)).toEqual(['AGAIN', 'first']);
    expect(Number(again.at(-1))).toBeGreaterThan(0);
  });

  it.each([
    'NOPERM ann has not the right write',
    'NOAUTH what it was is disabled',
    'LVNAMESPACE there is none',
    'LVLIMIT a time to live',
    'LVREQUEST the id was used for another write',
    'ERR syntax error',
  ])(
    'a write whose answer was lost is unknown still when the question what became of it is refused: %s',
    async (no) => {
      const portal = await start((words) =>
        words.includes('AGAIN') ? `-${no}\r\n` : (setImmediate(() => portal.cut()), undefined),
      );
      const failure = await failureOf((await opened()).put('a', 'x'));
      expect([portal.commands.length, failure.kind]).toEqual([2, 'indefinite']);
      expect(failure.message).toContain(no);
    },
  );

  it('a write whose answer was lost is unknown still when its client is let in no more', async () => {
    const portal = await start(() => {
      portal.helloAnswer = '-WRONGPASS invalid\r\n';
      return (setImmediate(() => portal.cut()), undefined);
    });
    const failure = await failureOf((await opened({ user: 'ann', password: 'x' })).put('a', 'x'));
    expect([failure.kind, failure.code]).toEqual(['indefinite', 'LVINDEFINITE']);
  });

  it('a write whose answer was lost is asked after again, and nowhere else, while its portal is not ready', async () => {
    let asked = 0;
    const [one, other] = [await start(), await start()];
    for (const portal of [one, other])
      portal.script = (words) => {
        if (!words.includes('AGAIN')) return (setImmediate(() => portal.cut()), undefined);
        return ++asked < 3 ? '-LVNOTREADY not yet\r\n' : '+2:7\r\n';
      };
    const orders = await opened();
    await bothUp();
    expect(await orders.put('a', 'x')).toEqual({ position: '2:7' });
    expect([one.commands.length, other.commands.length].sort()).toEqual([0, 4]);
  });

  it('a write whose answer was lost with its portal is indefinite, and nobody is asked to do it again', async () => {
    const [one, other] = [await start(), await start()];
    for (const portal of [one, other]) portal.script = () => (setImmediate(() => portal.close()), undefined);
    const orders = await opened();
    await bothUp();
    const began = Date.now();
    const failure = await failureOf(orders.put('a', 'x'));
    expect(failure).toBeInstanceOf(IndefiniteError);
    expect(failure.message).toMatch(/Read before you repeat/);
    expect(one.commands.length + other.commands.length).toBe(1);
    // Not at its deadline of 4 s.
    expect(Date.now() - began).toBeLessThan(3_500);
  });

  it('one that is silent is not waited for', async () => {
    const [one, other] = [await start(() => found('v')), await start(() => found('v'))];
    const orders = await opened({ limits: { probeMs: 400 } });
    await bothUp();
    await orders.get('a');
    const home = one.commands.length > 0 ? one : other;
    home.silent = true;
    expect(await orders.get('a')).toBe('v');
    home.silent = false;
    home.cut();
    await bothUp();
    home.commands.length = 0;
    expect(await orders.get('a')).toBe('v');
    expect(home.commands.length).toBe(1);
  });

  it.each(['all', 'data'] as const)(
    'a connection that nothing comes through, without an end, is made anew: %s',
    async (which) => {
      const portal = await start(() => found('v'));
      const orders = await opened({ limits: { probeMs: 100, ...(which === 'data' && { silentMs: 300 }) } });
      expect(await orders.get('a')).toBe('v');
      portal.deafen(which);
      await failureOf(orders.get('a', { deadlineMs: 80 }));
      await eventually('it is served again', async () => {
        return (await orders.get('a', { deadlineMs: 80 }).catch(() => undefined)) === 'v';
      });
      await eventually('it is up', () => clients[0]?.status().portals[0]?.up);
    },
  );

  it('second attempts end with the budget', async () => {
    await start(() => '-LVUNAVAILABLE nobody\r\n');
    const orders = await opened({ limits: { retriesAtOnceMax: 3, retryShare: 0.001, retryPauseMs: 1 } });
    expect(await failureOf(orders.get('a'))).toBeInstanceOf(UnavailableError);
    expect(portals[0]?.commands.length).toBe(4);
    expect(clients[0]?.status()).toMatchObject({ retries: 3, retriesRefused: 1 });
  });
});

describe('an operation ends', () => {
  it.each([
    ['a read', false, UnavailableError],
    ['a write that was sent', true, IndefiniteError],
  ])('at its deadline: %s', async (_what, writes, kind) => {
    await start(() => undefined);
    const orders = await opened();
    const options = { deadlineMs: 500 };
    const failure = await failureOf(writes ? orders.put('a', 'x', options) : orders.get('a', options));
    expect(failure).toBeInstanceOf(kind);
    expect(failure.code).toBe('DEADLINE');
  });

  it('at its deadline, without an attempt, while all portals are gone', async () => {
    const portal = await start();
    const orders = await opened({ limits: { probeMs: 50 } });
    await portal.close();
    await failureOf(orders.get('a', { deadlineMs: 100 }));
    const failure = await failureOf(orders.put('a', 'x', { deadlineMs: 100 }));
    expect(failure).toBeInstanceOf(UnavailableError);
    expect(failure.message).toContain(portal.name);
  });

  it.each([
    ['before it began', false, DefiniteError],
    ['after it was sent', true, IndefiniteError],
  ])('when its caller aborts it: a write, %s', async (_when, isSent, kind) => {
    const portal = await start(() => undefined);
    const orders = await opened();
    const abort = new AbortController();
    if (!isSent) abort.abort(new Error('enough'));
    const failing = failureOf(orders.put('a', 'x', { signal: abort.signal }));
    if (isSent) await portal.received(1);
    abort.abort(new Error('enough'));
    const failure = await failing;
    expect(failure).toBeInstanceOf(kind);
    expect([failure.code, failure.cause]).toEqual(['ABORTED', new Error('enough')]);
  });

  it('at once beyond the limit of operations, and never after close', async () => {
    await start(() => undefined);
    const orders = await opened({ limits: { operationsMax: 2 } });
    const held = [orders.get('a', { deadlineMs: 200 }), orders.get('b', { deadlineMs: 200 })].map(failureOf);
    const failure = await failureOf(orders.get('c'));
    expect(failure).toBeInstanceOf(LimitError);
    expect(failure.message).toMatch(/at most 2 \(limits.operationsMax\)/);
    await clients[0]?.close();
    expect((await Promise.all(held)).map(({ code }) => code)).toEqual(['DEADLINE', 'DEADLINE']);
    expect((await failureOf(orders.get('a'))).code).toBe('CLIENT_CLOSED');
  });

  it('of many writes each in its own way', async () => {
    await start((words) => (words[1] === 'bad' ? '-LVFULL no\r\n' : '+0:3\r\n'));
    const orders = await opened();
    const failure = (await failureOf(
      orders.putMany([
        ['a', '1'],
        ['bad', '2'],
        ['c', '3'],
      ]),
    )) as PartialError;
    expect(failure).toBeInstanceOf(PartialError);
    expect([failure.kind, failure.written, [...failure.failures.keys()]]).toEqual(['definite', 2, [1]]);
  });
});

describe('a session', () => {
  it('is told to another portal before it is read from', async () => {
    const [one, other] = [await start(() => '+3:9\r\n'), await start(() => '+3:9\r\n')];
    const orders = await opened();
    await bothUp();
    await orders.put('a', 'x');
    const away = one.commands.length > 0 ? other : one;
    for (const portal of portals) portal.script = () => found('v', '1:1');
    for (let i = 0; away.commands.length === 0; i++) await orders.get(`k${i}`);
    const token = decodeSessionToken(away.joins.at(-1) as string);
    expect(token).toMatchObject({ positions: expect.arrayContaining([{ partition: 3, nextOffset: 9 }]) as unknown });
    expect(orders.session()).toBeDefined();
  });

  it('is not told for an eventual read', async () => {
    const [one, other] = [await start(() => '+3:9\r\n'), await start(() => '+3:9\r\n')];
    const orders = await opened();
    await bothUp();
    await orders.put('a', 'x');
    const away = one.commands.length > 0 ? other : one;
    for (const portal of portals)
      portal.script = ([command]) => (command === 'LV.GET' ? found('v', '0:0') : '+3:10\r\n');
    // The connection is made before anything is known.
    for (let i = 0; away.commands.length === 0; i++) await orders.get(`k${i}`, { consistency: 'eventual' });
    const joins = away.joins.length;
    await orders.put('a', 'y');
    for (let i = 0; away.commands.length < 3; i++) await orders.get(`k${i}`, { consistency: 'eventual' });
    expect(away.joins.length).toBe(joins);
  });
});
