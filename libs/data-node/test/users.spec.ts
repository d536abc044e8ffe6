import net from 'node:net';
import tls from 'node:tls';
import { ClusterKey, hashPassword, newToken, nodeHello } from '@levee/auth';
import type { DataNode } from '@levee/data-node';
import { silentLogger, type Clock } from '@levee/kernel';
import { systemClock } from '@levee/log';
import {
  copyOpenCommand,
  encodeCommand,
  nodeCommands,
  parseRangeReply,
  rangeCommand,
  readCommand,
  ReadEntriesWriter,
  ReadReply,
  ReplyParser,
  RespError,
  sealOfCommand,
  systemNetwork,
  TlsNetwork,
  type Network,
  type RespReply,
  type TlsIdentity,
} from '@levee/wire';
import { TestAuthority, type Certified } from '../../../test/support/certificates';
import { ownAddress } from '../../../test/support/own-address';
import { nodeCommandAccess } from '../src/service/node-service';
import { SmallCluster, until } from './small-cluster';

jest.setTimeout(60_000);
const clusterKey = ClusterKey.random();
const authority = new TestAuthority();
const password = 'right-secret-1';
let cluster: SmallCluster;
const nodes = new Map<'plain' | 'TLS', DataNode>();
const sockets: net.Socket[] = [];
/** Added to what the clock of the plain node says: how it comes to be cut off. */
let passedMs = 0;
const clock: Clock = { nowMs: systemClock.nowMs, monotonicMs: () => systemClock.monotonicMs() + passedMs };

function secured(): Network {
  const { cert, key } = authority.issue({ name: 'levee', hosts: ['127.0.0.1'] });
  const calling = { secureContext: tls.createSecureContext({ ca: authority.cert }) };
  const serving = { cert, key, ca: authority.cert, requestCert: true, rejectUnauthorized: false };
  const identity: TlsIdentity = { serving, calling, callingAsStranger: calling, onChange: () => () => undefined };
  const { listen } = new TlsNetwork(identity, { logger: silentLogger, clock: systemClock });
  return { listen, connect: systemNetwork.connect };
}

/** A command is given, and the nodes have heard of it. */
async function order(kind: string, payload: object): Promise<void> {
  await cluster.command(kind, payload);
  await until('the nodes hearing of it', () => [...nodes.values()].every(({ view }) => view.seq >= cluster.view.seq));
}
const made = { number: 0 };
const onShop = { right: 'read', namespaces: 'shop' };

async function user(grants: readonly object[] = [onShop]): Promise<string> {
  const name = `u${++made.number}`;
  await order('CreateUser', { name, grants, passwordHash: await hashPassword(password) });
  return name;
}

beforeAll(async () => {
  cluster = await SmallCluster.start();
  const asks = { authenticates: true, usersBelievedMs: 600_000, clusterKey };
  nodes.set('plain', await cluster.node('n1', { ...asks, clock }));
  nodes.set('TLS', await cluster.node('n2', { ...asks, clusterName: 'levee', network: secured() }));
  await cluster.ready();
  for (const name of ['shop', 'other']) await cluster.namespace(name, { partitions: 1, chunks: 1 });
  for (const name of ['shop', 'other']) {
    const { partition, offset } = await cluster.append(name, 'k', `value of ${name}`);
    for (const node of nodes.values())
      await until('the node having it', () =>
        node.hosted.some(
          (each) => each.assignment.namespace.name === name && each.nextOffset(partition) > Number(offset),
        ),
      );
  }
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});
afterAll(() => cluster?.close());

type Command = readonly (string | Buffer)[];

/** A connection whose bytes a test writes itself. */
class Caller {
  readonly replies: RespReply[] = [];

  private constructor(private readonly socket: net.Socket) {
    const parser = new ReplyParser((reply) => this.replies.push(reply));
    socket.on('data', (piece: Buffer) => parser.push(piece));
    socket.on('error', () => undefined);
  }

