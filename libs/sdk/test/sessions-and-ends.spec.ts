import { getEventListeners } from 'node:events';
import { encodePut } from '@levee/codec';
import { asOffset, asPartition, crc32c } from '@levee/kernel';
import { decodeSessionToken, Session, type SessionToken } from '@levee/keyspace';
import { type Log, systemTimers } from '@levee/log';
import { eventually, within } from '../../../test/support/deadline';
import {
  connect,
  DeniedError,
  PendingError,
  UnavailableError,
  utf8,
  type Client,
  type ConnectOptions,
  type Namespace,
} from '@levee/sdk';
import { SharedLog } from '../src/local/shared-log';
import { SessionMemory } from '../src/portal/session-memory';
import { LocalWorld } from './local-world';
import { found, ScriptedPortal } from './scripted-portal';

jest.setTimeout(60_000);

const closing: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

async function opened(
  script: ScriptedPortal['script'],
  limits: ConnectOptions['limits'] = {},
): Promise<[ScriptedPortal, Namespace<string>, Client]> {
  const portal = await ScriptedPortal.start(script);
  const client = await connect({
    portals: [portal.name],
    user: 'ann',
    password: 'x',
    deadlineMs: 4_000,
    limits: { probeMs: 400, ...limits },
  });
  closing.push(portal, client);
  return [portal, client.namespace('shop.orders').typed(utf8), client];
}

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'none',
    (error: unknown) => error,
  );

/** A replica that holds `k`, and `soon`, which expires in 20 s. */
async function openedNear(): Promise<{ readonly world: LocalWorld; readonly expiresAtMs: number }> {
  const world = new LocalWorld();
  closing.push(world);
  const [key, expiresAtMs] = [Buffer.from('soon'), Date.now() + 20_000];
  world.log.put('k', 'v');
  world.log.add(key, encodePut(key, Buffer.from('w'), expiresAtMs));
  await world.open();
  await world.near();
  return { world, expiresAtMs };
}

