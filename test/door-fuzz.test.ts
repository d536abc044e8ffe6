import net from 'node:net';
import { ClusterKey, hashPassword } from '@levee/auth';
import type { DataNode } from '@levee/data-node';
import { doorCommands, type Portal } from '@levee/portal';
import { copyOpenCommand, encodeCommand, rangeCommand, readCommand, ReadEntriesWriter } from '@levee/wire';
import fc from 'fast-check';
import { nodeCommandAccess } from '../libs/data-node/src/service/node-service';
import { TestCluster, until } from '../libs/portal/test/test-cluster';
import { full, seed } from './support/seed';

const durationMs = full ? 60_000 : 2_000;
const leastTried = 120;
const canaries = 20;
const canaryValue = (i: number): string => `canary-value-${i}.`;

let cluster: TestCluster;
let portal: Portal;
let node: DataNode;

beforeAll(async () => {
  cluster = await TestCluster.start(1, undefined, undefined, ClusterKey.random());
  await cluster.namespace('default', { flush: 'sweep' });
  await cluster.namespace('other');
  portal = await cluster.portal({ authenticates: true });
  node = cluster.nodes.get('n1') as DataNode;
  const on = (right: string, namespaces = 'default') => ({ right, namespaces });
  const users = {
    keeper: [on('read'), on('write')],
    nothing: [],
    reader: [on('read')],
    stranger: [on('read', 'other')],
  };
  for (const [name, grants] of Object.entries(users))
    await cluster.order('CreateUser', { name, grants, passwordHash: await hashPassword(`${name}-secret-1`) });
  await until('the doors hearing of it', () => [portal, node].every(({ view }) => view.seq >= cluster.view.seq));
}, 60_000);
afterAll(() => cluster?.close());

const text = (words: readonly string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word, 'latin1')}\r\n${word}\r\n`).join('')}`;

/** Of what may be said of keys and users: the more likely to hit something, the better. */
const word = fc.oneof(
  fc.constantFrom(
    ...['canary1', 'canary2', 'default', 'other', 'keeper', 'nothing', ':cluster', '*', '0', '1', '-1', 'EX', 'NX', ''],
  ),
  fc.constantFrom('LIST', 'GET', 'KILL', 'SETNAME', 'AUTH', 'keeper-secret', 'keeper@default', 'ID', 'COUNT', 'MATCH'),
  fc.string({ maxLength: 20 }),
  fc.nat(70_000).map((n) => 'x'.repeat(n % 3_000)),
);

type Pieces = fc.Arbitrary<string>;

/** Commands of a door, whole, inline and broken. */
function piecesOf(names: readonly string[], own: Pieces): Pieces {
  const command = fc.tuple(fc.constantFrom(...names), fc.array(word, { maxLength: 6 }));
  return fc.oneof(
    { weight: 6, arbitrary: command.map(([name, args]) => text([name, ...args])) },
    { weight: 3, arbitrary: command.map(([name, args]) => `${[name.toLowerCase(), ...args].join(' ')}\r\n`) },
    { weight: 3, arbitrary: own },
    { weight: 1, arbitrary: fc.string({ maxLength: 60 }) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('*1000000\r\n', '$999999999\r\n', '*-1\r\n', '\r\n\r\n', '*2\r\n$3\r\nGET\r\n'),
    },
  );
}

const portalPieces = piecesOf(
  [...doorCommands.keys()].filter((name) => name !== 'QUIT'),
  fc.constantFrom(
    ...['MULTI', 'EXEC', 'DISCARD', 'RESET', 'HELLO 3'].map((line) => `${line}\r\n`),
    ...['GET canary1', 'MGET canary1 canary2', 'LV.GET canary3', 'SCAN 0'].map((line) => `${line}\r\n`),
  ),
);

const bytes = (command: readonly (string | Buffer)[]): string =>
  Buffer.concat([...encodeCommand(command)]).toString('latin1');

/** Requests that are right but for who sends them, some with a byte or two changed. */
function framePieces(): Pieces {
  const chunks = ['default', 'other'].flatMap((name) => [...cluster.view.state.chunksOf(name)]);
  const at = { tableVersion: 0, maxAgeMs: -1, nowMs: Date.now(), deadlineMs: 20 };
  const empty = Buffer.alloc(0);
  const namespace = fc.constantFrom('default', 'default', 'other', 'nowhere', 'default#1', '');
  const chunk = fc.constantFrom(...chunks);
  const read = fc.tuple(namespace, fc.nat(3), fc.integer({ min: 1, max: canaries })).map(([name, slot, key]) => {
    const entries = new ReadEntriesWriter();
    entries.add(slot, 0, Buffer.from(`canary${key}`));
    return bytes(readCommand({ namespace: name, ...at }, entries));
  });
  const range = fc.tuple(namespace, chunk).map(([name, { chunkId }]) => {
    const page = { from: empty, to: empty, limit: 100, bytesMax: 1 << 20, keysOnly: false, positions: [] };
    return bytes(rangeCommand({ namespace: name, chunkId, ...at, ...page }));
  });
  const copy = fc
    .tuple(namespace, chunk)
    .map(([name, { chunkId, slotStart, slotEnd }]) =>
      bytes(copyOpenCommand({ namespace: name, chunkId, slotStart, slotEnd, after: empty })),
    );
  const bent = fc.tuple(fc.oneof(read, range, copy), fc.nat(), fc.nat(255)).map(([whole, place, byte]) => {
    const bytes = Buffer.from(whole, 'latin1');
    bytes[place % bytes.length] = byte;
    return bytes.toString('latin1');
  });
  return fc.oneof(read, range, copy, bent, fc.constantFrom('RESET\r\n', 'HELLO 3\r\n', 'LV.HELLO\r\n'));
}

