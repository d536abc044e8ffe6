import net from 'node:net';
import { hashPassword, newToken } from '@levee/auth';
import type { Logger } from '@levee/kernel';
import { doorCommands, type Portal } from '@levee/portal';
import { systemNetwork, type Network } from '@levee/wire';
import { ownAddress } from '../../../test/support/own-address';
import { TestCluster, until } from './test-cluster';

jest.setTimeout(60_000);

let cluster: TestCluster;
let portal: Portal;
const logged: string[] = [];
const keep = (facts: unknown, text: string): void => void logged.push(`${JSON.stringify(facts)} ${text}`);
const logger = { debug: keep, info: keep, warn: keep, error: keep } as unknown as Logger;
const passwords = { reader: 'reader-secret-1', writer: 'writer-secret-1', nothing: 'nothing-secret-1' };
const fromOwnAddress: Network = {
  ...systemNetwork,
  connect: (to) => net.connect({ ...to, localAddress: ownAddress(), noDelay: true }),
};
const connect = () => cluster.connect(portal, fromOwnAddress).send;

/** A command is given, and the portal has heard of it. */
async function order(kind: string, payload: object): Promise<void> {
  await cluster.order(kind, payload);
  await until('the portal hearing of it', () => portal.view.seq >= cluster.view.seq);
}

beforeAll(async () => {
  cluster = await TestCluster.start(1);
  await cluster.namespace('default');
  await cluster.namespace('shop');
  portal = await cluster.portal({ authenticates: true }, logger);
  await order('CreateUser', {
    name: 'visitor-of-shop',
    grants: [{ right: 'write', namespaces: 'shop' }],
    passwordHash: await hashPassword('visitor-secret'),
  });
  const on = (right: string, namespaces = '**') => ({ right, namespaces });
  const users = {
    reader: [on('read')],
    writer: [on('read'), on('write', 'default')],
    admin: [on('admin')],
    nothing: [],
    operator: [{ right: 'operate' }],
    auditor: [{ right: 'audit' }],
  };
  for (const [name, grants] of Object.entries(users)) {
    const password = (passwords as Record<string, string>)[name] ?? `${name}-secret-1`;
    await order('CreateUser', { name, grants, passwordHash: await hashPassword(password) });
  }
});
afterAll(() => cluster?.close());

const nobody = '-NOAUTH Authentication required.';
const wrong = expect.stringMatching(/^-WRONGPASS /);

describe('I21: every command, whoever sends it', () => {
  const names = [...doorCommands.keys()];
  /** By user, what commands may ask that it may send. */
  const allowed: Readonly<Record<string, readonly string[]>> = {
    '': ['open'],
    nothing: ['open', 'user'],
    auditor: ['open', 'user', 'audit'],
    reader: ['open', 'user', 'read'],
    writer: ['open', 'user', 'read', 'write'],
    admin: ['open', 'user', 'admin'],
    operator: ['open', 'user', 'operate'],
  };

  it('states what it asks of who sends it', () => {
    const stated = new Set(['open', 'user', 'read', 'write', 'admin', 'operate', 'audit']);
    for (const { name, access, kind } of doorCommands.values()) {
      const asked = typeof access === 'function' ? access([Buffer.from(name)]) : access;
      expect([name, stated.has(asked)]).toEqual([name, true]);
      // Keys are nobody's business who has no right on their namespace, and the other way round.
      expect([name, kind]).toEqual([name, ['read', 'write', 'admin'].includes(asked) ? 'data' : 'plain']);
    }
    const open = [...doorCommands.values()].filter(({ access }) => access === 'open').map(({ name }) => name);
    expect(open.sort()).toEqual(['AUTH', 'HELLO', 'QUIT', 'RESET']);
  });

  it.each(Object.entries(allowed))("as '%s' may send what asks for %j, and no more", async (user, may) => {
    for (const name of names) {
      const send = connect();
      if (user !== '') expect(await send('AUTH', user, `${user}-secret-1`)).toBe('OK');
      const { access, arity } = doorCommands.get(name)!;
      const args = [name, ...Array.from({ length: Math.abs(arity) - 1 }, () => 'x')];
      const asked = typeof access === 'function' ? access(args.map((arg) => Buffer.from(arg))) : access;
      const isRefused = /^-(NOAUTH|NOPERM)/.test(String(await send(...args)));
      // Without a name and a password these two have nothing to say.
      const saysSo = user === '' && name === 'HELLO';
      expect([name, isRefused]).toEqual([name, !may.includes(asked) || saysSo]);
    }
  });

  it('lists clients to who operates the cluster alone', async () => {
    const [reader, operator] = [connect(), connect()];
    await reader('AUTH', 'reader', passwords.reader);
    await operator('AUTH', 'operator', 'operator-secret-1');
    expect(await reader('CLIENT', 'LIST')).toMatch(/^-NOPERM user reader has not the right operate/);
    expect(await reader('client', 'list')).toMatch(/^-NOPERM/);
    expect(await reader('CLIENT', 'ID')).toEqual(expect.any(Number));
    expect(await operator('CLIENT', 'LIST')).toMatch(/user=reader/);
  });
});