describe('the session of a client', () => {
  it('has what was logged, and not applied everywhere in time, and tells the portal that said so', async () => {
    const [portal, orders] = await opened(() => '-LVPENDING 3:17 logged; not applied by n2 yet\r\n');
    expect(await failureOf(orders.put('a', 'x'))).toBeInstanceOf(PendingError);
    portal.script = () => found('v', '3:1');
    await orders.get('a');
    for (const token of [orders.session(), portal.joins.at(-1)])
      expect(decodeSessionToken(String(token))).toMatchObject({ positions: [{ partition: 3, nextOffset: 17 }] });
  });

  it('tells portals the time by which a replica found something expired, so that none shows it again', async () => {
    const { world, expiresAtMs } = await openedNear();
    const byPortal = (): Promise<unknown> => world.keys.get('k', { consistency: 'strong' });
    await byPortal();
    const told = world.portal.joins.length;
    await byPortal();
    // What it knows is not told twice.
    expect(world.portal.joins.length).toBe(told);
    world.aheadMs = 30_000;
    await eventually('it is over', async () => (await world.keys.get('soon')) === undefined);
    await byPortal();
    const token = decodeSessionToken(String(world.portal.joins.at(-1)));
    expect('problem' in token ? 0 : token.clockMs).toBeGreaterThanOrEqual(expiresAtMs);
  });

  it('does not show what was expired for a portal, whose clock may be ahead of all that is known here', async () => {
    const { world, expiresAtMs } = await openedNear();
    await eventually('it is there', async () => (await world.keys.get('soon')) === 'w');
    const { script } = world.portal;
    world.portal.script = (words) => (words[0] === 'LV.GET' ? `*3\r\n_\r\n+0:1\r\n:${expiresAtMs}\r\n` : script(words));
    expect(await world.keys.get('soon', { consistency: 'strong' })).toBeUndefined();
    const { answered } = world.status;
    expect(await world.keys.get('soon')).toBeUndefined();
    expect(world.status.answered).toBe(answered + 1);
  });

  /** A client of a portal that takes no session for which `refusal` says why, and reads what is older than that. */
  async function openedWhere(refusal: (token: SessionToken) => string | undefined) {
    let hasTaken = true;
    const [portal, orders] = await opened(([name]) => {
      return name === 'LV.GET' ? found(hasTaken ? 'new' : 'old', '3:9') : '+3:9\r\n';
    });
    await orders.put('a', 'x');
    portal.joinAnswer = (text) => {
      const token = decodeSessionToken(text);
      const no = 'problem' in token ? token.problem : refusal(token);
      hasTaken = no === undefined;
      return no === undefined ? undefined : `-${no}\r\n`;
    };
    return { portal, orders };
  }

  it('is told again where a portal did not take it, and nothing counts that was read without it', async () => {
    let refusals = 0;
    const { portal, orders } = await openedWhere(() => (refusals-- > 0 ? 'LVNAMESPACE being made' : undefined));
    await orders.join(String(orders.session()));
    refusals = 3;
    const told = portal.joins.length;
    expect(await orders.get('a')).toBe('new');
    expect(portal.joins.length).toBe(told + 4);
    for (let i = 0; i < 3; i++) expect(await orders.get('a')).toBe('new');
    expect(portal.joins.length).toBe(told + 4);
    await orders.join(String(orders.session()));
    refusals = Infinity;
    expect(await failureOf(orders.get('a', { deadlineMs: 1_000 }))).toMatchObject({ code: 'LVNAMESPACE' });
    expect(await orders.get('a', { consistency: 'eventual' })).toBe('old');
  });

  it('keeps what was written and seen when a portal refuses its clock, and reads nothing without it', async () => {
    let isAhead = (_clockMs: number): boolean => false;
    const { portal, orders } = await openedWhere(({ clockMs }) =>
      isAhead(clockMs) ? 'LVSESSION far ahead' : undefined,
    );
    const ahead = new Session({ namespace: 'shop.orders', binlog: 'levee.binlog.shop.orders', partitions: 4 });
    ahead.observe(asPartition(3), asOffset(17));
    ahead.observeClock(Date.now() + 600_000);
    await orders.join(ahead.encode());
    isAhead = (clockMs) => clockMs > Date.now() + 60_000;
    expect(await orders.get('a')).toBe('new');
    for (const token of [orders.session(), portal.joins.at(-1)])
      expect(decodeSessionToken(String(token))).toMatchObject({
        clockMs: 0,
        positions: expect.arrayContaining([{ partition: 3, nextOffset: 17 }]) as unknown,
      });
  });

  it('is told however much waits to be sent to a portal', async () => {
    const answer: ScriptedPortal['script'] = ([name]) => (name === 'LV.GET' ? found('v', '3:9') : undefined);
    const [portal, orders] = await opened(answer, { bytesMax: 1_000 });
    await orders.get('a');
    const token = String(orders.session());
    await orders.join(token);
    const told = portal.joins.length;
    const ends = [orders.put('long', 'x'.repeat(950), { deadlineMs: 1_000 }), orders.get('a', { deadlineMs: 1_000 })];
    await Promise.allSettled(ends);
    expect(portal.joins.slice(told)).toEqual([token]);
  });

  it('is not begun by a token whose names no portal can have given', () => {
    const bytes = Buffer.from(
      new Session({ namespace: 'shop', binlog: 'levee.binlog.shop', partitions: 4 }).encode(),
      'base64url',
    );
    const body = bytes.subarray(0, -4);
    body[2] = 0xf6;
    bytes.writeUInt32LE(crc32c(body), body.length);
    const memory = new SessionMemory();
    expect(memory.learn(['session', bytes.toString('base64url')])).toBeUndefined();
    memory.observe('0:1', { joined: 0 });
    expect(memory.token()).toBeUndefined();
  });
});

describe('a watch', () => {
  const changes = (words: readonly string[]): string =>
    words[1] === 'NOW' ? '*2\r\n+log\r\n+0:1\r\n' : '*1\r\n*1\r\n+0:1\r\n';

  it('is opened, or not, by its deadline, and says nothing of a portal that takes longer', async () => {
    const [, orders, client] = await opened(() => undefined);
    const began = performance.now();
    expect(await failureOf(orders.watch({ deadlineMs: 200 }))).toBeInstanceOf(UnavailableError);
    expect(performance.now() - began).toBeLessThan(5_000);
    expect(client.status().portals[0]?.up).toBe(true);
  });

  it('leaves nothing at its signal when it is closed, nor does a read', async () => {
    const [, orders] = await opened((words) => (words[0] === 'LV.CHANGES' ? changes(words) : found('v')));
    const { signal } = new AbortController();
    await orders.get('a', { signal });
    for (let i = 0; i < 3; i++) await (await orders.watch({ signal })).close();
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('ends with the reason when its client is let in no more, also when its connection was lost before', async () => {
    const [portal, orders, client] = await opened((words) => changes(words));
    const watch = await orders.watch();
    const next = failureOf(watch.next());
    portal.helloAnswer = '-WRONGPASS invalid\r\n';
    portal.cut();
    expect(await within('it ends', 15_000, next)).toBeInstanceOf(DeniedError);
    expect(client.status().portals[0]?.up).toBe(false);
  });
});

it('a log that was opened too late, and cannot be closed, does not end the process', async () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', note);
  try {
    let open = (_log: Log): void => undefined;
    const shared = new SharedLog(() => new Promise<Log>((resolve) => (open = resolve)), systemTimers);
    const first = shared.opened();
    await shared.close();
    open({ close: () => Promise.reject(new Error('no broker')) } as unknown as Log);
    await first;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(unhandled).toEqual([]);
  } finally {
    process.off('unhandledRejection', note);
  }
});
