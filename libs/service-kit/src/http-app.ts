import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import type { DynamicModule, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { CustomTransportStrategy } from '@nestjs/microservices';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Failure, messageOf, type Logger } from '@levee/kernel';
import { FailureFilter } from './http-failures';
import { nestLogger } from './logger';
import { UnusedConnections } from './unused-connections';

export interface HttpAppOptions {
  readonly module: DynamicModule | Type;
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** The setting that changes the port, for the message when it is taken. */
  readonly portSetting?: string;
  readonly logger: Logger;
  /** Default 1 MiB. */
  readonly bodyBytesMax?: number;
  readonly statusByCode?: Readonly<Record<string, number>>;
  /** Batches of log records for `@EventPattern(topic)` methods of the module's controllers. */
  readonly transports?: readonly CustomTransportStrategy[];
  /** Further set-up between creation and listening: OpenAPI, raw bodies, hooks. */
  readonly configure?: (app: NestFastifyApplication) => void | Promise<void>;
  /** Handed to Fastify's constructor (`rewriteUrl`, `maxParamLength`, …). */
  readonly fastify?: ConstructorParameters<typeof FastifyAdapter>[0];
}

export interface HttpApp {
  readonly app: NestFastifyApplication;
  readonly port: number;
  readonly url: string;
  /** Stops listening, lets requests under way finish, then destroys the module's providers. */
  close(): Promise<void>;
}

/** Creates the Nest application on Fastify and listens. Fails with PORT_IN_USE naming the setting to change. */
export async function startHttpApp(options: HttpAppOptions): Promise<HttpApp> {
  const adapter = new FastifyAdapter({
    bodyLimit: options.bodyBytesMax ?? 1024 * 1024,
    forceCloseConnections: 'idle',
    ...(options.fastify as object | undefined),
  });
  const app = await NestFactory.create<NestFastifyApplication>(options.module, adapter, {
    logger: nestLogger(options.logger),
    abortOnError: false,
  });
  app.useGlobalFilters(new FailureFilter(options.logger, options.statusByCode));
  const unused = new UnusedConnections(app.getHttpServer());
  adapter.getInstance().addHook('preClose', (done) => {
    unused.hangUp();
    done();
  });
  for (const strategy of options.transports ?? []) app.connectMicroservice({ strategy }, { inheritAppConfig: false });
  await options.configure?.(app);
  try {
    await app.startAllMicroservices();
    await app.listen(options.port, options.host);
  } catch (error) {
    await app.close();
    throw listenFailure(error, options);
  }
  const { port } = app.getHttpServer().address() as AddressInfo;
  return { app, port, url: `http://${hostForUrl(options.host)}:${port}`, close: () => app.close() };
}

function listenFailure(error: unknown, options: HttpAppOptions): unknown {
  if (typeof error !== 'object' || error === null || !('code' in error) || error.code !== 'EADDRINUSE') return error;
  const mend = options.portSetting === undefined ? 'choose another port' : `set ${options.portSetting} to another port`;
  const message = `port ${options.port} on ${options.host} is taken: ${mend}, or stop the process that holds it`;
  return new Failure('PORT_IN_USE', `${message} (${messageOf(error)})`, { cause: error });
}

const hostForUrl = (host: string): string => (host.includes(':') ? `[${host}]` : host);