describe('I21: before and after AUTH', () => {
  it('answers nothing before it, not even what it has not heard of', async () => {
    const send = connect();
    for (const line of ['GET a', 'NOSUCH', 'PING', 'MULTI', 'EXEC', 'LV.USE shop', 'CONFIG GET *', 'COMMAND'])
      expect([line, await send(...line.split(' '))]).toEqual([line, nobody]);
    expect(await send('HELLO', '3')).toMatch(/^-NOAUTH Authentication required: HELLO 3 AUTH/);
    expect(await send('AUTH', 'nobody-there', 'reader-secret-1')).toEqual(wrong);
    expect(await send('AUTH', 'reader-secret-1')).toEqual(wrong);
    expect(await send('GET', 'a')).toBe(nobody);
  });

  it('is nobody after one that failed, whoever it was', async () => {
    const failing: readonly (readonly string[])[] = [
      ['AUTH', 'reader', 'wrong'],
      ['AUTH', 'reader', ''],
      ['AUTH', 'wrong'],
      ['AUTH', 'reader', passwords.reader, 'more'],
      ['AUTH', 'reader@', passwords.reader],
      ['AUTH', 'reader@nowhere.else', passwords.reader],
      ['AUTH', 'nothing@shop', passwords.nothing],
      ['HELLO', '3', 'AUTH', 'reader', 'wrong'],
      ['HELLO', '3', 'AUTH', 'reader', passwords.reader, 'BADOPTION'],
      ['HELLO', '9', 'AUTH', 'reader', passwords.reader],
    ];
    for (const args of failing) {
      const send = connect();
      expect(await send('AUTH', 'writer', passwords.writer)).toBe('OK');
      expect(await send('SET', 'k', 'v')).toBe('OK');
      expect([args, await send(...args)]).toEqual([args, expect.stringMatching(/^-/)]);
      for (const line of ['GET k', 'SET k w', 'PING', 'LV.USE default'])
        expect([args, line, await send(...line.split(' '))]).toEqual([args, line, nobody]);
      expect(await send('AUTH', 'reader', passwords.reader)).toBe('OK');
      expect(await send('GET', 'k')).toBe('v');
    }
  });

  it('does nothing of what was sent behind a failing one, also inline', async () => {
    const socket = net.connect(portal.respPort, '127.0.0.1');
    let got = '';
    socket.on('data', (data: Buffer) => (got += data.toString()));
    socket.write(`AUTH writer ${passwords.writer}\r\nSET p 1\r\nAUTH writer wrong\r\nSET p 2\r\nGET p\r\nECHO end\r\n`);
    await until('all being answered', () => (got.match(/\r\n/g)?.length ?? 0) >= 6);
    socket.destroy();
    expect(got.split('\r\n').map((line) => line.split(' ')[0])).toEqual([
      ...['+OK', '+OK', '-WRONGPASS', '-NOAUTH', '-NOAUTH', '-NOAUTH', ''],
    ]);
    const send = connect();
    await send('AUTH', 'reader', passwords.reader);
    expect(await send('GET', 'p')).toBe('1');
  });

  it('is nobody after RESET', async () => {
    const send = connect();
    expect(await send('AUTH', 'writer', passwords.writer)).toBe('OK');
    expect(await send('RESET')).toBe('RESET');
    expect(await send('GET', 'k')).toBe(nobody);
  });

  it('says who it is, in RESP3 too, and takes a namespace behind the name', async () => {
    const send = connect();
    expect(await send('HELLO', '3', 'AUTH', 'reader@shop', passwords.reader)).toBeInstanceOf(Object);
    expect(await send('ACL', 'WHOAMI')).toBe('reader');
    expect(await send('LV.USE')).toBe('shop');
    expect(await send('ACL', 'LIST')).toMatch(/^-LVUNSUPPORTED ACL LIST/);
    expect(await send('AUTH', 'writer', passwords.writer)).toBe('OK');
    expect([await send('ACL', 'WHOAMI'), await send('LV.USE')]).toEqual(['writer', 'default']);
  });

  it('says of no namespace whether it exists to who has no right on it', async () => {
    const send = connect();
    await send('AUTH', 'nothing', passwords.nothing);
    for (const name of ['shop', 'nowhere', 'default'])
      expect(await send('LV.USE', name)).toBe(`-NOPERM user nothing has no right in namespace '${name}'`);
    expect(await send('GET', 'k')).toMatch(/^-LVNAMESPACE/);
    expect(String(await send('INFO'))).not.toMatch(/^(shop|default|db\d+):/m);
    const reader = connect();
    await reader('AUTH', 'visitor-of-shop@shop', 'visitor-secret');
    expect(String(await reader('INFO'))).toMatch(/^shop:state=active/m);
    expect(String(await reader('INFO'))).not.toMatch(/^default:/m);
    await reader('LV.USE', 'shop');
    expect(String(await reader('INFO', 'keyspace'))).not.toMatch(/^db\d+:/m);
  });
});

