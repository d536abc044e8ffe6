import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, HttpAdapterHost } from '@nestjs/core';
import type { FastifyAdapter } from '@nestjs/platform-fastify';
import { TerminusModule } from '@nestjs/terminus';
import { LeveeModule } from '@levee/nest';
import { CustomerTotals } from './customer-totals';
import { CustomersController } from './customers.controller';
import { Drain } from './drain';
import { HealthController } from './health.controller';
import { LeveeErrors } from './levee-errors';
import { orderCodec } from './order';
import { OrderChanges } from './order-changes';
import { OrdersController } from './orders.controller';
import type { Settings } from './settings';

/** All of it but the connection to Levee, in whose place tests have one in memory. */
@Module({})
export class OrdersModule {
  static with({ keepsView, drainMs }: Pick<Settings, 'keepsView' | 'drainMs'>): DynamicModule {
    return {
      module: OrdersModule,
      imports: [
        LeveeModule.forFeature([
          { namespace: 'shop.orders', codec: orderCodec },
          { namespace: 'shop.customers' }, // values of several kinds: see CustomerTotals
        ]),
        TerminusModule.forRoot({ gracefulShutdownTimeoutMs: drainMs }),
      ],
      controllers: [OrdersController, CustomersController, HealthController],
      providers: [
        CustomerTotals,
        ...(keepsView ? [OrderChanges] : []),
        {
          provide: Drain,
          useFactory: (host: HttpAdapterHost<FastifyAdapter>) => new Drain(host, drainMs),
          inject: [HttpAdapterHost],
        },
        { provide: APP_FILTER, useClass: LeveeErrors },
      ],
    };
  }
}

@Module({})
export class AppModule {
  static with(settings: Settings): DynamicModule {
    const { portals, user, password } = settings;
    return {
      module: AppModule,
      imports: [LeveeModule.forRoot({ portals, user, password }), OrdersModule.with(settings)],
    };
  }
}
