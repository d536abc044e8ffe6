import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { LeveeTestingModule, leveeToken, OnKeyChange } from '@levee/nest';
import { type Change, type Client, HistoryError, json, MemoryLevee, type Namespace, utf8 } from '@levee/sdk';
import { LeveeModule } from '@levee/nest';
import { dice, full, seed } from '../../../test/support/seed';
import { eventually } from '../../../test/support/deadline';
import { begun } from '../src/changes/beginnings';
import { ChangeRunner, type RunnerOptions } from '../src/changes/change-runner';
import type { PutAside } from '../src/changes/put-aside';

interface Order {
  readonly total: number;
}

@Injectable()
class Totals {
  readonly seen: string[] = [];
  isSlow = false;
  isAtWork = false;
  finish: () => void = () => undefined;

  @OnKeyChange('shop.orders', { prefix: 'order:', codec: json<Order>(), name: 'totals', attempts: 2 })
  async changed({ key, value, isDeleted }: Change<Order>): Promise<void> {
    this.isAtWork = true;
    if (this.isSlow) await new Promise<void>((resolve) => (this.finish = resolve));
    if (value?.total === 13) throw new Error('unlucky');
    this.seen.push(isDeleted ? `${key} deleted` : `${key} ${value?.total}`);
  }
}

describe('@OnKeyChange in an application', () => {
  const on = async (levee: MemoryLevee | Client) => {
    const app = await Test.createTestingModule({
      imports: [LeveeModule.forRoot({ portals: ['127.0.0.1:1'] })],
      providers: [Totals],
    })
      .overrideProvider(leveeToken())
      .useValue(levee instanceof MemoryLevee ? levee.client() : levee)
      .compile();
    await app.init();
    const bytes = app.get<Client>(leveeToken()).namespace('shop.orders');
    return { app, totals: app.get(Totals), bytes, orders: bytes.typed(json<Order>()) };
  };
  const seen = (totals: Totals, count: number) =>
    eventually('the handler saw it', () => totals.seen.length >= count, 20_000, 5);

  it('hands typed changes of the prefix over, deletions too, and what came while the application was down', async () => {
    const levee = new MemoryLevee();
    const first = await on(levee);
    await first.orders.put('order:1', { total: 5 });
    await first.orders.put('other:1', { total: 6 });
    await first.orders.delete('order:1');
    await seen(first.totals, 2);
    await first.app.close();
    expect(first.totals.seen).toEqual(['order:1 5', 'order:1 deleted']);

    const between = levee.client().namespace('shop.orders').typed(json<Order>());
    await between.put('order:2', { total: 7 });
    const second = await on(levee);
    await seen(second.totals, 1);
    await second.app.close();
    expect(second.totals.seen).toEqual(['order:2 7']);
  });

  it('lets a handler end that is at work when the application shuts down, and does not repeat what it did', async () => {
    const levee = new MemoryLevee();
    const { app, totals, orders } = await on(levee);
    totals.isSlow = true;
    await orders.put('order:1', { total: 5 });
    await eventually('it is at work', () => totals.isAtWork, 20_000, 5);
    const closed = app.close();
    totals.finish();
    await closed;
    expect(totals.seen).toEqual(['order:1 5']);
    const again = await on(levee);
    await again.orders.put('order:2', { total: 8 });
    await seen(again.totals, 1);
    await again.app.close();
    expect(again.totals.seen).toEqual(['order:2 8']);
  });

  it('puts aside what a handler refuses each time, and what cannot be read; others go on', async () => {
    const { app, totals, orders, bytes } = await on(new MemoryLevee());
    await orders.put('order:1', { total: 13 });
    await bytes.put('order:2', Buffer.from('no JSON'));
    await orders.put('order:3', { total: 5 });
    const aside = async () => {
      const found: PutAside[] = [];
      for await (const { value } of bytes.typed(json<PutAside>()).scan({ prefix: 'levee.handlers/totals/aside/' }))
        found.push(value);
      return found;
    };
    await eventually('both are put aside', async () => (await aside()).length === 2, 20_000, 5);
    await seen(totals, 1);
    const errors = new Map((await aside()).map(({ key, error }) => [key, error]));
    expect(errors.get('order:1')).toBe('unlucky');
    expect(errors.get('order:2')).toMatch(/is no json/);
    await app.close();
    expect(totals.seen).toEqual(['order:3 5']);
  });

  it('has started once its first position is kept, so that whoever dies then misses nothing', async () => {
    const client = new MemoryLevee().client();
    // As far away as a real one.
    const slow: Client = Object.assign(Object.create(client) as Client, {
      namespace: (name: string) => {
        const store = client.namespace(name);
        const put = async (...args: Parameters<typeof store.put>) => {
          await new Promise((resolve) => setTimeout(resolve, 50));
          return store.put(...args);
        };
        return Object.assign(Object.create(store) as typeof store, { put });
      },
    });
    const { app, bytes } = await on(slow);
    expect(await bytes.get('levee.handlers/totals/position')).toBeDefined();
    await app.close();
  });

  it('refuses two handlers of one name, and numbers that are none', async () => {
    class Twice extends Totals {}
    const made = Test.createTestingModule({ imports: [LeveeTestingModule.forRoot()], providers: [Totals, Twice] });
    const app = await made.compile();
    await expect(app.init()).rejects.toThrow(/two methods with @OnKeyChange are called 'totals'/);
    expect(() => OnKeyChange('a', { concurrency: 0 })).toThrow(/concurrency is 0.*from 1 to 1000/);
    expect(() => OnKeyChange('a', { attempts: 1.5 })).toThrow(/attempts is 1.5/);
  });
});

