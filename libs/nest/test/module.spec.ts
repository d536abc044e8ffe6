import { Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import {
  defaultConnection,
  InjectLevee,
  InjectLeveeHealth,
  InjectNamespace,
  LeveeConnectionError,
  LeveeHealthIndicator,
  LeveeModule,
  type LeveeOptionsFactory,
  LeveeTestingModule,
  leveeToken,
} from '@levee/nest';
import {
  CodecError,
  json,
  LimitError,
  MemoryLevee,
  NamespaceError,
  utf8,
  type Client,
  type ConnectOptions,
  type Namespace,
} from '@levee/sdk';
import { bound } from '../../../test/support/seed';

interface Order {
  readonly total: number;
}

@Injectable()
class Orders implements OnModuleDestroy {
  lastWrite: Promise<unknown> | undefined;

  constructor(
    @InjectNamespace('shop.orders') readonly store: Namespace<Order>,
    @InjectNamespace('shop.orders', 'archive') readonly old: Namespace<string>,
    @InjectLevee() readonly client: Client,
  ) {}

  onModuleDestroy(): void {
    this.lastWrite = this.store.put('last', { total: 0 });
    this.lastWrite.catch(() => undefined);
  }
}

@Module({
  imports: [
    LeveeModule.forFeature([{ namespace: 'shop.orders', codec: json<Order>() }]),
    LeveeModule.forFeature([{ namespace: 'shop.orders', codec: utf8 }], 'archive'),
  ],
  providers: [Orders],
})
class OrdersModule {}

@Injectable()
class Texts {
  constructor(@InjectNamespace('shop.orders') readonly store: Namespace<string>) {}
}

/** The same namespace, read otherwise. */
@Module({ imports: [LeveeModule.forFeature([{ namespace: 'shop.orders', codec: utf8 }])], providers: [Texts] })
class RawModule {}

@Injectable()
class Places implements LeveeOptionsFactory {
  static options: ConnectOptions = { portals: [] };

  createLeveeOptions(): ConnectOptions {
    return Places.options;
  }
}

/** Where nobody listens. */
const nobody = '127.0.0.1:1';

describe('an application on Levee in memory', () => {
  const started = async (namespaces?: string[]) => {
    const app = await Test.createTestingModule({
      imports: [
        LeveeTestingModule.forRoot(namespaces ? { namespaces } : {}),
        LeveeTestingModule.forRoot({ name: 'archive' }),
        OrdersModule,
        RawModule,
      ],
    }).compile();
    await app.init();
    return app;
  };

  it('gets typed stores of several connections, each with its own keys, and starts in under 200 ms', async () => {
    // On a machine with other work, one of a few says what it takes.
    const tookMs: number[] = [];
    for (let i = 0; i < 3; i++) {
      const beganMs = performance.now();
      const tried = await started();
      tookMs.push(performance.now() - beganMs);
      await tried.close();
    }
    expect(Math.min(...tookMs)).toBeLessThan(bound(200));
    const app = await started();
    const { store, old, client } = app.get(Orders);
    await store.put('1', { total: 5 });
    expect(await store.get('1')).toEqual({ total: 5 });
    expect(await old.get('1')).toBeUndefined();
    expect(client.namespace('shop.orders')).toBeDefined();
    expect(client).toBe(app.get(leveeToken()));
    await app.close();
  });

  it('two modules may read one namespace by codecs of their own', async () => {
    const app = await started();
    await app.get(Orders).store.put('1', { total: 5 });
    const raw = app.get(Texts).store;
    expect(await raw.get('1')).toBe('{"total":5}');
    await raw.put('2', 'no JSON');
    await expect(app.get(Orders).store.get('2')).rejects.toThrow(CodecError);
    await app.close();
  });

  it('moves time', async () => {
    const app = await Test.createTestingModule({ imports: [LeveeTestingModule.forRoot()] }).compile();
    const store = app.get<Client>(leveeToken()).namespace('a').typed(utf8);
    await store.put('a', 'x', { ttlMs: 60_000 });
    app.get(MemoryLevee).advance(59_000);
    expect(await store.get('a')).toBe('x');
    app.get(MemoryLevee).advance(1_000);
    expect(await store.get('a')).toBeUndefined();
    await app.close();
  });

  it('fails by the classes of the client', async () => {
    const app = await started(['another']);
    const { store } = app.get(Orders);
    await expect(store.get('1')).rejects.toThrow(NamespaceError);
    await expect(store.get('k'.repeat(1_025))).rejects.toThrow(NamespaceError);
    const { old } = app.get(Orders);
    await expect(old.get('k'.repeat(1_025))).rejects.toThrow(LimitError);
    await app.close();
  });

  it('is written to while it shuts down, and closed after that', async () => {
    const app = await started();
    const orders = app.get(Orders);
    await app.close();
    expect(await orders.lastWrite).toMatchObject({ position: expect.stringMatching(/^\d+:\d+$/) as string });
    await expect(orders.store.get('last')).rejects.toMatchObject({ code: 'CLIENT_CLOSED' });
  });

  it('takes the place of a real connection by one override, and nothing is connected', async () => {
    const levee = new MemoryLevee();
    const app = await Test.createTestingModule({
      imports: [
        LeveeModule.forRoot({ portals: ['127.0.0.1:1'] }),
        LeveeModule.forRoot({ portals: ['127.0.0.1:1'], name: 'archive' }),
        OrdersModule,
      ],
    })
      .overrideProvider(leveeToken())
      .useValue(levee.client())
      .overrideProvider(leveeToken('archive'))
      .useValue(levee.client())
      .compile();
    await app.get(Orders).store.put('1', { total: 5 });
    expect(await app.get(Orders).old.get('1')).toBe('{"total":5}');
    expect(await app.get(LeveeHealthIndicator).isHealthy()).toEqual({
      levee: { status: 'up', portals: { memory: 'up' } },
    });
    await app.close();
  });

  it('a store of a connection that nobody made is an error that names it', async () => {
    const made = Test.createTestingModule({ imports: [LeveeTestingModule.forRoot(), OrdersModule] }).compile();
    await expect(made).rejects.toThrow(/@levee\/nest client 'archive'/);
  });
});

describe('the health of a connection', () => {
  @Injectable()
  class Watched {
    constructor(@InjectLeveeHealth('archive') readonly health: LeveeHealthIndicator) {}
  }

  it('is told for each connection under any key, and down when the namespace does not answer', async () => {
    const app = await Test.createTestingModule({
      imports: [LeveeTestingModule.forRoot({ name: 'archive', namespaces: ['shop.orders'] })],
      providers: [Watched],
    }).compile();
    const { health } = app.get(Watched);
    const portals = { memory: 'up' };
    expect(await health.isHealthy('archive', { namespace: 'shop.orders' })).toEqual({
      archive: { status: 'up', portals },
    });
    expect(await health.isHealthy('archive', { namespace: 'shop.no' })).toEqual({
      archive: {
        status: 'down',
        portals,
        problem: expect.stringContaining('LVNAMESPACE there is no namespace') as string,
      },
    });
    await app.close();
    expect(await health.isHealthy()).toMatchObject({ levee: { status: 'down', problem: 'no portal answers' } });
  });
});

describe('an application whose Levee does not answer', () => {
  it.each(['forRoot', 'useFactory', 'useClass'] as const)(
    'by %s does not start, says why, and ends in time',
    async (how) => {
      const portals = [nobody];
      const deadlineMs = 300;
      const root = {
        forRoot: () => LeveeModule.forRoot({ portals, deadlineMs, name: 'shop' }),
        useFactory: () =>
          LeveeModule.forRootAsync({ name: 'shop', useFactory: () => Promise.resolve({ portals, deadlineMs }) }),
        useClass: () => LeveeModule.forRootAsync({ name: 'shop', useClass: Places }),
      }[how]();
      Places.options = { portals, deadlineMs };
      const beganMs = performance.now();
      const failure = (await NestFactory.createApplicationContext(root, { logger: false, abortOnError: false }).then(
        () => undefined,
        (error: unknown) => error,
      )) as LeveeConnectionError;
      expect(failure).toBeInstanceOf(LeveeConnectionError);
      expect(failure.message).toContain(
        `Levee, connection 'shop', cannot be opened: no portal answered within 300 ms: ${portals[0]}`,
      );
      expect(failure.connection).not.toBe(defaultConnection);
      expect(performance.now() - beganMs).toBeLessThan(10_000);
    },
  );
});