  static open(wire: 'plain' | 'TLS' = 'plain', certificate?: Certified): Promise<Caller> {
    const at = { port: nodes.get(wire)!.respPort, host: '127.0.0.1', localAddress: ownAddress() };
    const pair = certificate && { cert: certificate.cert, key: certificate.key };
    return new Promise((resolve, reject) => {
      const socket: net.Socket =
        wire === 'plain'
          ? net.connect(at, () => resolve(new Caller(socket)))
          : tls.connect({ ...at, ca: authority.cert, ...pair }, () => resolve(new Caller(socket)));
      socket.once('error', reject);
      sockets.push(socket);
    });
  }

  static async as(name: string): Promise<Caller> {
    const caller = await Caller.open();
    expect(await caller.ask('AUTH', name, password)).toBe('OK');
    return caller;
  }

  write(...pieces: (string | Command)[]): void {
    this.socket.write(
      Buffer.concat(
        pieces.flatMap((each) => (typeof each === 'string' ? [Buffer.from(each)] : [...encodeCommand(each)])),
      ),
    );
  }

  async after(count: number): Promise<RespReply[]> {
    await until(`${count} replies, of which there are ${this.replies.length}`, () => this.replies.length >= count);
    return this.replies;
  }

  async ask(...command: Command): Promise<string> {
    const at = this.replies.length;
    this.write(command);
    return shown((await this.after(at + 1))[at]!);
  }
}

function shown(reply: RespReply): string {
  if (reply instanceof RespError) return `-${reply.text}`;
  return Buffer.isBuffer(reply) ? 'a frame' : typeof reply === 'string' ? reply : 'something';
}

const read = (namespace: string, options: { minOffset?: number; deadlineMs?: number } = {}): Command => {
  const entries = new ReadEntriesWriter();
  entries.add(cluster.place('shop', 'k').slot, options.minOffset ?? 0, Buffer.from('k'));
  const { deadlineMs = 0 } = options;
  return readCommand({ namespace, tableVersion: 0, maxAgeMs: -1, nowMs: systemClock.nowMs(), deadlineMs }, entries);
};
const chunkOf = (namespace: string): string => [...cluster.view.state.chunksOf(namespace)][0]!.chunkId;
const range = (namespace: string, { chunkId = chunkOf(namespace), nextOffset = 0, deadlineMs = 0 } = {}): Command => {
  const empty = Buffer.alloc(0);
  const page = { from: empty, to: empty, limit: 10, bytesMax: 1 << 20, keysOnly: false };
  const positions = nextOffset === 0 ? [] : [{ partition: 0, nextOffset }];
  const at = { tableVersion: 0, maxAgeMs: -1, nowMs: systemClock.nowMs(), deadlineMs, positions };
  return rangeCommand({ namespace, chunkId, ...at, ...page });
};
const copy = (namespace: string): Command => {
  const { slotStart, slotEnd } = [...cluster.view.state.chunksOf(namespace)][0]!;
  return copyOpenCommand({ namespace, chunkId: chunkOf(namespace), slotStart, slotEnd, after: Buffer.alloc(0) });
};
const names = Object.keys(nodeCommandAccess) as (keyof typeof nodeCommandAccess)[];
/** A whole command of that name, of which nothing is wrong but who sends it. */
const whole = (name: (typeof names)[number]): Command => {
  if (name === nodeCommands.read) return read('shop');
  if (name === nodeCommands.range) return range('shop');
  if (name === nodeCommands.copy) return copy('shop');
  return name === 'HELLO' ? ['HELLO', '3'] : [name, 'shop', 'k'];
};
const refused = /^-(NOAUTH|NOPERM) /;
const noAuth = expect.stringMatching(/^-NOAUTH /) as unknown;
const noPerm = expect.stringMatching(/^-NOPERM /) as unknown;

