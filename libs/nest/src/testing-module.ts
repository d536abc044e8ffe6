import { type DynamicModule, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { MemoryLevee, type MemoryLeveeOptions } from '@levee/sdk';
import { besideClient } from './providers';
import { defaultConnection, leveeToken } from './tokens';

export interface LeveeTestingOptions extends MemoryLeveeOptions {
  /** Of the connection that it stands for. */
  readonly name?: string;
}

/**
 * In place of `LeveeModule.forRoot`: the same connection on Levee in memory, without a port. Inject {@link MemoryLevee}
 * to move time. For an application whose modules have `forRoot` in them, override the client instead:
 * `overrideProvider(leveeToken()).useValue(new MemoryLevee().client())`.
 */
@Module({})
export class LeveeTestingModule {
  static forRoot({ name = defaultConnection, ...options }: LeveeTestingOptions = {}): DynamicModule {
    const levee = new MemoryLevee(options);
    const beside = besideClient(name);
    return {
      module: LeveeTestingModule,
      global: true,
      imports: [DiscoveryModule],
      providers: [
        { provide: MemoryLevee, useFactory: () => levee },
        { provide: leveeToken(name), useFactory: () => levee.client() },
        ...beside,
      ],
      exports: [MemoryLevee, leveeToken(name), ...beside.map(({ provide }) => provide)],
    };
  }
}