describe('I21: what is taken away is gone at once, on open connections', () => {
  type Send = ReturnType<typeof connect>;
  const grant = { right: 'read', namespaces: 'default' };
  async function visitor(name: string): Promise<Send> {
    await order('CreateUser', { name, grants: [grant], passwordHash: await hashPassword('visitor-secret') });
    const send = connect();
    expect(await send('AUTH', name, 'visitor-secret')).toBe('OK');
    expect(await send('EXISTS', 'no')).toBe(0);
    return send;
  }

  it.each<readonly [what: string, kind: string, payload: object, reply: RegExp]>([
    [
      'a right',
      'RevokeRights',
      { grants: [grant] },
      /^-NOPERM user v-\w+ has not the right read in namespace 'default'$/,
    ],
    ['the user, for a while', 'AlterUser', { state: 'disabled' }, /^-NOAUTH/],
    ['the user', 'DeleteUser', {}, /^-NOAUTH/],
    ['the password', 'AlterUser', { passwordHash: null }, /^-NOAUTH/],
  ])('%s', async (_what, kind, payload, reply) => {
    const name = `v-${kind}${Object.keys(payload).join('')}`;
    const send = await visitor(name);
    await order(kind, { name, ...payload });
    expect(await send('EXISTS', 'no')).toMatch(reply);
    if (kind !== 'RevokeRights') expect(await connect()('AUTH', name, 'visitor-secret')).toEqual(wrong);
  });

  it.each<readonly [what: string, namespaces: string, kind: string, payload: object]>([
    ['the right', 'swept', 'RevokeRights', { grants: [{ right: 'admin', namespaces: 'swept' }] }],
    ['the user', 'emptied', 'AlterUser', { state: 'disabled' }],
  ])('%s of whoever flushes: the sweep that is under way ends', async (_what, namespaces, kind, payload) => {
    await cluster.namespace(namespaces, { flush: 'sweep' });
    const name = `sweeper-of-${namespaces}`;
    const grants = ['write', 'admin'].map((right) => ({ right, namespaces }));
    await order('CreateUser', { name, grants, passwordHash: await hashPassword('sweeper-secret') });
    const send = connect();
    expect(await send('AUTH', `${name}@${namespaces}`, 'sweeper-secret')).toBe('OK');
    const pairs = Array.from({ length: 3_000 }, (_, i) => [`k:${i}`, 'v']).flat();
    await until('the keys being there', async () => (await send('MSET', ...pairs)) === 'OK');
    await order('AlterNamespace', { name: namespaces, requestsPerSecond: 1_000 });
    const flushed = send('FLUSHDB');
    await until('it being under way', () => portal.store.flushTurns.underWay === 1);
    await order(kind, { name, ...payload });
    expect(await flushed).toMatch(/^-(LVPARTIAL \d+ keys .*: )?LVLIMIT the right admin was taken away/);
    expect(portal.store.flushTurns.underWay).toBe(0);
  });

  it('a user of the same name that is created again is somebody else', async () => {
    const send = await visitor('again');
    await order('DeleteUser', { name: 'again' });
    await order('CreateUser', { name: 'again', grants: [grant], passwordHash: await hashPassword('another-one') });
    expect(await send('EXISTS', 'no')).toMatch(/^-NOAUTH/);
    expect(await send('AUTH', 'again', 'visitor-secret')).toEqual(wrong);
    expect(await send('AUTH', 'again', 'another-one')).toBe('OK');
  });

  it('a token that is revoked or has expired', async () => {
    const { token, kept } = newToken('reader');
    await order('CreateToken', { name: 'reader', ...kept, expiresAtMs: Date.now() + 5_000 });
    const other = newToken('reader');
    await order('CreateToken', { name: 'reader', ...other.kept });
    const [first, second] = [connect(), connect()];
    expect([await first('AUTH', 'reader', token), await second('AUTH', 'reader', other.token)]).toEqual(['OK', 'OK']);
    expect(await connect()('AUTH', 'writer', token)).toEqual(wrong);
    expect(await connect()('AUTH', 'reader', `${token.slice(0, -1)}_`)).toEqual(wrong);
    await order('RevokeToken', { name: 'reader', tokenId: other.kept.tokenId });
    expect(await second('EXISTS', 'no')).toMatch(/^-NOAUTH/);
    await until('its end', async () => /^-NOAUTH/.test(String(await first('EXISTS', 'no'))));
    expect(await connect()('AUTH', 'reader', token)).toEqual(wrong);
  });
});

it('says in the log and in its numbers that attempts failed, and never with what', async () => {
  await connect()('AUTH', 'reader', 'planted-wrong-secret');
  await until('the log', () => logged.some((line) => line.includes('"user":"reader"')));
  const told = logged.join('\n') + JSON.stringify(portal.stats());
  for (const secret of ['planted-wrong-secret', ...Object.values(passwords), 'lvt1.'])
    expect(told).not.toContain(secret);
  expect(portal.stats()['auth']).toMatchObject({
    succeeded: expect.any(Number) as number,
    failed: expect.any(Number) as number,
  });
});

it('asks nobody where authentication is off', async () => {
  const open = await cluster.portal();
  const { send } = cluster.connect(open);
  expect([await send('SET', 'o', '1'), await send('ACL', 'WHOAMI')]).toEqual(['OK', 'default']);
  expect(await send('AUTH', 'shop', 'anything')).toBe('OK');
  expect([await send('ACL', 'WHOAMI'), await send('LV.USE')]).toEqual(['shop', 'shop']);
});
