import type { FactoryProvider, Provider } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import type { Client, Codec } from '@levee/sdk';
import { ChangeHandlers } from './changes/change-handlers';
import { ConnectionEnd } from './connection';
import { healthToken, LeveeHealthIndicator } from './health';
import { leveeToken, namespaceToken } from './tokens';

/** A namespace with values of one kind, for `@InjectNamespace(namespace)`. */
export interface LeveeStore {
  readonly namespace: string;
  /** Bytes, when it is not given. */
  readonly codec?: Codec<unknown>;
}

/** What every connection has beside its client. */
export const besideClient = (connection: string): FactoryProvider[] => [
  {
    provide: healthToken(connection),
    useFactory: (client: Client) => new LeveeHealthIndicator(client),
    inject: [leveeToken(connection)],
  },
  {
    provide: Symbol.for(`@levee/nest end of '${connection}'`),
    useFactory: (client: Client) => new ConnectionEnd(client),
    inject: [leveeToken(connection)],
  },
  {
    provide: Symbol.for(`@levee/nest changes of '${connection}'`),
    useFactory: (client: Client, discovery: DiscoveryService, scanner: MetadataScanner) =>
      new ChangeHandlers(client, connection, discovery, scanner),
    inject: [leveeToken(connection), DiscoveryService, MetadataScanner],
  },
];

let features = 0;

/**
 * Stores and, first, a mark that no other list has: Nest 10 takes two dynamic modules for one when their providers
 * look the same as text, and two codecs do.
 */
export function storeProviders(stores: readonly LeveeStore[], connection: string): [Provider, ...FactoryProvider[]] {
  return [
    { provide: Symbol.for('@levee/nest feature'), useValue: `feature ${++features}` },
    ...stores.map(({ namespace, codec }): FactoryProvider => ({
      provide: namespaceToken(namespace, connection),
      useFactory: (client: Client) => (codec ? client.namespace(namespace).typed(codec) : client.namespace(namespace)),
      inject: [leveeToken(connection)],
    })),
  ];
}