describe('I21: every command of a node, whoever sends it', () => {
  /** What is not refused. AUTH fails here, and HELLO and LV.HELLO have nothing to say to nobody. */
  const allowed = {
    nobody: ['AUTH', 'QUIT', 'RESET'],
    known: ['AUTH', 'QUIT', 'RESET', 'HELLO', 'LV.HELLO', 'CLIENT', 'COMMAND', 'CONFIG', 'ECHO', 'PING', 'SELECT'],
  };
  const may: Readonly<Record<string, readonly string[]>> = {
    nobody: allowed.nobody,
    'a user without rights': allowed.known,
    'a reader of another namespace': allowed.known,
    'a writer, administrator, operator and auditor': allowed.known,
    'a reader': [...allowed.known, 'LV.READ', 'LV.RANGE'],
    'a process of the cluster': names,
  };
  const grants: Readonly<Record<string, readonly object[]>> = {
    'a user without rights': [],
    'a reader of another namespace': [{ right: 'read', namespaces: 'other' }],
    'a writer, administrator, operator and auditor': [
      ...['write', 'admin'].map((right) => ({ right, namespaces: '**' })),
      ...['operate', 'audit'].map((right) => ({ right })),
    ],
    'a reader': [onShop],
  };

  it.each(Object.keys(may))('%s', async (who) => {
    const { nodeId, storeId } = nodes.get('plain')!.identity;
    const of = grants[who];
    const name = of && (await user(of));
    for (const command of names) {
      const caller = name === undefined ? await Caller.open() : await Caller.as(name);
      if (who === 'a process of the cluster')
        expect(await caller.ask(...nodeHello('', { nodeId, storeId }, clusterKey))).toBe('a frame');
      // LV.HELLO names nobody, so that a user may stay who it is.
      const sent =
        command === 'LV.HELLO' && who !== 'a process of the cluster' ? ['LV.HELLO', '', '', ''] : whole(command);
      const reply =
        command === 'LV.HELLO' && who === 'a process of the cluster' ? 'a frame' : await caller.ask(...sent);
      expect([who, command, refused.test(reply)]).toEqual([who, command, !may[who]!.includes(command)]);
    }
  });

  it('says of no namespace whether it exists, and gives no chunk of another one', async () => {
    const caller = await Caller.as(await user());
    for (const namespace of ['other', 'nowhere', 'other#1', ''])
      expect([namespace, await caller.ask(...read(namespace))]).toEqual([namespace, noPerm]);
    expect(await caller.ask(...range('other'))).toEqual(noPerm);
    expect(await caller.ask(...range('nowhere', { chunkId: chunkOf('other') }))).toEqual(noPerm);
    // It may read shop, and names a chunk that is not of shop.
    expect(await caller.ask(...range('shop', { chunkId: chunkOf('other') }))).toMatch(/^-LVMOVED \d+ null$/);
    expect(await caller.ask(...range('shop', { chunkId: 'shop#9/c1' }))).toMatch(/^-LVMOVED \d+ null$/);
  });

  it('gives a reader values and pages, byte by byte', async () => {
    const caller = await Caller.as(await user());
    const [one, page] = [read('shop'), range('shop')];
    caller.write(one, page);
    const replies = await caller.after(3);
    const value = new ReadReply(replies[1] as Buffer, sealOfCommand(one));
    expect([value.next(), value.value().toString()]).toEqual([true, 'value of shop']);
    const { items } = parseRangeReply(replies[2] as Buffer, sealOfCommand(page));
    expect(items.map(({ key, value }) => `${key.toString()}=${value.toString()}`)).toEqual(['k=value of shop']);
  });
});

