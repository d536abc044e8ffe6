import {
  type Append,
  CallbackAppend,
  CallbackRead,
  AppendLine,
  type NamespaceStore,
  type PointRead,
  ReadLine,
  type Store,
  storeLimits,
  StoreFailure,
} from '@levee/client';
import { asOffset, asPartition } from '@levee/kernel';
import { CommandOrder } from './command-order';

/** An order in one partition, on a store that reads and logs as the test says; `given` has what came to it. */
function ordered() {
  const given: string[] = [];
  const place = (one: Append | PointRead): void => {
    one.slot = 0;
    one.partition = asPartition(0);
    one.hash = one.key[0] as number;
  };
  const store = {
    startTime: () => undefined,
    read: (_namespace: NamespaceStore, read: PointRead) => given.push(`get ${read.key.toString()}`),
    append: (_namespace: NamespaceStore, append: Append) => given.push(`set ${append.key.toString()}`),
  } as unknown as Store;
  const lines = { reads: new ReadLine(storeLimits), writes: new AppendLine() };
  const order = new CommandOrder(store, { place } as unknown as NamespaceStore, lines);
  const get = (key: string): PointRead => {
    const read = new CallbackRead(Buffer.from(key), 'session', undefined, () => undefined);
    order.read(read);
    return read;
  };
  const set = (key: string): Append => {
    const append = new CallbackAppend(Buffer.from(key), Buffer.from('v'), 'logged', undefined, () => undefined);
    order.write(append);
    return append;
  };
  return { order, given, get, set };
}

const refused = new StoreFailure('LVLIMIT', 'a key that is too long');

it('a read waits for every write that was sent before it, also behind one that was refused', () => {
  const { order, given, get, set } = ordered();
  const first = set('a');
  const [second, third] = [set('b'), set('c')];
  get('a');
  third.failed(refused);
  second.failed(refused);
  get('a');
  order.afterWrites(() => given.push('after'));
  const last = set('d');
  expect(given).toEqual(['set a', 'set b', 'set c', 'set d']);
  first.logged(asOffset(5));
  expect(given.slice(4)).toEqual(['get a', 'get a', 'after']);
  get('a');
  expect(given).toHaveLength(7);
  last.failed(refused);
  expect(given.slice(7)).toEqual(['get a']);
  get('a');
  expect(given).toHaveLength(9);
});

it('a write that is logged is enough: those before it are, or never will be', () => {
  const { given, get, set } = ordered();
  const [, second] = [set('a'), set('b')];
  get('a');
  second.logged(asOffset(5));
  expect(given).toEqual(['set a', 'set b', 'get a']);
});

it('a write does not overtake a read of its key, nor does a read wait for what was sent after it', () => {
  const { given, get, set } = ordered();
  const first = set('a');
  const read = get('a');
  const second = set('a');
  expect(given).toEqual(['set a']);
  first.failed(refused);
  expect(given).toEqual(['set a', 'get a']);
  read.missing(0);
  expect(given).toEqual(['set a', 'get a', 'set a']);
  second.logged(asOffset(1));
});

it('a command that reads each key before it writes it waits for what was sent before it, not for what it writes', () => {
  const { order, given, set } = ordered();
  const before = set('a');
  const read = order.readsAsOfNow(undefined);
  const deletes = (key: string): PointRead => {
    const one = new CallbackRead(Buffer.from(key), 'session', undefined, () => undefined);
    read(one);
    order.write(new CallbackAppend(Buffer.from(key), null, 'logged', undefined, () => undefined), one);
    return one;
  };
  const first = deletes('b');
  const second = deletes('c');
  expect(given).toEqual(['set a']);
  before.logged(asOffset(1));
  expect(given.slice(1)).toEqual(['get b', 'get c']);
  second.missing(1);
  first.missing(1);
  expect(given.slice(3)).toEqual(['set b', 'set c']);
  deletes('d');
  expect(given.slice(5)).toEqual(['get d']);
});
