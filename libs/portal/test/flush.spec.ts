import { FlushSweep, StoreFailure } from '@levee/client';
import { encodePut } from '@levee/codec';
import { asPartition } from '@levee/kernel';
import { hashOf, partitionOf } from '@levee/keyspace';
import { LogFailure, type Log } from '@levee/log';
import { type Portal } from '@levee/portal';
import { TestCluster, until } from './test-cluster';

jest.setTimeout(60_000);

type Send = (...args: (string | Buffer)[]) => Promise<unknown>;

/** What the log does with the n-th deletion that comes to it, from 0. */
let onDeletion: ((n: number) => LogFailure | undefined) | undefined;
let deletions = 0;

/** A log that may refuse deletions, or lose the answer. */
function refusing(log: Log): Log {
  const append: Log['append'] = async (topic, partition, records) => {
    if (onDeletion && records.some(({ value }) => value === null)) {
      const failure = onDeletion(deletions++);
      if (failure) throw failure;
    }
    return log.append(topic, partition, records);
  };
  return new Proxy(log, {
    get: (target, name) => {
      if (name === 'append') return append;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

let cluster: TestCluster;
let portal: Portal;

beforeAll(async () => {
  cluster = await TestCluster.start(2);
  cluster.log = refusing(cluster.log);
  await cluster.namespace('default');
  await cluster.namespace('swept', { flush: 'sweep', multi: 'batch' });
  await cluster.namespace('other', { flush: 'sweep', multi: 'batch' });
  portal = await cluster.portal({
    storeLimits: { scanPageKeys: 200, appendMs: 5_000 },
    respLimits: { halfClosedWaitMs: 300 },
  });
});
afterAll(() => cluster?.close());
beforeEach(() => {
  onDeletion = undefined;
  deletions = 0;
});

async function inNamespace(name: string): Promise<Send> {
  const { send } = cluster.connect(portal);
  expect(await send('LV.USE', name)).toBe('OK');
  return send;
}

const keysOf = async (send: Send): Promise<string[]> => ((await send('KEYS', '*')) as string[]).sort();
const names = (count: number, prefix = 'k'): string[] => Array.from({ length: count }, (_, i) => `${prefix}:${i}`);
const fill = (send: Send, keys: readonly string[]): Promise<unknown> =>
  send('MSET', ...keys.flatMap((key) => [key, 'v']));
const error = (text: string): unknown => expect.stringMatching(new RegExp(`^-${text}`));

it('is refused unless the namespace allows it, and deletes nothing', async () => {
  const send = await inNamespace('default');
  await fill(send, ['a', 'b']);
  for (const name of ['FLUSHDB', 'FLUSHALL'])
    expect(await send(name)).toEqual(
      error(
        `LVUNSUPPORTED ${name}: default does not allow it.* levee namespace alter default --flush sweep allows it, .*docs/redis-differences.md#all-keys-at-once.$`,
      ),
    );
  expect(await keysOf(send)).toEqual(['a', 'b']);
});

it.each([[['FLUSHDB']], [['FLUSHDB', 'SYNC']], [['flushdb', 'async']], [['FLUSHALL']], [['FLUSHALL', 'ASYNC']]])(
  '%j deletes every key of the namespace, and of no other',
  async (command) => {
    const send = await inNamespace('swept');
    const other = await inNamespace('other');
    await fill(other, ['stays']);
    await fill(send, names(1_500));
    await send('SET', 'expiring', 'v', 'EX', '100');
    expect(await send(...command)).toBe('OK');
    expect([await keysOf(send), await send('DBSIZE'), await send('GET', 'k:7')]).toEqual([[], 0, null]);
    expect(await keysOf(await inNamespace('swept'))).toEqual([]);
    expect(await keysOf(other)).toEqual(['stays']);
    expect(await send(...command)).toBe('OK');
  },
);

it.each([[['FLUSHDB', 'NOW']], [['FLUSHDB', 'SYNC', 'ASYNC']], [['FLUSHALL', '']]])(
  '%j is a syntax error and deletes nothing',
  async (command) => {
    const send = await inNamespace('swept');
    await send('SET', 'still', 'v');
    expect(await send(...command)).toBe('-ERR syntax error');
    expect(await send('GET', 'still')).toBe('v');
  },
);

it('keeps the order of a pipeline: what was sent before is read and deleted, what follows stays', async () => {
  const send = await inNamespace('swept');
  const before = names(600, 'before');
  const replies = await Promise.all([
    ...before.map((key) => send('SET', key, 'v')),
    send('GET', 'before:599'),
    send('FLUSHDB'),
    send('GET', 'before:599'),
    send('SET', 'after', '1'),
    send('FLUSHDB'),
    send('SET', 'last', '1'),
    send('MGET', 'before:0', 'after', 'last'),
  ]);
  expect(replies.slice(600)).toEqual(['v', 'OK', null, 'OK', 'OK', 'OK', [null, null, '1']]);
  expect(await keysOf(send)).toEqual(['last']);
});

it('is one command of a batch', async () => {
  const send = await inNamespace('swept');
  await fill(send, names(300));
  for (const [sent, reply] of [
    ['MULTI', 'OK'],
    ['SET x 1', 'QUEUED'],
    ['FLUSHDB', 'QUEUED'],
    ['SET y 2', 'QUEUED'],
    ['EXEC', ['OK', 'OK', 'OK']],
  ] as const)
    expect(await send(...sent.split(' '))).toEqual(reply);
  expect(await keysOf(send)).toEqual(['y']);
});

it('that would be refused is refused when it is queued', async () => {
  await cluster.namespace('batched', { multi: 'batch' });
  const send = await inNamespace('batched');
  await until('it being active', async () => (await send('GET', 'k')) === null);
  await send('MULTI');
  expect(await send('FLUSHDB')).toEqual(error('LVUNSUPPORTED FLUSHDB: batched does not allow it'));
  expect(await send('EXEC')).toEqual(error('EXECABORT .*LVUNSUPPORTED FLUSHDB'));
});

it('beside writers: what was there and not written since is gone, what was answered after it stays', async () => {
  const send = await inNamespace('swept');
  const writer = await inNamespace('swept');
  const old = names(3_000, 'old');
  await fill(send, old);
  let over = false;
  const during: string[] = [];
  const write = async (): Promise<void> => {
    for (let i = 0; !over; i++) {
      const key = `during:${i}`;
      expect(await writer('SET', key, 'v')).toBe('OK');
      if (!over) during.push(key);
    }
  };
  const writing = write();
  expect(await send('FLUSHDB')).toBe('OK');
  over = true;
  await writing;
  await fill(writer, names(50, 'after'));
  const left = await keysOf(send);
  expect(left.filter((key) => key.startsWith('old:'))).toEqual([]);
  expect(left.filter((key) => key.startsWith('after:'))).toHaveLength(50);
  expect(during.length).toBeGreaterThan(0);
});

it('deletes what other producers wrote: unreadable values, keys longer than those that are written here', async () => {
  const send = await inNamespace('swept');
  const { binlog } = cluster.view.state.namespace('swept')!;
  expect(await send('FLUSHDB')).toBe('OK');
  const partitionOfKey = (key: Buffer) => asPartition(partitionOf(hashOf(key, 'murmur2'), 4));
  const [broken, long] = [Buffer.from('broken'), Buffer.alloc(5_000, 'l')];
  await cluster.log.append(binlog, partitionOfKey(broken), [{ key: broken, value: Buffer.from('junk') }]);
  const value = encodePut(long, Buffer.from('v'), null);
  await cluster.log.append(binlog, partitionOfKey(long), [{ key: long, value }]);
  const found = async (): Promise<number> => ((await send('KEYS', '*')) as string[]).length;
  await until('both being there', async () => (await found()) === 2);
  expect(await send('FLUSHDB')).toBe('OK');
  expect(await found()).toBe(0);
});

it('waits as its ack asks for', async () => {
  const send = await inNamespace('swept');
  await fill(send, names(500));
  await send('LV.ACK', 'all');
  expect(await send('FLUSHDB')).toBe('OK');
  for (const name of ['eventual', 'strong']) {
    await send('LV.CONSISTENCY', name);
    expect(await send('MGET', 'k:1', 'k:400')).toEqual([null, null]);
  }
});

describe('when the log refuses', () => {
  it('says how much is deleted, that the rest is not, and why; repeated it goes on', async () => {
    const send = await inNamespace('swept');
    await send('FLUSHDB');
    await fill(send, names(1_000));
    onDeletion = (n) => (n < 8 ? undefined : new LogFailure('LOG_UNAVAILABLE', 'no broker'));
    const answer = String(await send('FLUSHDB'));
    expect(answer).toMatch(/^-LVPARTIAL \d+ keys are deleted; those that are left .*: LVDEFINITE LOG_UNAVAILABLE/);
    onDeletion = undefined;
    expect((await keysOf(send)).length).toBe(1_000 - Number(/\d+/.exec(answer)?.[0]));
    expect(await send('FLUSHDB')).toBe('OK');
    expect(await keysOf(send)).toEqual([]);
  });

  it('at once: nothing happened', async () => {
    const send = await inNamespace('swept');
    await fill(send, ['a']);
    onDeletion = () => new LogFailure('LOG_UNAVAILABLE', 'no broker');
    expect(await send('FLUSHDB')).toEqual(error('LVDEFINITE LOG_UNAVAILABLE'));
    expect(await keysOf(send)).toEqual(['a']);
  });

  it('or does not say: indefinite, with how many', async () => {
    const send = await inNamespace('swept');
    await send('FLUSHDB');
    await fill(send, names(1_000));
    onDeletion = (n) => (n < 8 ? undefined : new LogFailure('OUTCOME_UNKNOWN', 'the answer was lost'));
    expect(await send('FLUSHDB')).toEqual(
      error(
        'LVINDEFINITE \\d+ keys are deleted, and of \\d+ it is unknown whether they are or will be; .*OUTCOME_UNKNOWN',
      ),
    );
  });
});

it('ends when its client goes, and when the namespace does not allow it any more', async () => {
  await cluster.namespace('slow', { flush: 'sweep' });
  const send = await inNamespace('slow');
  await until('it being active', async () => (await send('GET', 'k')) === null);
  await fill(send, names(3_000));
  await cluster.alter('slow', { requestsPerSecond: 1_000 });
  const { client, send: leaving } = cluster.connect(portal);
  await leaving('LV.USE', 'slow');
  const lost = leaving('FLUSHDB').catch(() => 'hung up');
  await until('it being under way', () => portal.store.flushTurns.underWay === 1);
  client.close();
  await lost;
  await until('it being over', () => portal.store.flushTurns.underWay === 0);
  const left = (await keysOf(send)).length;
  expect(left).toBeGreaterThan(500);
  const flushed = send('FLUSHDB');
  await until('it being under way', () => portal.store.flushTurns.underWay === 1);
  await cluster.alter('slow', { flush: 'refuse' });
  expect(await flushed).toEqual(error('(LVPARTIAL \\d+ keys .*: )?LVUNSUPPORTED slow does not allow it'));
});

it('leaves others half of the requests of a namespace that has few', async () => {
  await cluster.namespace('few', { flush: 'sweep' });
  const send = await inNamespace('few');
  await until('it being active', async () => (await send('GET', 'k')) === null);
  await fill(send, names(300));
  await cluster.alter('few', { requestsPerSecond: 200 });
  const other = await inNamespace('few');
  let over = false;
  const asked = { all: 0, refused: 0 };
  const ask = async (): Promise<void> => {
    while (!over) {
      asked.all++;
      if (String(await other('GET', 'none')).startsWith('-LVLIMIT')) asked.refused++;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const asking = ask();
  expect(await send('FLUSHDB')).toBe('OK');
  over = true;
  await asking;
  expect(asked.all).toBeGreaterThan(5);
  expect(asked.refused).toBe(0);
});

it('two at a time, the others in turn', async () => {
  const sends = await Promise.all(Array.from({ length: 6 }, () => inNamespace('swept')));
  await fill(sends[0]!, names(1_500));
  expect(await Promise.all(sends.map((send) => send('FLUSHDB')))).toEqual(sends.map(() => 'OK'));
  expect(await keysOf(sends[0]!)).toEqual([]);
});

it('gives its progress, and gives its turn back when nobody reads on', async () => {
  const send = await inNamespace('swept');
  await fill(send, names(1_000));
  const namespace = portal.store.namespace('swept')!;
  const sweep = new FlushSweep(portal.store, namespace).run();
  const first = await sweep.next();
  expect(first.value).toBeGreaterThan(0);
  await sweep.return();
  expect(portal.store.flushTurns.underWay).toBe(0);
  const told: number[] = [];
  for await (const deleted of new FlushSweep(portal.store, namespace).run()) told.push(deleted);
  expect(told).toEqual([...told].sort((a, b) => a - b));
  expect(told.at(-1)).toBe(1_000 - Number(first.value));
  const refused = new FlushSweep(portal.store, portal.store.namespace('default')!).run().next();
  await expect(refused).rejects.toThrow(StoreFailure);
});
