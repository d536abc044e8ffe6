import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import type { DynamicModule, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { CustomTransportStrategy } from '@nestjs/microservices';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Failure, messageOf, type Logger, type RequestTimes } from '@levee/kernel';
import { systemClock, systemTimers } from '@levee/log';
import { handshakeLimits, Handshakes, NetworkBudget, type TlsIdentity } from '@levee/wire';
import { guardRoutes, type HttpAccess } from './http-access';
import { HttpConnections } from './http-connections';
import { clientError, FailureFilter, frameworkError } from './http-failures';
import { checkHttpLimits, httpLimits, type HttpLimits } from './http-limits';
import { timeRequests } from './http-times';
import { isDeeperThan } from './json-depth';
import { nestLogger } from './logger';
import { securityHeaders, WebGuard } from './web-guard';

export interface HttpAppOptions {
  readonly module: DynamicModule | Type;
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** The setting that changes the port, for the message when it is taken. */
  readonly portSetting?: string;
  /** Names that clients may call the door by, beside every address, `localhost` and the name of the machine. */
  readonly names?: readonly string[];
  readonly logger: Logger;
  /** Default 1 MiB. */
  readonly bodyBytesMax?: number;
  readonly limits?: Partial<HttpLimits>;
  /** Of the process, where other doors share it; else the door has one of its own. */
  readonly budget?: NetworkBudget;
  /** Who may call what. */
  readonly access: HttpAccess;
  readonly statusByCode?: Readonly<Record<string, number>>;
  /** The door speaks TLS, and nothing else. */
  readonly tls?: TlsIdentity | undefined;
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
  readonly connections: HttpConnections;
  /** `GET /v1/status`, and so on, with parameters as they are registered. */
  readonly routes: ReadonlySet<string>;
  readonly times: RequestTimes;
  /** Numbers since the start, and what is held now. */
  stats(): Readonly<Record<string, number>>;
  /** Stops listening, lets requests under way finish, then destroys the module's providers. */
  close(): Promise<void>;
}

/** Creates the Nest application on Fastify and listens. Fails with PORT_IN_USE naming the setting to change. */
export async function startHttpApp(options: HttpAppOptions): Promise<HttpApp> {
  const limits = { ...httpLimits, ...options.limits };
  checkHttpLimits(limits);
  const server = { headersTimeout: limits.headMs, connectionsCheckingInterval: Math.min(1_000, limits.requestMs) };
  const handshake = { handshakeTimeout: handshakeLimits.handshakeMs };
  const adapter = new FastifyAdapter({
    bodyLimit: options.bodyBytesMax ?? 1024 * 1024,
    forceCloseConnections: 'idle',
    requestTimeout: limits.requestMs,
    ...(options.tls ? { https: { ...options.tls.serving, ...handshake, ...server } } : { http: server }),
    // A name that is too long is refused by whoever knows names.
    routerOptions: { maxParamLength: paramCharsMax },
    clientErrorHandler: clientError,
    frameworkErrors: frameworkError,
    ...(options.fastify as object | undefined),
  });
  const app = await NestFactory.create<NestFastifyApplication>(options.module, adapter, {
    logger: nestLogger(options.logger),
    abortOnError: false,
  });
  app.useGlobalFilters(new FailureFilter(options.logger, options.statusByCode));
  const budget = options.budget ?? new NetworkBudget(ownBudgetBytes, limits.crowdedMs, systemTimers);
  const world = { budget, logger: options.logger, clock: systemClock, timers: systemTimers };
  const listening = app.getHttpServer();
  const connections = new HttpConnections(listening, limits, world);
  const handshakes = options.tls && secured(listening as unknown as TlsServer, options.tls, options.logger);
  const web = new WebGuard(options.names ?? [], options.logger, systemClock);
  const fastify = app.getHttpAdapter().getInstance();
  refuseWebPages(fastify, web);
  const times = timeRequests(fastify);
  const routes = guardRoutes(fastify, options.access);
  guard(fastify, connections, limits);
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
  const url = `${options.tls ? 'https' : 'http'}://${hostForUrl(options.host)}:${port}`;
  const close = async (): Promise<void> => {
    // Nest would first take away what requests under way are answered from.
    const stopped = connections.stop();
    handshakes?.close();
    await stopped;
    await app.close();
  };
  const stats = (): Readonly<Record<string, number>> => {
    const { counts, connections: open, heldBytes } = connections;
    return { ...counts, ...web.counts, ...handshakes?.counts, connections: open, heldBytes };
  };
  return { app, port, url, connections, routes, times, stats, close };
}

