import { Inject } from '@nestjs/common';

/** Of the connection that was given no name. */
export const defaultConnection = 'default';

/** What a client is provided under. Override it in tests: `overrideProvider(leveeToken()).useValue(client)`. */
export const leveeToken = (connection = defaultConnection): symbol => Symbol.for(`@levee/nest client '${connection}'`);

/** What a store of `LeveeModule.forFeature` is provided under. */
export const namespaceToken = (namespace: string, connection = defaultConnection): symbol =>
  Symbol.for(`levee namespace '${namespace}' of '${connection}'`);

/** The client of a connection: a `Client`. */
export const InjectLevee = (connection?: string): ParameterDecorator & PropertyDecorator =>
  Inject(leveeToken(connection));

/** A store of `LeveeModule.forFeature`: a `Namespace` with the values of its codec. */
export const InjectNamespace = (namespace: string, connection?: string): ParameterDecorator & PropertyDecorator =>
  Inject(namespaceToken(namespace, connection));
