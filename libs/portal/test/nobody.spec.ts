import net from 'node:net';
import tls from 'node:tls';
import { hashPassword, newToken } from '@levee/auth';
import { silentLogger, type Clock } from '@levee/kernel';
import { systemClock } from '@levee/log';
import { doorCommands, type Portal } from '@levee/portal';
import { encodeCommand, systemNetwork, TlsNetwork, type Network, type TlsIdentity } from '@levee/wire';
import { TestAuthority, type Certified } from '../../../test/support/certificates';
import { ownAddress } from '../../../test/support/own-address';
import { TestCluster, until } from './test-cluster';

jest.setTimeout(60_000);

const authority = new TestAuthority();
const server = authority.issue({ name: 'portal', hosts: ['127.0.0.1'] });
const certificateOf = (name: string): Certified => authority.issue({ name, usages: ['client'] });

/** Doors speak TLS and ask for certificates; nodes are called as they are. */
function secured(): Network {
  const pair = { cert: server.cert, key: server.key };
  const calling = { secureContext: tls.createSecureContext({ ca: authority.cert }) };
  const serving = { ...pair, ca: authority.cert, requestCert: true, rejectUnauthorized: false };
  const identity: TlsIdentity = { serving, calling, callingAsStranger: calling, onChange: () => () => undefined };
  const { listen } = new TlsNetwork(identity, { logger: silentLogger, clock: systemClock });
  return { listen, connect: systemNetwork.connect };
}

let cluster: TestCluster;
const portals = new Map<'plain' | 'TLS', Portal>();
const sockets: net.Socket[] = [];
/** Added to what the clock of the portals says since the start: how they come to be cut off. */
let passedMs = 0;
const clock: Clock = { nowMs: systemClock.nowMs, monotonicMs: () => systemClock.monotonicMs() + passedMs };

async function order(kind: string, payload: object): Promise<void> {
  await cluster.order(kind, payload);
  const all = [...portals.values()];
  await until('the portals hearing of it', () => all.every(({ view }) => view.seq >= cluster.view.seq));
}

const everything = [
  { right: 'operate' },
  { right: 'audit' },
  ...['read', 'write', 'admin'].map((right) => ({ right, namespaces: '**' })),
];
const password = 'right-secret-1';
const made = { number: 0 };

/** Somebody who may do everything. */
async function user(): Promise<string> {
  const name = `u${++made.number}`;
  await order('CreateUser', { name, grants: everything, passwordHash: await hashPassword(password) });
  return name;
}

beforeAll(async () => {
  cluster = await TestCluster.start(1);
  await cluster.namespace('default');
  const own = { authenticates: true, usersBelievedMs: 600_000 };
  portals.set('plain', await cluster.portal(own, silentLogger, clock));
  portals.set('TLS', await cluster.portal(own, silentLogger, clock, secured()));
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});
afterAll(() => cluster?.close());

/** A connection whose bytes a test writes itself. Replies are told apart by the lines that begin them. */
class RawConnection {
  private got = '';

  private constructor(private readonly socket: net.Socket) {
    socket.on('data', (piece: Buffer) => (this.got += piece.toString('latin1')));
    socket.on('error', () => undefined);
  }

  static open(wire: 'plain' | 'TLS', certificate?: Certified): Promise<RawConnection> {
    const { respPort: port } = portals.get(wire) as Portal;
    const host = '127.0.0.1';
    const pair = certificate && { cert: certificate.cert, key: certificate.key };
    const at = { port, host, localAddress: ownAddress() };
    return new Promise((resolve, reject) => {
      const socket =
        wire === 'plain'
          ? net.connect(at, () => resolve(new RawConnection(socket)))
          : tls.connect({ ...at, ca: authority.cert, ...pair }, () => resolve(new RawConnection(socket)));
      socket.once('error', reject);
      sockets.push(socket);
    });
  }

  write(bytes: string | readonly Buffer[]): void {
    this.socket.write(typeof bytes === 'string' ? bytes : Buffer.concat(bytes));
  }

  /** First lines of the replies so far, where each is one line: an error, or a simple one. */
  async lines(count: number): Promise<string[]> {
    await until(`${count} replies, after ${JSON.stringify(this.got.slice(-200))}`, () => this.parts().length >= count);
    return this.parts();
  }

  private parts(): string[] {
    return this.got.split('\r\n').filter((line) => /^[+\-:]/.test(line));
  }
}