/** Of a door that shares no budget: those of the master, the dispatcher and the nodes answer people and metrics. */
const ownBudgetBytes = 32 * 1024 * 1024;
/** Node takes no longer head. */
const paramCharsMax = 16 * 1024;

/** Counts handshakes, and gives connections the certificate that is there when they come. */
function secured(server: TlsServer, tls: TlsIdentity, logger: Logger): Handshakes {
  server.once(
    'close',
    tls.onChange(() => server.setSecureContext(tls.serving)),
  );
  return new Handshakes(server, handshakeLimits, { logger, clock: systemClock });
}

/** Before anything else of a request is looked at. */
function refuseWebPages(fastify: FastifyInstance, web: WebGuard): void {
  fastify.addHook('onRequest', ({ method, originalUrl, headers, ip }, { raw }, done) => {
    // On the answer itself, so that those that are written without Fastify have them too.
    for (const [name, value] of Object.entries(securityHeaders)) raw.setHeader(name, value);
    done(web.problem({ method, url: originalUrl, headers, ip }));
  });
}

/** What every request has to go through before a controller sees it. */
function guard(fastify: FastifyInstance, connections: HttpConnections, limits: HttpLimits): void {
  fastify.addHook('preClose', (done) => {
    connections.hangUp();
    done();
  });
  fastify.addHook('onRequest', (request, reply, done) => {
    const problem = repeatedParameter(request) ?? tooLargeNow(request, connections, limits);
    if (problem?.code === 'LIMIT') void reply.header('connection', 'close').header('retry-after', '1');
    done(problem);
  });
  fastify.addHook('preParsing', (request, reply, payload, done) => {
    countBody(connections, request, reply);
    done(null, payload);
  });
  fastify.addHook('preValidation', (request, _reply, done) => {
    if (!isDeeperThan(request.body, limits.jsonDepthMax)) return done();
    done(new Failure('BAD_REQUEST', `the body is nested deeper than ${limits.jsonDepthMax} levels`));
  });
}

function countBody(connections: HttpConnections, { raw }: FastifyRequest, reply: FastifyReply): void {
  let bytes = 0;
  // What still comes after the answer is thrown away.
  let isOver = false;
  raw.on('data', (chunk: Buffer) => {
    if (isOver) return;
    bytes += chunk.length;
    connections.body(raw, chunk.length);
  });
  reply.raw.once('close', () => {
    isOver = true;
    connections.body(raw, -bytes);
  });
}

/** Which of the two is meant nobody can tell. */
function repeatedParameter({ query }: FastifyRequest): Failure | undefined {
  const found = Object.entries((query ?? {}) as Record<string, unknown>).find(([, value]) => Array.isArray(value));
  return found && new Failure('BAD_REQUEST', `${found[0].slice(0, 40)} is given more than once: give it once`);
}

/** What may become large waits outside while there is no room; what is small is answered as ever. */
function tooLargeNow(
  { headers }: FastifyRequest,
  connections: HttpConnections,
  limits: HttpLimits,
): Failure | undefined {
  if (!connections.crowded) return undefined;
  const isChunked = headers['transfer-encoding'] !== undefined;
  if (!isChunked && Number(headers['content-length'] ?? 0) <= limits.smallBytes) return undefined;
  return new Failure(
    'LIMIT',
    'what connections hold of requests and answers has reached the network budget (LEVEE_NETWORK_BUDGET): ask again later',
  );
}

function listenFailure(error: unknown, options: HttpAppOptions): unknown {
  if (typeof error !== 'object' || error === null || !('code' in error) || error.code !== 'EADDRINUSE') return error;
  const mend = options.portSetting === undefined ? 'choose another port' : `set ${options.portSetting} to another port`;
  const message = `port ${options.port} on ${options.host} is taken: ${mend}, or stop the process that holds it`;
  return new Failure('PORT_IN_USE', `${message} (${messageOf(error)})`, { cause: error });
}

const hostForUrl = (host: string): string => (host.includes(':') ? `[${host}]` : host);
