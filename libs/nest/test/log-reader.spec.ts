import { type Change, HistoryError, MemoryLevee, type Namespace, type Watch } from '@levee/sdk';
import { dice, full, seed } from '../../../test/support/seed';
import { eventually } from '../../../test/support/deadline';
import { positionsInLevee, within } from '../src/changes/kept-position';
import type { PutAside } from '../src/changes/put-aside';
import { LogReader, type LogReaderOptions } from '../src/log/log-reader';

describe('a reader of the log in batches', () => {
  let levee: MemoryLevee;
  let store: Namespace<Buffer>;
  const readers: LogReader[] = [];
  const messages: string[] = [];
  const logger = { warn: (text: string) => messages.push(text), error: (text: string) => messages.push(text) };
  const aside: PutAside[] = [];

  const reader = (handle: LogReaderOptions['handle'], more: Partial<LogReaderOptions> = {}): LogReader => {
    const made = new LogReader({
      ...{ name: 'r', store, prefix: undefined, from: 'beginning' as const, batchMax: 20, attempts: 2, logger, handle },
      ...{ handleMs: 5_000, drainMs: 50, pauseMs: 1, isKeptElsewhere: false },
      positions: positionsInLevee(levee.client().namespace('state'), 'r'),
      putAside: (one) => Promise.resolve(void aside.push(one)),
      ...more,
    });
    readers.push(made);
    void made.start();
    return made;
  };
  beforeEach(() => {
    levee = new MemoryLevee();
    store = levee.client().namespace('a');
    messages.length = 0;
    aside.length = 0;
  });
  afterEach(async () => {
    await Promise.all(readers.splice(0).map((each) => each.stop()));
  });

  it(`misses nothing when its process dies ten times, beside changes that are refused (seed ${seed})`, async () => {
    const random = dice(seed);
    const changes = full ? 100_000 : 2_000;
    const isBad = (value: number): boolean => value % 97 === 13;
    const first = new Map<string, number[]>();
    const seen = new Set<number>();
    let [written, handled] = [0, 0];
    const lives: { isDead: boolean }[] = [];
    const begin = (): void => {
      const life = { isDead: false };
      lives.push(life);
      reader(async (batch) => {
        await Promise.resolve();
        if (life.isDead) return new Promise(() => undefined);
        if (batch.some(({ value }) => isBad(Number(value)))) throw new Error('refused');
        for (const { key, value } of batch) {
          handled++;
          if (seen.has(Number(value))) continue;
          seen.add(Number(value));
          first.set(key, [...(first.get(key) ?? []), Number(value)]);
        }
      });
    };
    for (let death = 0; death < 10; death++) {
      begin();
      const before = handled;
      for (let n = 0; n < changes / 10; n++)
        await store.put(`k${Math.floor(random() * 50)}`, Buffer.from(String(written++)));
      const some = 1 + Math.floor(random() * (changes / 20));
      await eventually('it works', () => handled >= before + some || seen.size + aside.length >= written, 20_000, 1);
      lives.at(-1)!.isDead = true;
      await readers.splice(0)[0]!.stop();
    }
    begin();
    const refused = (): Set<string> => new Set(aside.map(({ key, position }) => `${key} ${position}`));
    const bad = Array.from({ length: changes }, (_, n) => n).filter(isBad).length;
    await eventually('all are handled', () => seen.size + refused().size === changes, 60_000, 10);
    expect(refused().size).toBe(bad);
    for (const of of first.values()) expect(of).toEqual([...of].sort((x, y) => x - y));
  }, 120_000);

  it('waits no longer than it should for an application that keeps positions and hangs, and ends all the same', async () => {
    let loads = 0;
    let hangs = true;
    let kept: string | undefined;
    const never = new Promise<never>(() => undefined);
    const positions = within(
      {
        load: () => (loads++ === 0 ? never : Promise.resolve(kept)),
        save: (token) => (hangs ? never : Promise.resolve(void (kept = token))),
      },
      30,
    );
    const seen: string[] = [];
    await store.put('k', Buffer.from('1'));
    const handle = (batch: readonly Change<Buffer>[]): Promise<void> =>
      Promise.resolve(void seen.push(...batch.map(({ value }) => String(value))));
    const first = reader(handle, { positions });
    await eventually('it begins, though the first load and every save hang', () => messages.length >= 3);
    expect(messages).toEqual(
      expect.arrayContaining([
        expect.stringContaining('a position was not loaded within 30 ms'),
        expect.stringContaining('a position was not saved within 30 ms'),
      ]),
    );
    await expect(first.stop()).rejects.toThrow(/not saved within 30 ms|the last attempt has failed/);
    readers.length = 0;
    hangs = false;
    reader(handle, { positions });
    await eventually('what was not kept comes again', () => seen.filter((value) => value === '1').length >= 1);
    await eventually('and is kept', () => kept !== undefined);
  });

  it('is given nothing before its first position is kept, so that one that was never saved is no other now', async () => {
    let kept: string | undefined;
    let refusals = 0;
    const positions = {
      load: () => Promise.resolve(kept),
      save: (token: string) => {
        if (++refusals <= 3) return Promise.reject(new Error('locked'));
        kept = token;
        return Promise.resolve();
      },
    };
    const watches: Watch<Buffer>[] = [];
    const ended = new Set<Watch<Buffer>>();
    const counted: Namespace<Buffer> = Object.assign(Object.create(store) as Namespace<Buffer>, {
      watch: async (options: object) => {
        const watch = await store.watch(options);
        watches.push(watch);
        const close = watch.close.bind(watch);
        watch.close = () => (ended.add(watch), close());
        return watch;
      },
    });
    const seen: string[] = [];
    let failures = 0;
    const handle: LogReaderOptions['handle'] = (batch) => {
      seen.push(...batch.map(({ key }) => `${key} ${kept !== undefined}`));
      // Its own transaction was not committed: it loads what is saved, and goes on there.
      return failures++ === 0 ? Promise.reject(new Error('rolled back')) : Promise.resolve();
    };
    reader(handle, { from: 'now', positions, isKeptElsewhere: true, store: counted });
    await eventually('the first attempt', () => refusals > 0, 5_000, 1);
    await store.put('between', Buffer.from('v'));
    await eventually('it comes, and again', () => seen.length >= 2, 5_000, 5);
    expect(seen).toEqual(['between true', 'between true']);
    expect(watches.length - ended.size).toBe(1);
  });

  it('does not go past a change that it can neither hand over nor put aside', async () => {
    for (const value of ['1', 'bad', '2']) await store.put('k', Buffer.from(value));
    const seen: string[] = [];
    const handle: LogReaderOptions['handle'] = (batch) => {
      if (batch.some(({ value }) => String(value) === 'bad')) return Promise.reject(new Error('never'));
      seen.push(...batch.map(({ value }) => String(value)));
      return Promise.resolve();
    };
    const made = reader(handle, { putAside: () => Promise.reject(new Error('read only')) });
    await eventually('it says so', () => messages.some((text) => /cannot be put aside.*read only/.test(text)));
    expect(seen).toEqual(['1']);
    await made.stop();
    seen.length = 0;
    reader(handle);
    await eventually('it goes on', () => seen.includes('2'), 20_000, 5);
    // It begins at the change that it stood at.
    expect(seen).toEqual(['2']);
    expect(aside.map(({ key, error }) => [key, error])).toEqual([['k', 'never']]);
  });

  it('puts aside what cannot be read, and hands over the rest', async () => {
    const bad: Change<Buffer>['error'] = new HistoryError('LVUNREADABLE', 'no value');
    const seen: string[] = [];
    const watched: Namespace<Buffer> = Object.assign(Object.create(store) as Namespace<Buffer>, {
      watch: async (options: object) => {
        const watch = await store.watch(options);
        const next = watch.next.bind(watch);
        watch.next = async () => {
          const given = await next();
          return !given.done && String(given.value.value) === 'unreadable'
            ? { done: false, value: { ...given.value, value: undefined, error: bad } }
            : given;
        };
        return watch;
      },
    });
    for (const value of ['1', 'unreadable', '2']) await store.put('k', Buffer.from(value));
    reader((batch) => Promise.resolve(void seen.push(...batch.map(({ value }) => String(value)))), { store: watched });
    await eventually('the rest comes', () => seen.length === 2, 20_000, 5);
    expect([seen, aside.map(({ error }) => error)]).toEqual([['1', '2'], ['no value']]);
  });

  it('says that history is gone, and goes on with the newest change of every key, also when it dies before it did', async () => {
    const asked: unknown[] = [];
    await levee.client().namespace('state').put('levee.handlers/r/position', Buffer.from('old'));
    let isDown = true;
    const watched: Namespace<Buffer> = Object.assign(Object.create(store) as Namespace<Buffer>, {
      watch: (options: { from?: string }) => {
        asked.push(options.from);
        if (options.from === 'old') return Promise.reject(new HistoryError('LVHISTORY', 'the log begins later'));
        return isDown ? Promise.reject(new Error('down')) : store.watch(options);
      },
    });
    await store.put('k', Buffer.from('v'));
    const seen: string[] = [];
    const handle: LogReaderOptions['handle'] = (batch) =>
      Promise.resolve(void seen.push(...batch.map(({ key }) => key)));
    const first = reader(handle, { store: watched, from: 'now' });
    await eventually('it tries', () => asked.includes('beginning'), 20_000, 5);
    await first.stop();
    isDown = false;
    asked.length = 0;
    reader(handle, { store: watched, from: 'now' });
    await eventually('it goes on', () => seen.length === 1, 20_000, 5);
    expect(asked).toEqual(['old', 'beginning']);
    expect(messages[0]).toMatch(/^r: changes are lost .*the log begins later.*newest change of every key/);
  });
});