const command = (...args: string[]): readonly Buffer[] => [...encodeCommand(args)];
/** Words that change who somebody is, or end the connection: their own tests are elsewhere. */
const own = new Set(['AUTH', 'HELLO', 'QUIT', 'RESET']);
const names = [...doorCommands.values()].filter(({ name }) => !own.has(name));
const whole = ({ name, arity }: (typeof names)[number]): string[] => [
  name,
  ...Array.from({ length: Math.abs(arity) - 1 }, (_, i) => (name === 'LV.USE' ? 'default' : `x${i}`)),
];

/** How a connection comes to be nobody's, though it may have been somebody's: what is sent, and how many replies come. */
type Nobody = (connection: RawConnection) => Promise<number>;

const nobodies: readonly (readonly [what: string, become: Nobody])[] = [
  ['before AUTH', () => Promise.resolve(0)],
  [
    'after a failed AUTH',
    async (connection) => {
      connection.write(command('AUTH', await user(), 'wrong'));
      return 1;
    },
  ],
  [
    'after a failed AUTH of somebody',
    async (connection) => {
      const name = await user();
      connection.write(command('AUTH', name, password));
      expect(await connection.lines(1)).toEqual(['+OK']);
      connection.write(command('AUTH', name, 'wrong'));
      return 2;
    },
  ],
  [
    'after a failed HELLO of somebody',
    async (connection) => {
      const name = await user();
      connection.write(command('AUTH', name, password));
      expect(await connection.lines(1)).toEqual(['+OK']);
      connection.write(command('HELLO', '3', 'AUTH', name, 'wrong'));
      return 2;
    },
  ],
  [
    'as a process of the cluster, with a wrong proof',
    (connection) => {
      connection.write(command('AUTH', ':cluster', 'x'.repeat(43)));
      return Promise.resolve(1);
    },
  ],
  [
    'with a token that was revoked',
    async (connection) => {
      const name = await user();
      const { token, kept } = newToken(name);
      await order('CreateToken', { name, ...kept });
      connection.write(command('AUTH', name, token));
      expect(await connection.lines(1)).toEqual(['+OK']);
      await order('RevokeToken', { name, tokenId: kept.tokenId });
      return 1;
    },
  ],
  [
    'with a token that has expired',
    async (connection) => {
      const name = await user();
      // One that is over before it was shown, on a slow machine, tells nothing: the next lives longer.
      for (let [livesMs, replies] = [1_000, 1]; ; livesMs *= 4, replies++) {
        const { token, kept } = newToken(name);
        const expiresAtMs = Date.now() + livesMs;
        await order('CreateToken', { name, ...kept, expiresAtMs });
        connection.write(command('AUTH', name, token));
        const said = (await connection.lines(replies)).at(-1);
        if (said !== '+OK' && Date.now() >= expiresAtMs) continue;
        expect(said).toBe('+OK');
        await until('its end', () => Date.now() > expiresAtMs + 5, livesMs + 15_000);
        return replies;
      }
    },
  ],
  [
    'as a user that was disabled',
    async (connection) => {
      const name = await user();
      connection.write(command('AUTH', name, password));
      expect(await connection.lines(1)).toEqual(['+OK']);
      await order('AlterUser', { name, state: 'disabled' });
      return 1;
    },
  ],
  [
    'as a user that was deleted',
    async (connection) => {
      const name = await user();
      connection.write(command('AUTH', name, password));
      expect(await connection.lines(1)).toEqual(['+OK']);
      await order('DeleteUser', { name });
      return 1;
    },
  ],
];

describe.each(['plain', 'TLS'] as const)('I21: over %s, nobody gets anything', (wire) => {
  it.each(nobodies)('%s: no command, in no form', async (_what, become) => {
    const connection = await RawConnection.open(wire);
    let replies = await become(connection);
    await connection.lines(replies);
    const isRefused = async (bytes: string | readonly Buffer[], what: string): Promise<void> => {
      connection.write(bytes);
      const lines = await connection.lines(++replies);
      expect([what, lines.length, lines.at(-1)]).toEqual([what, replies, expect.stringMatching(/^-NOAUTH /)]);
    };
    for (const each of names) await isRefused(command(...whole(each)), each.name);
    for (const each of names) await isRefused(`${whole(each).join(' ').toLowerCase()}\r\n`, `inline ${each.name}`);
    // All in one write: none is carried out as somebody else.
    connection.write(names.flatMap((each) => command(...whole(each))));
    const lines = (await connection.lines(replies + names.length)).slice(replies);
    expect(lines.filter((line) => !line.startsWith('-NOAUTH '))).toEqual([]);
    for (const hello of ['HELLO', 'HELLO 2', 'HELLO 3', 'HELLO 3 SETNAME x']) {
      connection.write(`${hello}\r\n`);
      replies = (await connection.lines(replies + 1)).length;
    }
    expect((await connection.lines(replies)).slice(-4).filter((line) => !/^-NOAUTH /.test(line))).toEqual([]);
  });

  it('nor what was sent behind an AUTH that fails, whatever was before it', async () => {
    const name = await user();
    const connection = await RawConnection.open(wire);
    const behind = names.filter((each) => each.name !== 'CLIENT').slice(0, 20);
    connection.write([
      ...command('AUTH', name, password),
      ...command('SET', `${wire}-before`, 'v'),
      ...command('AUTH', name, 'wrong'),
      ...command('SET', `${wire}-behind`, 'v'),
      ...behind.flatMap((each) => command(...whole(each))),
    ]);
    const lines = await connection.lines(4 + behind.length);
    expect(lines.slice(0, 3)).toEqual(['+OK', '+OK', expect.stringMatching(/^-WRONGPASS/)]);
    expect(lines.slice(3).filter((line) => !line.startsWith('-NOAUTH '))).toEqual([]);
    const reader = await RawConnection.open(wire);
    reader.write([...command('AUTH', name, password), ...command('EXISTS', `${wire}-before`, `${wire}-behind`)]);
    expect((await reader.lines(2))[1]).toBe(':1');
  });
});

