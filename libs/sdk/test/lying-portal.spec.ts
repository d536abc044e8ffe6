import { eventually } from '../../../test/support/deadline';
import { dice, full, seed } from '../../../test/support/seed';
import { ScriptedPortal } from './scripted-portal';
import { type Client, connect, LeveeError, type Namespace, utf8 } from '@levee/sdk';

const rounds = full ? 400 : 20;
const atOnce = 5;
const deadlineMs = 200;

/** Replies that are well formed, of every type, and of sizes that nobody has. */
const replies = [
  ...[
    '+OK\r\n',
    '+0:1\r\n',
    '+nowhere\r\n',
    ':1\r\n',
    ':-9223372036854775808\r\n',
    '$-1\r\n',
    '$0\r\n\r\n',
    '*-1\r\n',
    '*0\r\n',
  ],
  ...[
    '_\r\n',
    '#t\r\n',
    ',nan\r\n',
    '(99999999999999999999\r\n',
    '%1\r\n+a\r\n+b\r\n',
    '~1\r\n:1\r\n',
    '>2\r\n+x\r\n+y\r\n',
  ],
  ...[
    '-ERR no\r\n',
    '-LVMOVED 1 2\r\n',
    '-LVPENDING 0:1 x\r\n',
    '-LVINDEFINITE\r\n',
    '-\r\n',
    '-LVANEW \r\n',
    '-NOAUTH x\r\n',
  ],
  ...[
    '*3\r\n$1\r\nv\r\n+0:1\r\n:0\r\n',
    '*3\r\n$1\r\nv\r\n+x:y\r\n:0\r\n',
    '*3\r\n:1\r\n:2\r\n:3\r\n',
    '*3\r\n$-1\r\n+0:1\r\n:-5\r\n',
  ],
  ...[
    '*3\r\n$1\r\nv\r\n+9:1\r\n:9007199254740993\r\n',
    '*1\r\n*1\r\n*1\r\n:1\r\n',
    '*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n',
  ],
  ...[
    '$99999999999\r\n',
    '*1000000000\r\n',
    '%-7\r\n',
    'HTTP/1.1 400 Bad Request\r\n\r\n',
    '\r\n',
    '\0\0\0\0',
    '$5\r\nabc',
    '!3\r\nERR\r\n',
  ],
] as const;

/** What is thrown is one of ours, or says what was wrong with what was given. */
function nameOf(error: unknown): string {
  if (!(error instanceof LeveeError) && !(error instanceof RangeError)) throw error;
  return error.name;
}

describe('what is no answer to a request', () => {
  let portal: ScriptedPortal;
  let client: Client;

  async function answering(reply: string): Promise<Namespace<string>> {
    portal = await ScriptedPortal.start(() => reply);
    client = await eventually('a client', () => connect({ portals: [portal.name], deadlineMs: 1_000 }));
    return client.namespace('shop.orders').typed(utf8);
  }

  afterEach(async () => {
    await client.close();
    await portal.close();
  });

  it.each([':1\r\n', '+OK\r\n', '$3\r\n0:1\r\n', '*1\r\n+0:1\r\n', '_\r\n', '+0:-1\r\n'])(
    'to a write, %j, leaves it unknown',
    async (reply) => {
      const keys = await answering(reply);
      await expect(keys.put('k', 'v')).rejects.toMatchObject({ kind: 'indefinite' });
      await expect(keys.delete('k')).rejects.toMatchObject({ kind: 'indefinite' });
    },
  );

  it.each(['_\r\n', '+v\r\n', '*3\r\n:1\r\n+0:1\r\n:0\r\n', '*3\r\n$1\r\nv\r\n+0:1\r\n:-1\r\n', '*0\r\n'])(
    'to a read, %j, is neither a value nor the word that there is none',
    async (reply) => {
      const keys = await answering(reply);
      await expect(keys.get('k')).rejects.toMatchObject({ name: 'UnavailableError' });
    },
  );

  it('to a page, one that leads to where it began, does not make a scan that never ends', async () => {
    const keys = await answering('*2\r\n$0\r\n\r\n:0\r\n');
    await expect(keys.scan().next()).rejects.toMatchObject({ name: 'UnavailableError' });
  });

  it('to a watch is told, and asked for again', async () => {
    const keys = await answering('*2\r\n+log\r\n+here\r\n');
    await expect(keys.watch()).rejects.toMatchObject({ name: 'UnavailableError' });
    portal.script = (words) =>
      words[1] === 'NOW' ? '*2\r\n+log\r\n+0:1\r\n' : '*6\r\n*1\r\n+0:2\r\n$1\r\nk\r\n$1\r\nv\r\n+0:2\r\n:1\r\n:0\r\n';
    const watch = await keys.watch({ deadlineMs: 15_000 });
    for await (const change of watch) {
      expect(change).toMatchObject({ key: 'k', value: 'v' });
      break;
    }
  });
});

