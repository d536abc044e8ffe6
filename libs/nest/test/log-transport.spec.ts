import { Controller, type INestMicroservice, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload, RpcException } from '@nestjs/microservices';
import { type Change, json, MemoryLevee, NamespaceError, type Namespace } from '@levee/sdk';
import { EMPTY, firstValueFrom } from 'rxjs';
import { eventually } from '../../../test/support/deadline';
import type { PutAside } from '../src/changes/put-aside';
import { LeveeLogClient, LeveeLogContext, LeveeLogServer, type LeveeLogServerOptions } from '../src/microservices';

interface Call {
  readonly values: readonly string[];
  readonly token: string;
}

/** Of the test that runs. */
let calls: Call[] = [];
let meets: (changes: readonly Change<Buffer>[], context: LeveeLogContext) => void | Promise<void> = () => undefined;

const textOf = ({ key, value, isDeleted }: Change<Buffer>): string => `${key}=${isDeleted ? 'gone' : String(value)}`;

@Controller()
class OrdersController {
  @EventPattern({ namespace: 'shop.orders', prefix: 'order:' })
  async take(@Payload() changes: readonly Change<Buffer>[], @Ctx() context: LeveeLogContext): Promise<void> {
    await meets(changes, context);
    calls.push({ values: changes.map(textOf), token: context.token });
  }
}

@Module({ controllers: [OrdersController] })
class OrdersModule {}

