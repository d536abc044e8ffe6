import { ConfigurableModuleBuilder, type DynamicModule, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import type { ConnectOptions } from '@levee/sdk';
import { openConnection } from './connection';
import { besideClient, type LeveeStore, storeProviders } from './providers';
import { defaultConnection, leveeToken } from './tokens';

/** A class that makes the options of a connection, for `useClass` and `useExisting`. */
export interface LeveeOptionsFactory {
  createLeveeOptions(): ConnectOptions | Promise<ConnectOptions>;
}

export interface LeveeModuleExtras {
  /** Of the connection, where there are several; each needs another one. */
  readonly name?: string;
  /** Whether modules need not import it to inject what it has; default true. */
  readonly isGlobal?: boolean;
}

const optionsToken = Symbol('options of a connection to Levee');

const { ConfigurableModuleClass } = new ConfigurableModuleBuilder<ConnectOptions>({
  optionsInjectionToken: optionsToken,
})
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createLeveeOptions')
  .setExtras<LeveeModuleExtras>({}, (definition, { name = defaultConnection, isGlobal = true }) => {
    const beside = besideClient(name);
    return {
      ...definition,
      global: isGlobal,
      imports: [...(definition.imports ?? []), DiscoveryModule],
      providers: [
        ...(definition.providers ?? []),
        {
          provide: leveeToken(name),
          useFactory: (options: ConnectOptions) => openConnection(name, options),
          inject: [optionsToken],
        },
        ...beside,
      ],
      exports: [leveeToken(name), ...beside.map(({ provide }) => provide)],
    };
  })
  .build();

/**
 * Levee in an application of Nest. `forRoot` and `forRootAsync` make a connection: it is open before anything that
 * injects it, or the application does not start; it is closed when everything else has ended.
 */
@Module({})
export class LeveeModule extends ConfigurableModuleClass {
  /** Stores for `@InjectNamespace`, of the connection that has this name. */
  static forFeature(stores: readonly LeveeStore[], connection = defaultConnection): DynamicModule {
    const [mark, ...providers] = storeProviders(stores, connection);
    return { module: LeveeModule, providers: [mark, ...providers], exports: providers.map(({ provide }) => provide) };
  }
}