describe('I21: before and after AUTH at a node', () => {
  it('does nothing of what was sent behind an AUTH that fails, in no form', async () => {
    const name = await user([onShop, { right: 'operate' }]);
    const failing: Command[] = [
      ['AUTH', name, 'wrong'],
      ['AUTH', 'wrong'],
      ['AUTH', name, password, 'more'],
      ['HELLO', '3', 'AUTH', name, 'wrong'],
      ['HELLO', '3', 'AUTH', name, password, 'BADOPTION'],
      ['HELLO', '9', 'AUTH', name, password],
      ['LV.HELLO', '', '', '', 'wrong'],
    ];
    for (const each of failing) {
      // Its password was right once, so that no attempt before keeps it waiting.
      const caller = await Caller.as(name);
      caller.write(each, copy('shop'), read('shop'), range('shop'), 'lv.stat\r\n', 'LV.GET shop k\r\n', ['PING']);
      const replies = (await caller.after(8)).map(shown);
      expect([each, replies[1]]).toEqual([each, expect.stringMatching(/^-/)]);
      expect([each, replies.slice(2)]).toEqual([each, Array.from({ length: 6 }, () => noAuth)]);
      expect(await caller.ask('AUTH', name, password)).toBe('OK');
      expect(await caller.ask(...read('shop'))).toBe('a frame');
    }
  });

  it('carries out nothing for users that is for the cluster, however it is sent behind AUTH', async () => {
    const name = await user();
    for (const hello of [
      ['AUTH', name, password],
      ['HELLO', '3', 'AUTH', name, password],
      ['HELLO', '2', 'AUTH', name, password, 'SETNAME', 'me'],
    ]) {
      const caller = await Caller.open();
      caller.write(hello, copy('shop'), `lv.get shop k\r\n`, 'LV.WITNESS\r\n', ['LV.STAT'], read('shop'));
      const replies = (await caller.after(6)).map((each, i) => (i === 0 ? '' : shown(each)));
      expect(replies).toEqual(['', noPerm, noPerm, noPerm, noPerm, 'a frame']);
    }
  });

  it('is nobody after RESET, and who a user is LV.HELLO does not change', async () => {
    const caller = await Caller.as(await user());
    const { nodeId, storeId } = nodes.get('plain')!.identity;
    expect(await caller.ask('LV.HELLO', '', nodeId, storeId)).toBe('a frame');
    expect(await caller.ask('LV.HELLO', '', 'n9', '')).toMatch(/^-LVWRONGNODE/);
    expect(await caller.ask(...copy('shop'))).toEqual(noPerm);
    expect(await caller.ask(...read('shop'))).toBe('a frame');
    expect(await caller.ask('RESET')).toBe('RESET');
    expect(await caller.ask(...read('shop'))).toEqual(noAuth);
  });

  it('a process of the cluster that fails AUTH is one no more', async () => {
    const caller = await Caller.open();
    const { nodeId, storeId } = nodes.get('plain')!.identity;
    expect(await caller.ask(...nodeHello('', { nodeId, storeId }, clusterKey))).toBe('a frame');
    expect(await caller.ask('LV.STAT')).toBe('a frame');
    expect(await caller.ask('AUTH', 'nobody-there', 'wrong-secret')).toMatch(/^-WRONGPASS/);
    expect(await caller.ask('LV.STAT')).toEqual(noAuth);
  });
});

describe('I21: what is taken away is gone at once at a node, on open connections', () => {
  it.each<readonly [what: string, kind: string, payload: object, reply: RegExp]>([
    ['a right', 'RevokeRights', { grants: [onShop] }, /^-NOPERM user u\d+ has not the right read in namespace 'shop'$/],
    ['the user, for a while', 'AlterUser', { state: 'disabled' }, /^-NOAUTH/],
    ['the user', 'DeleteUser', {}, /^-NOAUTH/],
    ['the password', 'AlterUser', { passwordHash: null }, /^-NOAUTH/],
  ])('%s: also for what waits', async (_what, kind, payload, reply) => {
    const name = await user();
    const caller = await Caller.as(name);
    expect(await caller.ask(...read('shop'))).toBe('a frame');
    const waits = { deadlineMs: 20_000 };
    const later = Number((await cluster.log.offsets(cluster.place('shop', 'k').binlog))[0]!.endOffset) + 1;
    caller.write(read('shop', { ...waits, minOffset: later }), range('shop', { ...waits, nextOffset: later }));
    caller.write(['PING']);
    await order(kind, { name, ...payload });
    await cluster.append('shop', 'k', 'value of shop');
    const replies = (await caller.after(5)).map(shown);
    expect(replies.slice(2, 4)).toEqual([expect.stringMatching(reply), expect.stringMatching(reply)]);
    expect(await caller.ask(...read('shop'))).toMatch(reply);
    expect(await caller.ask(...range('shop'))).toMatch(reply);
    if (kind !== 'RevokeRights') expect(await (await Caller.open()).ask('AUTH', name, password)).toMatch(/^-WRONGPASS/);
  });

  it('I16: reads of users that wait are few, so that others find a place to wait', async () => {
    const name = await user();
    const [many, other] = [await Caller.as(name), await Caller.as(name)];
    const never = { minOffset: 2 ** 50, deadlineMs: 60_000 };
    many.write(...Array.from({ length: 64 }, () => read('shop', never)));
    await until('the first ones waiting', () => Number(nodes.get('plain')!.stats()['waits']) >= 64);
    expect(await other.ask(...read('shop', never))).toBe('a frame');
    expect([many.replies.length, (await many.after(65)).length]).toEqual([1, 65]);
  });

  it('a token', async () => {
    const name = await user();
    const { token, kept } = newToken(name);
    await order('CreateToken', { name, ...kept });
    const caller = await Caller.open();
    expect(await caller.ask('AUTH', name, token)).toBe('OK');
    expect(await caller.ask(...read('shop'))).toBe('a frame');
    expect(await (await Caller.open()).ask('AUTH', 'u1', token)).toMatch(/^-WRONGPASS/);
    await order('RevokeToken', { name, tokenId: kept.tokenId });
    expect(await caller.ask(...read('shop'))).toEqual(noAuth);
  });
});