describe('the log as a transport of Nest', () => {
  let levee: MemoryLevee;
  let orders: Namespace<Buffer>;
  const running: INestMicroservice[] = [];
  beforeEach(() => {
    levee = new MemoryLevee();
    orders = levee.client().namespace('shop.orders');
    calls = [];
    meets = () => undefined;
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((app) => app.close()));
  });

  const listen = async (more: Partial<LeveeLogServerOptions> = {}): Promise<INestMicroservice> => {
    const strategy = new LeveeLogServer({ client: levee.client(), name: 'shop', from: 'beginning', ...more });
    const app = await NestFactory.createMicroservice(OrdersModule, { strategy, logger: false });
    await app.listen();
    running.push(app);
    return app;
  };
  const stop = async (app: INestMicroservice): Promise<void> => {
    running.splice(running.indexOf(app), 1);
    await app.close();
  };
  const values = (): string[] => calls.flatMap((call) => call.values);
  const put = (key: string, value: string): Promise<unknown> => orders.put(key, Buffer.from(value));
  const aside = async (): Promise<PutAside[]> => {
    const prefix = 'levee.handlers/shop/shop.orders/order:/aside/';
    const found: PutAside[] = [];
    for await (const { value } of orders.typed(json<PutAside>()).scan({ prefix })) found.push(value);
    return found;
  };

  it('hands over batches in the order of the log, at most so many changes, and goes on where it was', async () => {
    for (let n = 0; n < 25; n++) await put(`order:${n % 5}`, `${n}`);
    await put('other:1', 'x');
    await orders.delete('order:0');
    const first = await listen({ batchMax: 10 });
    await eventually('all are handed over', () => values().length === 26, 20_000, 5);
    expect(Math.max(...calls.map((call) => call.values.length))).toBe(10);
    for (let key = 0; key < 5; key++)
      expect(values().filter((value) => value.startsWith(`order:${key}=`))).toEqual([
        ...[0, 1, 2, 3, 4].map((times) => `order:${key}=${times * 5 + key}`),
        ...(key === 0 ? ['order:0=gone'] : []),
      ]);
    await stop(first);
    await put('order:9', 'between');
    calls = [];
    await listen();
    await eventually('it goes on', () => values().length > 0, 20_000, 5);
    expect(values()).toEqual(['order:9=between']);
  });

  it('keeps its position where the application says, and begins again behind any token that it was given', async () => {
    const saved = new Map<string, string>();
    const positions = {
      load: (pattern: string) => Promise.resolve(saved.get(pattern)),
      save: (pattern: string, token: string) => Promise.resolve(void saved.set(pattern, token)),
    };
    const app = await listen({ positions, batchMax: 1 });
    await put('order:1', 'a');
    await put('order:1', 'b');
    await put('order:1', 'c');
    await eventually('all are handed over', () => values().length === 3, 20_000, 5);
    await stop(app);
    const pattern = '{"namespace":"shop.orders","prefix":"order:"}';
    expect(saved.get(pattern)).toBe(calls[2]?.token);
    expect(await orders.get('levee.handlers/shop/shop.orders/order:/position')).toBe(undefined);
    // As when the result of the first one is all that was stored in the application's own transaction.
    saved.set(pattern, calls[0]?.token ?? '');
    calls = [];
    await listen({ positions });
    await eventually('the others come again', () => values().length === 2, 20_000, 5);
    expect(values()).toEqual(['order:1=b', 'order:1=c']);
  });

  it.each([
    ['the first attempt', 1],
    ['every attempt', 2],
  ])(
    'what the application stored together with the token comes no second time, though %s failed',
    async (_, failing) => {
      let stored: { token: string; values: string[] } = { token: '', values: [] };
      const positions = { load: () => Promise.resolve(stored.token || undefined), save: () => Promise.resolve() };
      let failed = 0;
      meets = (changes, { token }) => {
        const isFirst = stored.values.length === 0;
        // One transaction, whose answer is lost.
        if (isFirst) stored = { token, values: changes.map(textOf) };
        if (failed++ < failing && isFirst) throw new Error('the connection was lost');
        if (failed <= failing) throw new Error('and again');
        if (!isFirst) stored = { token, values: [...stored.values, ...changes.map(textOf)] };
      };
      for (const value of ['a', 'b', 'c']) await put('order:1', value);
      await listen({ positions, attempts: 2 });
      await eventually('they are stored', () => stored.values.length === 3, 20_000, 5);
      await put('order:1', 'd');
      await eventually('it goes on', () => stored.values.length > 3, 20_000, 5);
      expect(stored.values).toEqual(['a', 'b', 'c', 'd'].map((value) => `order:1=${value}`));
      expect(await aside()).toEqual([]);
    },
  );

  it('is done with a batch when every method of its pattern is, whatever they give', async () => {
    let failing = 2;
    @Controller()
    class Others {
      @EventPattern({ namespace: 'shop.orders', prefix: 'order:' })
      nothing(): unknown {
        return EMPTY;
      }

      @EventPattern({ namespace: 'shop.orders', prefix: 'order:' })
      async late(@Payload() changes: readonly Change<Buffer>[]): Promise<void> {
        await new Promise((resolve) => setTimeout(resolve, 20));
        if (failing-- > 0) throw new Error('not yet');
        calls.push({ values: changes.map(textOf), token: '' });
      }
    }
    @Module({ controllers: [Others] })
    class OthersModule {}
    await put('order:1', 'a');
    const strategy = new LeveeLogServer({ client: levee.client(), name: 'shop', from: 'beginning' });
    const app = await NestFactory.createMicroservice(OthersModule, { strategy, logger: false });
    running.push(app);
    await app.listen();
    await eventually('it is handled', () => values().length > 0, 20_000, 5);
    expect([values(), failing]).toEqual([['order:1=a'], -1]);
  });

  it('tries a batch again, then each change alone, and puts aside what is refused; nothing stands still or overtakes', async () => {
    meets = (changes) => {
      if (changes.some(({ value }) => String(value) === 'bad')) throw new RpcException('never that');
    };
    for (const value of ['1', '2', 'bad', '3', '4']) await put('order:1', value);
    for (const value of ['5', 'bad', '6']) await put('order:2', value);
    await listen({ attempts: 2 });
    await eventually('the others are handed over', () => new Set(values()).size === 6, 20_000, 5);
    const of = (key: string): string[] => values().filter((value) => value.startsWith(key));
    expect(of('order:1')).toEqual(['order:1=1', 'order:1=2', 'order:1=3', 'order:1=4']);
    expect(of('order:2')).toEqual(['order:2=5', 'order:2=6']);
    await eventually('both are put aside', async () => (await aside()).length === 2, 20_000, 5);
    expect((await aside()).map(({ key, error }) => [key, error]).sort()).toEqual([
      ['order:1', 'never that'],
      ['order:2', 'never that'],
    ]);
  });

  it('does not wait for ever for a method that does not end, and tells it so', async () => {
    const told: boolean[] = [];
    meets = (changes, { signal }) => {
      if (String(changes[0]?.value) !== 'stuck') return;
      signal.addEventListener('abort', () => told.push(true));
      return new Promise(() => undefined);
    };
    await put('order:1', 'stuck');
    const app = await listen({ attempts: 1, handleMs: 20 });
    await put('order:1', 'next');
    await eventually('it goes on', () => values().includes('order:1=next'), 20_000, 5);
    expect(told.length).toBeGreaterThan(0);
    expect((await aside()).map(({ error }) => error)).toEqual(['it was not handled within 20 ms']);
    await stop(app);
  });

  it('waits for a method at work when it closes, and does not repeat what that did', async () => {
    let finish: () => void = () => undefined;
    let isAtWork = false;
    meets = () => {
      isAtWork = true;
      return new Promise((resolve) => (finish = resolve));
    };
    await put('order:1', 'a');
    const app = await listen();
    await eventually('it is at work', () => isAtWork, 20_000, 5);
    const closed = stop(app);
    finish();
    await closed;
    meets = () => undefined;
    await put('order:1', 'b');
    await listen();
    await eventually('it goes on', () => values().length === 2, 20_000, 5);
    expect(values()).toEqual(['order:1=a', 'order:1=b']);
  });

  it('refuses what it cannot be, with the value and what it may be', async () => {
    const server = (more: Partial<LeveeLogServerOptions>) => (): LeveeLogServer =>
      new LeveeLogServer({ client: levee.client(), name: 'shop', ...more });
    expect(server({ attempts: 0 })).toThrow(/attempts is 0, it must be a whole number from 1 to 1000/);
    expect(server({ handleMs: 0.5 })).toThrow(/handleMs is 0\.5/);
    expect(server({ name: 'a/b' })).toThrow(/name is 'a\/b', it must be 1 to 100 letters/);
    class Elsewhere {
      take(): void {}
    }
    EventPattern({ topic: 'x' })(
      Elsewhere.prototype,
      'take',
      Object.getOwnPropertyDescriptor(Elsewhere.prototype, 'take')!,
    );
    Controller()(Elsewhere);
    const module = { module: class {}, controllers: [Elsewhere] };
    const strategy = server({})();
    const app = await NestFactory.createMicroservice(module, { strategy, logger: false });
    await expect(app.listen()).rejects.toThrow(
      'the pattern {"topic":"x"} must be a namespace, or { namespace, prefix }',
    );
    await app.close();
  });

  it('LeveeLogClient writes events of a key in the order of its calls, and says where they stand, or that they are not', async () => {
    const log = new LeveeLogClient(levee.client());
    await listen();
    const [first, second] = [
      firstValueFrom(log.emit('shop.orders', { key: 'order:1', value: 'a' })),
      firstValueFrom(log.emit('shop.orders', { key: 'order:1', value: Buffer.from('b') })),
    ];
    expect([await first, await second]).toEqual([
      { position: expect.stringMatching(/^\d+:1$/) },
      { position: expect.stringMatching(/^\d+:2$/) },
    ]);
    await firstValueFrom(log.emit('shop.orders', { key: 'order:1', value: null }));
    await eventually('they are handed over', () => values().length === 3, 20_000, 5);
    expect(values()).toEqual(['order:1=a', 'order:1=b', 'order:1=gone']);
    const nowhere = new LeveeLogClient(new MemoryLevee({ namespaces: [] }).client());
    await expect(firstValueFrom(nowhere.emit('shop.orders', { key: 'k', value: 'v' }))).rejects.toThrow(NamespaceError);
    await expect(firstValueFrom(log.send('shop.orders', { key: 'k', value: 'v' }))).rejects.toThrow(/use emit/);
    const prefixed = log.emit({ namespace: 'shop.orders', prefix: 'order:' }, { key: 'k', value: 'v' });
    await expect(firstValueFrom(prefixed)).rejects.toThrow(/emit takes a namespace/);
  });
});