describe('a handler of changes', () => {
  let levee: MemoryLevee;
  let store: Namespace<string>;
  const runners: ChangeRunner[] = [];
  const messages: string[] = [];
  const logger = { warn: (text: string) => messages.push(text), error: (text: string) => messages.push(text) };
  const runner = (handle: RunnerOptions['handle'], more: Partial<RunnerOptions> = {}): ChangeRunner => {
    const made = new ChangeRunner({
      ...{ name: 'h', prefix: undefined, key: undefined, from: 'beginning' as const, concurrency: 4, attempts: 3 },
      ...{ store, state: levee.client().namespace('state'), handle, logger, pauseMs: 1, drainMs: 50 },
      ...more,
    });
    runners.push(made);
    void made.start();
    return made;
  };
  beforeEach(() => {
    levee = new MemoryLevee();
    store = levee.client().namespace('a').typed(utf8);
    messages.length = 0;
  });
  afterEach(async () => {
    await Promise.all(runners.splice(0).map((each) => each.stop()));
  });

  it('is called for one key in order, never twice at a time, and for so many keys at once', async () => {
    const atWork = new Set<string>();
    let most = 0;
    const seen = new Map<string, number[]>();
    for (let i = 0; i < 200; i++) await store.put(`k${i % 20}`, String(i));
    runner(async ({ key, value }) => {
      expect(atWork.has(key)).toBe(false);
      atWork.add(key);
      most = Math.max(most, atWork.size);
      await new Promise((resolve) => setTimeout(resolve, 1));
      atWork.delete(key);
      seen.set(key, [...(seen.get(key) ?? []), Number(value)]);
    });
    await eventually('all were seen', () => [...seen.values()].every((of) => of.length > 0) && seen.size === 20);
    await eventually('all changes', () => [...seen.values()].flat().includes(199), 20_000, 5);
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(4);
    for (const of of seen.values()) expect(of).toEqual([...of].sort((x, y) => x - y));
    expect(messages).toEqual([]);
  });

  it(`misses nothing when its process dies ten times (seed ${seed})`, async () => {
    const random = dice(seed);
    const changes = full ? 100_000 : 2_000;
    const keys = 50;
    const first = new Map<string, number[]>();
    let doubles = 0;
    let written = 0;
    const write = async (count: number): Promise<void> => {
      for (let n = 0; n < count; n++) await store.put(`k${Math.floor(random() * keys)}`, String(written++));
    };
    let handled = 0;
    const begin = (): ChangeRunner => {
      // Of this life alone: one that is dead does nothing any more, and what it had in hand is not finished.
      const life = { isDead: false };
      const made = runner(async ({ key, value }) => {
        if (life.isDead) return new Promise(() => undefined);
        await Promise.resolve();
        handled++;
        const of = first.get(key) ?? [];
        if (of.includes(Number(value))) doubles++;
        else first.set(key, [...of, Number(value)]);
      });
      lives.push(life);
      return made;
    };
    const lives: { isDead: boolean }[] = [];
    for (let death = 0; death < 10; death++) {
      begin();
      const before = handled;
      await write(changes / 10);
      const some = 1 + Math.floor(random() * (changes / 20));
      await eventually('it works', () => handled >= before + some || handled >= written, 20_000, 1);
      lives.at(-1)!.isDead = true;
      // A process that is gone writes nothing more.
      await runners.splice(0)[0]!.stop();
    }
    begin();
    await eventually('all are handled', () => [...first.values()].flat().length === changes, 60_000, 10);
    for (const of of first.values()) expect(of).toEqual([...of].sort((x, y) => x - y));
    expect([...first.values()].flat().sort((x, y) => x - y)).toEqual(Array.from({ length: changes }, (_, n) => n));
    expect(doubles).toBeLessThan(changes / 10);
  }, 120_000);

  it('is given nothing before its first position is kept, holds one watch, and goes on there after a death', async () => {
    const state = levee.client().namespace('state');
    const isKept = async (): Promise<boolean> => (await state.get('levee.handlers/h/position')) !== undefined;
    let refused = 0;
    const full: Namespace<Buffer> = Object.assign(Object.create(state) as Namespace<Buffer>, {
      put: (key: string, value: Buffer) =>
        refused < 4 ? Promise.reject(new Error(`refusal ${++refused}`)) : state.put(key, value),
    });
    let open = 0;
    const counted: Namespace<string> = Object.assign(Object.create(store) as Namespace<string>, {
      watch: async (options: object) => {
        const watch = await store.watch(options);
        open++;
        const close = watch.close.bind(watch);
        let isOpen = true;
        watch.close = () => {
          if (isOpen) open--;
          isOpen = false;
          return close();
        };
        return watch;
      },
    });
    const seen: string[] = [];
    const life = { isDead: false };
    const first = runner(
      async ({ key }) => {
        seen.push(`${key} ${await isKept()}`);
        if (life.isDead) return new Promise(() => undefined);
        return undefined;
      },
      { from: 'now', state: full, store: counted as Namespace<unknown> },
    );
    await eventually('the first attempt', () => refused > 0, 5_000, 1);
    // It has begun: what comes between two attempts is not before it.
    await store.put('between', 'v');
    await eventually('it is handled', () => seen.length > 0, 20_000, 5);
    expect([refused, seen, open]).toEqual([4, ['between true'], 1]);
    life.isDead = true;
    await store.put('under way', 'v');
    await eventually('it is at work', () => seen.length === 2, 20_000, 5);
    runners.splice(0);
    await first.stop();
    expect(open).toBe(0);
    await store.put('while dead', 'v');
    const again: string[] = [];
    runner(({ key }) => void again.push(key), { from: 'now' });
    await eventually('the rest', () => again.includes('while dead'), 20_000, 5);
    expect(again).toContain('under way');
  });

  it('lets the application start while no position can be kept, and says what that means', async () => {
    const state: Namespace<Buffer> = Object.assign(Object.create(store) as Namespace<Buffer>, {
      put: () => Promise.reject(new Error('frozen')),
    });
    const made = runner(() => undefined, { from: 'now', state });
    await begun([made], logger, 20);
    expect(messages).toContainEqual(
      expect.stringMatching(/no first position yet within 20 ms: what is written before/),
    );
    runners.splice(0);
    await expect(made.stop()).rejects.toThrow('the last attempt has failed');
    await begun([made], logger, 5_000);
  });

  it('says that history is gone, and goes on with the newest change of every key, also when it dies before it did', async () => {
    const seen: string[] = [];
    const asked: unknown[] = [];
    await levee.client().namespace('state').put('levee.handlers/h/position', Buffer.from('old'));
    let isDown = true;
    const watched: Namespace<string> = Object.assign(Object.create(store) as Namespace<string>, {
      watch: (options: { from?: string }) => {
        asked.push(options.from);
        if (options.from === 'old') return Promise.reject(new HistoryError('LVHISTORY', 'the log begins later'));
        return isDown ? Promise.reject(new Error('down')) : store.watch(options);
      },
    });
    await store.put('k', 'v');
    const handle = ({ key }: Change<unknown>): void => void seen.push(key);
    const first = runner(handle, { store: watched as Namespace<unknown>, from: 'now' });
    await eventually('it tries', () => asked.includes('beginning'), 20_000, 5);
    await first.stop();
    isDown = false;
    asked.length = 0;
    runner(handle, { store: watched as Namespace<unknown>, from: 'now' });
    await eventually('it goes on', () => seen.length === 1, 20_000, 5);
    expect(asked).toEqual(['old', 'beginning']);
    expect(messages[0]).toMatch(/^h: changes are lost .*the log begins later.*newest change of every key/);
  });

  it('ends while its position cannot be kept, and does not try for it again and again', async () => {
    const state = levee.client().namespace('state');
    let attempts = 0;
    const away: Namespace<Buffer> = Object.assign(Object.create(state) as Namespace<Buffer>, {
      put: () => {
        attempts++;
        return attempts === 1 ? Promise.resolve() : Promise.reject(new Error('no portal answers'));
      },
    });
    const seen: string[] = [];
    const made = runner(({ key }) => void seen.push(key), { state: away });
    await store.put('k', 'v');
    await eventually('it says so', () => messages.some((text) => /position cannot be kept: no portal/.test(text)));
    const before = attempts;
    runners.splice(0);
    await expect(made.stop()).rejects.toThrow('the last attempt has failed');
    expect(seen).toEqual(['k']);
    // One of them may have been on its way.
    expect(attempts).toBeLessThanOrEqual(before + 1);
  });

  it('does not go past a change that it can neither handle nor put aside', async () => {
    const state = levee.client().namespace('state');
    let refuses = true;
    const stubborn: Namespace<Buffer> = Object.assign(Object.create(state) as Namespace<Buffer>, {
      typed: () => ({ put: () => (refuses ? Promise.reject(new Error('read only')) : Promise.resolve()) }),
    });
    await store.put('bad', 'v');
    const seen: string[] = [];
    const handle = ({ key }: Change<unknown>): void => {
      if (key === 'bad') throw new Error('never');
      seen.push(key);
    };
    const made = runner(handle, { state: stubborn });
    // Those of its lane wait behind it.
    for (let n = 0; n < 20; n++) await store.put(`good${n}`, 'v');
    await eventually('others go on', () => seen.length > 5, 20_000, 5);
    await eventually(
      'it says so',
      () => messages.some((text) => /cannot be put aside.*read only/.test(text)),
      5_000,
      5,
    );
    await made.stop();
    const again: string[] = [];
    refuses = false;
    runner(({ key }) => void again.push(key));
    await eventually('it comes again', () => again.includes('bad'), 20_000, 5);
  });
});