/** One of many addresses of this machine: guesses of one are slowed down until nothing is tried any more. */
const addressOf = (n: number): string =>
  process.platform === 'linux' ? `127.${1 + (n % 250)}.${1 + (Math.floor(n / 250) % 250)}.9` : '127.0.0.1';

interface Stream {
  readonly port: number;
  readonly from: string;
  readonly pieces: readonly string[];
  readonly cuts: readonly number[];
}

/** Sends all of it in pieces; what came back until the door was done with it, or hung up. */
function exchange({ port, from, pieces, cuts }: Stream): Promise<string> {
  const bytes = Buffer.from(pieces.join(''), 'latin1');
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1', localAddress: from, allowHalfOpen: true });
    let got = '';
    const timer = setTimeout(() => socket.destroy(), 30_000);
    socket.on('data', (data: Buffer) => (got += data.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(got);
    });
    const edges = [...new Set([0, ...cuts.filter((cut) => cut < bytes.length), bytes.length])].sort((a, b) => a - b);
    for (let i = 1; i < edges.length; i++) socket.write(bytes.subarray(edges[i - 1], edges[i]));
    // The door answers what there was, and then ends its side too.
    socket.end();
    socket.on('end', () => socket.end());
  });
}

const doors = {
  portal: { port: () => portal.respPort, stats: () => portal.stats(), pieces: () => portalPieces },
  node: {
    port: () => node.respPort,
    stats: () => node.stats(),
    pieces: () => piecesOf([...Object.keys(nodeCommandAccess).filter((name) => name !== 'QUIT'), 'SET'], framePieces()),
  },
} as const;

async function fuzz(
  door: keyof typeof doors,
  first: string,
  judge: (got: string, sent: readonly string[]) => void,
): Promise<void> {
  const gc = globalThis.gc;
  if (gc === undefined) throw new Error('run node with --expose-gc, as npm test does');
  const { port, stats, pieces } = doors[door];
  const stream = fc.tuple(fc.array(pieces(), { minLength: 1, maxLength: 40 }), fc.array(fc.nat(400), { maxLength: 5 }));
  const connections = (): number => (stats()['resp'] as { connections: number }).connections;
  const { send } = cluster.connect(portal);
  expect(await send('AUTH', 'keeper', 'keeper-secret-1')).toBe('OK');
  for (let i = 1; i <= canaries; i++) expect(await send('SET', `canary${i}`, canaryValue(i))).toBe('OK');
  const keys = await send('DBSIZE');
  const before = connections();
  const heap = (): number => {
    gc();
    return process.memoryUsage().heapUsed;
  };
  const began = performance.now();
  let [tried, heapBefore] = [0, 0];
  for (let batch = 0; performance.now() - began < durationMs || tried < leastTried; batch++) {
    const inputs = fc.sample(stream, { numRuns: 40, seed: seed + batch });
    const answers = await Promise.all(
      inputs.map(([sent, cuts], i) =>
        exchange({ port: port(), from: addressOf(tried + i), pieces: [first, ...sent], cuts }),
      ),
    );
    answers.forEach((got, i) => judge(got, inputs[i]![0]));
    tried += inputs.length;
    // It serves on, and nothing was changed.
    expect(await send('GET', 'canary1')).toBe(canaryValue(1));
    if (heapBefore === 0 && performance.now() - began > durationMs / 3) heapBefore = heap();
  }
  for (let i = 1; i <= canaries; i++) expect(await send('GET', `canary${i}`)).toBe(canaryValue(i));
  expect(await send('DBSIZE')).toBe(keys);
  await until('all being gone', () => connections() <= before);
  expect(heap() - heapBefore).toBeLessThan(15 * 1024 * 1024);
}

describe.each(['portal', 'node'] as const)(
  `I21: fuzzing the RESP door of a %s for ${durationMs / 1000} s each, seed ${seed}`,
  (door) => {
    it(
      'before AUTH: refusals, and nothing else',
      async () => {
        await fuzz(door, '', (got, sent) => {
          const lines = got.split('\r\n').filter((line) => line !== '');
          const other = lines.filter((line) => !/^(-[A-Z]+ |\+RESET$)/.test(line));
          expect({ seed, sent, other }).toEqual({ seed, sent, other: [] });
        });
      },
      durationMs + 60_000,
    );

    it.each(['nothing', 'stranger', 'reader'])(
      'as %s, who may not write: nothing is written, and nothing is read that it may not read',
      async (user) => {
        const login = ['AUTH', user, `${user}-secret-1`];
        // Its password was right once: no attempt of others keeps it waiting.
        const [host, port] = ['127.0.0.1', doors[door].port()];
        const once = await exchange({ port, from: host, pieces: [text(login)], cuts: [] });
        expect(once).toBe('+OK\r\n');
        let values = 0;
        await fuzz(door, text(login), (got, sent) => {
          expect({ seed, first: got.slice(0, 5) }).toEqual({ seed, first: '+OK\r\n' });
          const found = /canary-value-\d+\./.exec(got)?.[0];
          if (user === 'reader') values += found === undefined ? 0 : 1;
          else expect({ seed, sent, found }).toEqual({ seed, sent, found: undefined });
        });
        // What the others did not get was there to be got.
        if (user === 'reader') expect(values).toBeGreaterThan(0);
      },
      durationMs + 60_000,
    );
  },
);