/**
 * Whoever answers may be no portal, or one that is broken. A client says so, within its deadline; nothing that is not there
 * is made up for it, and its process goes on.
 */
it(
  `answers at random end every operation with a value or an error that says what is known (seed ${seed})`,
  async () => {
    const random = dice(seed);
    const any = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
    const uncaught: unknown[] = [];
    const note = (error: unknown): void => void uncaught.push(error);
    process.on('uncaughtException', note);
    process.on('unhandledRejection', note);
    const portal = await ScriptedPortal.start(() => any(replies));
    const client = await eventually('a client', () => connect({ portals: [portal.name], deadlineMs }));
    const keys = client.namespace('shop.orders').typed(utf8);
    const outcomes = new Set<string>();
    let slowestMs = 0;
    const drain = async (items: AsyncIterable<unknown>): Promise<unknown> => {
      let count = 0;
      for await (const each of items) if (each !== undefined && ++count > 50) break;
      return count;
    };
    const operations: Record<string, () => Promise<unknown>> = {
      get: () => keys.get('k'),
      entry: () => keys.entry('k'),
      getMany: () => keys.getMany(['a', 'b', 'c']),
      put: () => keys.put('k', 'v'),
      delete: () => keys.delete('k'),
      putMany: () =>
        keys.putMany([
          ['a', '1'],
          ['b', '2'],
        ]),
      scan: () => drain(keys.scan({ deadlineMs })),
      keys: () => drain(keys.keys({ deadlineMs })),
      where: () => keys.where('k'),
      status: () => keys.status(),
      join: () => keys.join('not a token'),
    };
    try {
      for (let i = 0; i < rounds; i++) {
        // What comes after another reply may belong to another request: a connection is of one lie.
        if (random() < 0.7) portal.cut();
        if (random() < 0.2) portal.useAnswer = any(replies);
        if (random() < 0.2) portal.helloAnswer = any(replies);
        if (random() < 0.5) Object.assign(portal, { useAnswer: '+OK\r\n', helloAnswer: '%0\r\n' });
        await Promise.all(
          Array.from({ length: atOnce }, async () => {
            const [name, run] = any(Object.entries(operations));
            const began = performance.now();
            const outcome = await run().then(() => 'a value', nameOf);
            slowestMs = Math.max(slowestMs, performance.now() - began);
            outcomes.add(`${name}: ${outcome}`);
          }),
        );
      }
    } finally {
      await client.close();
      await portal.close();
      process.off('uncaughtException', note);
      process.off('unhandledRejection', note);
    }
    expect(uncaught).toEqual([]);
    // A page of a scan has the deadline, and a machine that is busy adds its own.
    expect(slowestMs).toBeLessThan(deadlineMs * 50);
    // It was lied to in many ways, and not only by silence.
    expect(outcomes.size).toBeGreaterThan(12);
  },
  120_000 + rounds * deadlineMs,
);
