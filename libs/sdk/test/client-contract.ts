import { bytes, json, MemoryLevee, utf8, type Client, type LeveeError } from '@levee/sdk';
import { eventually } from '../../../test/support/deadline';

interface Opened {
  /** A client of a Levee with the namespaces `shop.contract` and `shop.other`, and no `shop.absent`. */
  readonly client: () => Promise<Client>;
  /** Resolves when so many ms have gone by for it. */
  readonly pass: (ms: number) => Promise<void>;
  /** Reads are answered within their calls: however many there are, none waits. */
  readonly answersAtOnce?: boolean;
}

async function failureOf(done: Promise<unknown>): Promise<Pick<LeveeError, 'name' | 'code' | 'kind'>> {
  const error = (await done.then(
    () => {
      throw new Error('it did not fail');
    },
    (failure: unknown) => failure,
  )) as LeveeError;
  return { name: error.name, code: error.code, kind: error.kind };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const limit = { name: 'LimitError', code: 'LVLIMIT', kind: 'definite' };
const closed = { name: 'DefiniteError', code: 'CLIENT_CLOSED', kind: 'definite' };

/** What every client does, whatever is behind it. Uses keys that begin with `c:`. */
export function clientContract(name: string, { client: open, pass, answersAtOnce = false }: Opened): void {
  describe(`${name}, as every client`, () => {
    let client: Client;
    beforeAll(async () => {
      client = await open();
    });
    afterAll(() => client?.close());
    const texts = () => client.namespace('shop.contract').typed(utf8);

    it('gives what was put, with a position that grows, until it is deleted', async () => {
      const store = texts();
      expect(await store.get('c:a')).toBeUndefined();
      expect(await store.entry('c:a')).toBeUndefined();
      const first = await store.put('c:a', 'one');
      const second = await store.put('c:a', 'two', { ack: 'all' });
      expect(first.position).toMatch(/^\d+:\d+$/);
      const [partition, offset] = first.position.split(':').map(Number) as [number, number];
      expect(second.position).toBe(`${partition}:${offset + 1}`);
      expect(await store.entry('c:a', { consistency: 'strong' })).toEqual({
        key: 'c:a',
        keyBytes: Buffer.from('c:a'),
        value: 'two',
        position: second.position,
        expiresAt: undefined,
      });
      expect((await store.where('c:a')).partition).toBe(partition);
      await store.delete('c:a');
      await store.delete('c:a');
      expect(await store.get('c:a')).toBeUndefined();
    });

    it('carries out what is asked of one key in the order of the calls', async () => {
      const store = texts();
      const done = [store.put('c:b', '1'), store.get('c:b'), store.put('c:b', '2'), store.delete('c:b')];
      expect((await Promise.all([...done, store.get('c:b')]))[1]).toBe('1');
      expect(await store.get('c:b')).toBeUndefined();
    });

    it('keeps namespaces apart', async () => {
      await texts().put('c:c', 'x');
      expect(await client.namespace('shop.other').get('c:c')).toBeUndefined();
    });

    it('a key is gone when its time is over, and a later put without one is for ever', async () => {
      const store = texts();
      await store.putMany(
        [
          ['c:t1', 'x'],
          ['c:t2', 'x'],
        ],
        { ttlMs: 1_500 },
      );
      const { expiresAt } = (await store.entry('c:t1')) ?? {};
      expect(expiresAt).toBeInstanceOf(Date);
      await store.put('c:t2', 'y');
      await pass(1_600);
      // Who answers has the time of another process.
      await eventually('it is gone', async () => (await all(store.keys({ prefix: 'c:t' }))).length === 1);
      expect(await store.getMany(['c:t1', 'c:t2'])).toEqual([undefined, 'y']);
      expect(await all(store.keys({ prefix: 'c:t' }))).toEqual(['c:t2']);
    });

    it('a key that is over when it is put is not there', async () => {
      await texts().put('c:u', 'x', { expiresAt: 5 });
      expect(await texts().get('c:u')).toBeUndefined();
    });

    it('scans in byte order within bounds, page by page', async () => {
      const store = texts();
      const keys = ['c:s/1', 'c:s/10', 'c:s/2', 'c:s/é', 'c:s/z'];
      await store.putMany(keys.map((key) => [key, key]));
      const sorted = [...keys].sort((a, b) => Buffer.from(a).compare(Buffer.from(b)));
      expect(await all(store.keys({ prefix: 'c:s/' }))).toEqual(sorted);
      expect(await all(store.keys({ prefix: 'c:s/', pageKeys: 2 }))).toEqual(sorted);
      expect(await all(store.keys({ prefix: 'c:s/', limit: 2 }))).toEqual(sorted.slice(0, 2));
      expect(await all(store.keys({ from: 'c:s/10', to: 'c:s/z' }))).toEqual(['c:s/10', 'c:s/2']);
      expect((await all(store.scan({ prefix: 'c:s/', pageKeys: 1 }))).map(({ value }) => value)).toEqual(sorted);
    });

    it('keys and values of any bytes come back as they were, and belong to who asked', async () => {
      const store = client.namespace('shop.contract').typed(bytes);
      const key = Buffer.from([0x63, 0xff, 0x00, 0x0d]);
      const value = Buffer.from([0, 10, 13, 255]);
      await store.put(key, value);
      value[0] = 9;
      const got = (await store.get(key)) as Buffer;
      expect([...got]).toEqual([0, 10, 13, 255]);
      got[0] = 7;
      expect([...((await store.get(key)) as Buffer)]).toEqual([0, 10, 13, 255]);
      await store.put('c:empty', Buffer.alloc(0));
      expect((await store.get('c:empty'))?.length).toBe(0);
    });

    it.each([
      ['a key of 1,025 bytes', () => texts().put('k'.repeat(1_025), 'x'), limit],
      ['such a key, read', () => texts().get('k'.repeat(1_025)), limit],
      ['a value above 1 MiB', () => texts().put('c:l', 'x'.repeat(1024 * 1024 + 1)), limit],
      [
        'one such value of many',
        () =>
          texts().putMany([
            ['c:l1', 'x'],
            ['c:l2', 'x'.repeat(1024 * 1024 + 1)],
          ]),
        { name: 'PartialError', code: 'LVPARTIAL', kind: 'definite' },
      ],
      [
        'a namespace that is not there',
        () => client.namespace('shop.absent').get('a'),
        { name: 'NamespaceError', code: 'LVNAMESPACE', kind: 'definite' },
      ],
      [
        'bytes that the codec does not take',
        async () => {
          await texts().put('c:j', 'no JSON');
          await client.namespace('shop.contract').typed(json()).get('c:j');
        },
        { name: 'CodecError', code: 'CODEC', kind: 'definite' },
      ],
      [
        'a call that was aborted before',
        () => texts().put('c:x', 'x', { signal: AbortSignal.abort() }),
        { name: 'DefiniteError', code: 'ABORTED', kind: 'definite' },
      ],
      [
        'a token of a watch that is none',
        () => texts().watch({ from: 'nonsense' }),
        { name: 'SessionError', code: 'LVSESSION', kind: 'definite' },
      ],
      [
        'a watch of a namespace that is not there',
        () => client.namespace('shop.absent').watch(),
        { name: 'NamespaceError', code: 'LVNAMESPACE', kind: 'definite' },
      ],
      [
        'a session token that is none',
        () => texts().join('nonsense'),
        { name: 'SessionError', code: 'LVSESSION', kind: 'definite' },
      ],
    ] as const)('%s is refused by its class and code', async (_what, act, expected) => {
      expect(await failureOf(act())).toEqual(expected);
    });

    it('tells changes in their order, from a token on, and ends when it is closed', async () => {
      const store = texts();
      const watch = await store.watch({ prefix: 'c:v/' });
      await store.put('c:v/1', 'one');
      await store.put('c:not', 'x');
      const { position } = await store.delete('c:v/1');
      await store.put('c:v/1', 'two', { expiresAt: 4_000_000_000_000 });
      const next = async () => (await watch.next()).value;
      expect(await next()).toMatchObject({ key: 'c:v/1', value: 'one', isDeleted: false, expiresAt: undefined });
      expect(await next()).toMatchObject({ key: 'c:v/1', value: undefined, isDeleted: true, position });
      const { token } = watch;
      await watch.close();
      expect(await watch.next()).toEqual({ done: true, value: undefined });
      await using again = await store.watch({ prefix: 'c:v/', from: token });
      expect((await again.next()).value).toMatchObject({ value: 'two', expiresAt: new Date(4_000_000_000_000) });
      const waits = again.next();
      await again.close();
      expect(await waits).toEqual({ done: true, value: undefined });
    });

    it('a watch ends with its client', async () => {
      const other = await open();
      const watch = await other.namespace('shop.contract').watch({ key: 'c:nobody' });
      const waits = watch.next();
      await other.close();
      expect(await waits).toEqual({ done: true, value: undefined });
    });

    it.each([{ ttlMs: 0 }, { ttlMs: 5, expiresAt: 5 }, { deadlineMs: 0 }])(
      'options %p cannot be meant',
      async (how) => {
        await expect(texts().put('c:o', 'x', how)).rejects.toThrow(RangeError);
      },
    );

    it('a session goes to another client, and not to another namespace', async () => {
      await using other = await open();
      expect(other.namespace('shop.contract').session()).toBeUndefined();
      await texts().put('c:w', 'x');
      const token = texts().session() as string;
      const theirs = other.namespace('shop.contract').typed(utf8);
      await theirs.join(token);
      expect(await theirs.get('c:w')).toBe('x');
      const elsewhere = failureOf(other.namespace('shop.other').join(token));
      expect(await elsewhere).toEqual({ name: 'SessionError', code: 'LVSESSION', kind: 'definite' });
    });

    it('takes nothing more when it is closed', async () => {
      const other = await open();
      const store = other.namespace('shop.contract').typed(utf8);
      const last = store.put('c:last', 'x');
      await other.close();
      await last;
      expect(await failureOf(store.get('c:last'))).toEqual(closed);
      expect(() => other.namespace('shop.other')).toThrow('the client is closed');
    });

    it('refuses more calls at a time than it has room for', async () => {
      const store = texts();
      const calls = Array.from({ length: 10_001 }, (_, i) => store.get(`c:m${i}`, { deadlineMs: 50_000 }));
      const failed = (await Promise.allSettled(calls)).filter(({ status }) => status === 'rejected');
      expect(failed).toHaveLength(answersAtOnce ? 0 : 1);
      if (answersAtOnce) return;
      expect(failed[0]).toMatchObject({ reason: { name: 'LimitError', code: 'CLIENT_LIMIT' } });
    });
  });
}

/** As the contract wants it. */
export function memoryOpened(): Opened {
  const levee = new MemoryLevee({ namespaces: ['shop.contract', 'shop.other'] });
  return {
    client: () => Promise.resolve(levee.client()),
    pass: (ms) => Promise.resolve(levee.advance(ms)),
  };
}