describe('I21: certificates', () => {
  const others = new TestAuthority('others');
  it.each<readonly [what: string, certificate: () => Promise<Certified> | Certified]>([
    ['of nobody', () => certificateOf('nobody-there')],
    ['of another authority', async () => others.issue({ name: await user() })],
    ['with two names', async () => authority.issue({ name: [await user(), 'x'] })],
    ['of a server', async () => authority.issue({ name: await user(), usages: ['server'] })],
    ['that has ended', async () => authority.issue({ name: await user(), notAfter: new Date(Date.now() - 1_000) })],
  ])('%s prove nothing', async (_what, certificate) => {
    const connection = await RawConnection.open('TLS', await certificate());
    connection.write(names.flatMap((each) => command(...whole(each))));
    const lines = await connection.lines(names.length);
    expect(lines.filter((line) => !line.startsWith('-NOAUTH '))).toEqual([]);
  });

  it('prove who somebody is, until they end, or the user does', async () => {
    const name = await user();
    const notAfter = new Date(Math.ceil(Date.now() / 1000) * 1000 + 5_000);
    const connection = await RawConnection.open('TLS', authority.issue({ name, usages: ['client'], notAfter }));
    connection.write(command('EXISTS', 'k'));
    expect(await connection.lines(1)).toEqual([':0']);
    await until('its end', () => Date.now() > notAfter.getTime() + 5);
    connection.write(command('EXISTS', 'k'));
    expect((await connection.lines(2))[1]).toMatch(/^-NOAUTH /);
    const next = await RawConnection.open('TLS', certificateOf(name));
    next.write(command('EXISTS', 'k'));
    expect(await next.lines(1)).toEqual([':0']);
    await order('AlterUser', { name, state: 'disabled' });
    next.write([...command('EXISTS', 'k'), ...command('RESET'), ...command('EXISTS', 'k')]);
    expect(await next.lines(4)).toEqual([
      ':0',
      expect.stringMatching(/^-NOAUTH /),
      '+RESET',
      expect.stringMatching(/^-NOAUTH /),
    ]);
  });
});

it('I21: a portal that is cut off from the log believes users as long as it was told, and nobody after that', async () => {
  const name = await user();
  const portal = portals.get('plain') as Portal;
  const connection = await RawConnection.open('plain');
  connection.write([...command('AUTH', name, password), ...command('EXISTS', 'k')]);
  expect(await connection.lines(2)).toEqual(['+OK', ':0']);
  // Time passes all at once, and what comes from the log next makes it young again: asked before that can come.
  const askedAfter = async (ms: number): Promise<string> => {
    const { unheardMs } = portal.view;
    expect(unheardMs).toBeLessThan(60_000);
    passedMs += ms;
    const { problem } = (await portal.authenticator?.byPassword(name, password, '127.0.0.1').then(
      (principal) => principal ?? { problem: 'nobody' },
      (error: Error) => ({ problem: error.message }),
    )) as { readonly problem: string | undefined };
    await until('the log being heard again', () => portal.view.unheardMs < 5_000);
    return problem ?? 'believed';
  };
  expect(await askedAfter(500_000)).toBe('believed');
  expect(await askedAfter(700_000)).toMatch(/not heard from the log for \d+ s.*LEVEE_USERS_BELIEVED/);
  connection.write(command('EXISTS', 'k'));
  expect((await connection.lines(3))[2]).toBe(':0');
  expect(portal.stats()['auth']).toMatchObject({ usersBelievedMs: 600_000, usersAgeMs: expect.any(Number) as number });
});