describe('I21: certificates at a node', () => {
  const others = new TestAuthority('others');

  it('prove who somebody is, until the user ends', async () => {
    const name = await user();
    const caller = await Caller.open('TLS', authority.issue({ name, usages: ['client'] }));
    expect(await caller.ask(...read('shop'))).toBe('a frame');
    expect(await caller.ask(...copy('shop'))).toEqual(noPerm);
    expect(await caller.ask('AUTH', name, 'wrong')).toMatch(/^-WRONGPASS/);
    expect(await caller.ask(...read('shop'))).toEqual(noAuth);
    expect(await caller.ask('RESET')).toBe('RESET');
    expect(await caller.ask(...read('shop'))).toBe('a frame');
    await order('AlterUser', { name, state: 'disabled' });
    expect(await caller.ask(...read('shop'))).toEqual(noAuth);
  });

  it.each<readonly [what: string, certificate: () => Promise<Certified> | Certified]>([
    ['of nobody', () => authority.issue({ name: 'nobody-there', usages: ['client'] })],
    ['of another authority', async () => others.issue({ name: await user() })],
    ['of a process of another cluster', () => others.issue({ name: 'levee' })],
    ['with two names', async () => authority.issue({ name: [await user(), 'x'] })],
    ['of a server', async () => authority.issue({ name: await user(), usages: ['server'] })],
  ])('%s prove nothing', async (_what, certificate) => {
    const caller = await Caller.open('TLS', await certificate());
    for (const command of [read('shop'), range('shop'), copy('shop'), ['PING']] as const)
      expect(await caller.ask(...command)).toEqual(noAuth);
  });

  it('of a process of the cluster prove that it is one', async () => {
    const caller = await Caller.open('TLS', authority.issue({ name: 'levee' }));
    expect(await caller.ask('LV.STAT')).toBe('a frame');
  });
});

it('I21: a node that is cut off from the log believes users as long as it was told, and nobody after that', async () => {
  const name = await user();
  const node = nodes.get('plain')!;
  const caller = await Caller.as(name);
  // Time passes all at once, and what comes from the log next makes it young again: asked before that can come.
  const askedAfter = async (ms: number): Promise<string> => {
    expect(node.view.unheardMs).toBeLessThan(60_000);
    passedMs += ms;
    const found = await node.authenticator?.byPassword(name, password, '127.0.0.1').then(
      (principal) => principal?.problem ?? 'believed',
      (error: Error) => error.message,
    );
    await until('the log being heard again', () => node.view.unheardMs < 5_000);
    return found ?? 'nobody';
  };
  expect(await askedAfter(500_000)).toBe('believed');
  expect(await askedAfter(700_000)).toMatch(/not heard from the log for \d+ s.*LEVEE_USERS_BELIEVED/);
  expect(await caller.ask(...read('shop'))).toBe('a frame');
  expect(node.stats()['auth']).toMatchObject({ usersBelievedMs: 600_000, usersAgeMs: expect.any(Number) as number });
});

it('where nobody is asked who he is AUTH changes nothing', async () => {
  await cluster.node('n3');
  for (const args of [['AUTH', 'anybody', 'anything'], ['HELLO', '2', 'AUTH', 'anybody', 'anything'], ['LV.STAT']])
    expect(await cluster.send('n3', args)).not.toBeInstanceOf(RespError);
});
