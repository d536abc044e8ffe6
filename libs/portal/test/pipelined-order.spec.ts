import { partitionOf, hashOf } from '@levee/keyspace';
import type { Log } from '@levee/log';
import type { Portal } from '@levee/portal';
import { TestCluster } from './test-cluster';

jest.setTimeout(60_000);

type Send = (...args: (string | Buffer)[]) => Promise<unknown>;

/** While it is closed what portals write to a binlog is on its way. */
class AppendGate {
  private opened: Promise<void> = Promise.resolve();
  private open: () => void = () => undefined;

  before(log: Log): Log {
    const append: Log['append'] = async (topic, ...rest) => {
      if (topic.includes('.binlog.')) await this.opened;
      return log.append(topic, ...rest);
    };
    return new Proxy(log, {
      get: (target, name) => {
        if (name === 'append') return append;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  }

  /** Until `begin` has sent its commands, and a moment longer. */
  async during<T>(begin: () => Promise<T>[]): Promise<T[]> {
    this.opened = new Promise((resolve) => (this.open = resolve));
    const answers = begin();
    await new Promise((resolve) => setTimeout(resolve, 100));
    this.open();
    return Promise.all(answers);
  }
}

let cluster: TestCluster;
let portal: Portal;
let other: Portal;
const gate = new AppendGate();

beforeAll(async () => {
  cluster = await TestCluster.start(1);
  cluster.log = gate.before(cluster.log);
  for (const name of ['scanned', 'paged', 'listed', 'some', 'default']) await cluster.namespace(name);
  portal = await cluster.portal();
  other = await cluster.portal();
});
afterAll(() => cluster?.close());

const connect = (to = portal): Send => cluster.connect(to).send;

async function inNamespace(name: string): Promise<Send> {
  const send = connect();
  expect(await send('LV.USE', name)).toBe('OK');
  return send;
}

describe('what is sent behind a write that is not logged yet', () => {
  it.each([
    ['scanned', 'SCAN 0', ['0', ['k']]],
    ['listed', 'KEYS *', ['k']],
    ['some', 'RANDOMKEY', 'k'],
    ['paged', 'LV.PAGE   10 KEYS', [null, expect.any(Number), 'k', expect.stringMatching(/^\d:\d$/), 0, null]],
  ])('sees it: in %s %s', async (namespace, command, answer) => {
    const send = await inNamespace(namespace);
    const [set, given] = await gate.during(() => [send('SET', 'k', 'v'), send(...command.split(' '))]);
    expect([set, given]).toEqual(['OK', answer]);
  });

  it('tells of it and of what was read, where it is the session that is asked for', async () => {
    const [send, reader] = [connect(), connect()];
    await send('HELLO', '3');
    await reader('HELLO', '3');
    const [, told] = await gate.during(() => [send('SET', 'mine', '1'), send('LV.POS')]);
    const { session, positions } = told as { session: string; positions: string[] };
    expect(positions).toEqual([expect.stringMatching(/^\d:[1-9]\d*$/)]);
    const elsewhere = connect(other);
    await elsewhere('LV.POS', session);
    expect(await elsewhere('GET', 'mine')).toBe('1');
    const [value, seen] = await Promise.all([reader('GET', 'mine'), reader('LV.POS')]);
    expect([value, (seen as { positions: string[] }).positions]).toEqual(['1', positions]);
  });

  it('sees it though another write of its partition was refused between them', async () => {
    const send = connect();
    const placeOf = (key: string): number => partitionOf(hashOf(Buffer.from(key), 'murmur2'), 4);
    const tooLong = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']
      .map((letter) => letter.repeat(1_025))
      .find((key) => placeOf(key) === placeOf('kept')) as string;
    await send('SET', 'kept', 'before');
    const answers = await gate.during(() => [
      send('SET', 'kept', 'after'),
      send('SET', tooLong, 'x'),
      send('GET', 'kept'),
    ]);
    expect(answers).toEqual(['OK', expect.stringMatching(/^-LVLIMIT a key of 1025 bytes/), 'after']);
  });

  it('sees it where it is a repeated one, whose original another connection sent', async () => {
    const [first, again] = [connect(), connect()];
    await first('HELLO', '3');
    const { incarnation } = (await first('LV.DOOR')) as { incarnation: string };
    await first('SET', 'twice', 'before');
    const write = ['LV.PUT', 'twice', 'after', 'ID', 'one'];
    const [position, , read] = await gate.during(() => [
      first(...write),
      again(...write, 'AGAIN', incarnation, '1000'),
      again('LV.GET', 'twice'),
    ]);
    expect(read).toEqual(['after', position, 0]);
  });
});
