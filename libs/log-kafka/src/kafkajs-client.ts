import { addressText, parseAddress, type Logger } from '@levee/kernel';
import { type Admin, Kafka, type KafkaConfig, type LogEntry, logLevel } from 'kafkajs';
import net from 'node:net';
import tls from 'node:tls';
import type { KafkaLogLimits } from './limits';
import type { ApiVersions } from './protocol/requests';

/** The part of kafkajs' `Connection` that we use: sockets, TLS, SASL, framing, correlation, request timeouts. */
export interface KafkajsConnection {
  isConnected(): boolean;
  connect(): Promise<unknown>;
  authenticate(): Promise<void>;
  setVersions(versions: ApiVersions): void;
  setSupportAuthenticationProtocol(supported: boolean): void;
  send(call: KafkajsCall): Promise<Buffer>;
  readonly socket?: net.Socket;
  readonly requestQueue: object;
}

export interface KafkajsCall {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    encode(): Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>;
  };
  readonly response: { decode(answer: Buffer): Promise<Buffer>; parse(answer: Buffer): Promise<Buffer> };
  readonly requestTimeout: number;
  readonly logResponseError: false;
}

/** Makes a connection that is not connected yet. */
export type ConnectionFactory = (host: string, port: number) => Promise<KafkajsConnection>;

export interface KafkajsOptions {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly logger: Logger;
  readonly limits: KafkaLogLimits;
  readonly ssl?: KafkaConfig['ssl'];
  readonly sasl?: KafkaConfig['sasl'];
  readonly socketFactory?: KafkaConfig['socketFactory'];
}

export interface KafkajsClient {
  readonly connection: ConnectionFactory;
  admin(): Admin;
}

/**
 * kafkajs as a supplier of connections and of the admin client. Its producer and consumer are not used: they lose
 * acknowledged writes and never check checksums (docs/decisions). A consumer is made, and never run, only because it
 * hands its cluster, with the connection builder, to the partition assigner.
 */
export function createKafkajsClient(options: KafkajsOptions): KafkajsClient {
  const { limits, logger } = options;
  const names = new BrokerNames(options.brokers);
  const kafka = new Kafka({
    brokers: [...names.brokers],
    clientId: options.clientId,
    connectionTimeout: limits.connectMs,
    requestTimeout: limits.requestMs,
    enforceRequestTimeout: true,
    // The admin client tries again until `adminMs` has passed; topics and controllers come and go in between.
    retry: { initialRetryTime: 50, factor: 0.2, multiplier: 1.5, maxRetryTime: 500, retries: 40 },
    logLevel: logLevel.WARN,
    logCreator: () => (entry: LogEntry) => toLogger(logger, entry),
    socketFactory: (wish) =>
      surviving((options.socketFactory ?? socketWithoutDelay)({ ...wish, host: names.hostOf(wish.host) })),
    ...(options.ssl === undefined ? {} : { ssl: options.ssl }),
    ...(options.sasl === undefined ? {} : { sasl: options.sasl }),
  });
  const { connectionPoolBuilder } = capturedCluster(kafka);
  const connection: ConnectionFactory = async (host, port) => {
    const { pool } = await connectionPoolBuilder.build({ host, port, rack: null });
    quietTimers(pool[0].requestQueue);
    return pool[0];
  };
  // The admin client makes connections of its own, which nobody else sees: this one is never opened.
  void connection('localhost', 0);
  return {
    connection,
    admin: () => kafka.admin(),
  };
}

/** kafkajs takes a broker apart at its first colon: in place of an IPv6 address it is given a name. */
class BrokerNames {
  readonly brokers: readonly string[];
  private readonly hosts = new Map<string, string>();

  constructor(brokers: readonly string[]) {
    this.brokers = brokers.map((text, at) => {
      const address = parseAddress(text);
      if (address === undefined || net.isIP(address.host) !== 6) return text;
      const host = `ipv6-${at}.invalid`;
      this.hosts.set(host, address.host);
      return addressText({ ...address, host });
    });
  }

  hostOf(name: string): string {
    return this.hosts.get(name) ?? name;
  }
}

interface CapturedCluster {
  readonly connectionPoolBuilder: {
    build(at: { host: string; port: number; rack: null }): Promise<{ pool: [KafkajsConnection] }>;
  };
}

function capturedCluster(kafka: Kafka): CapturedCluster {
  let captured: unknown;
  kafka.consumer({
    groupId: 'unused',
    allowAutoTopicCreation: false,
    partitionAssigners: [
      ({ cluster }) => {
        captured = cluster;
        return {
          name: 'unused',
          version: 0,
          assign: () => Promise.resolve([]),
          protocol: () => ({ name: 'unused', metadata: Buffer.alloc(0) }),
        };
      },
    ],
  });
  return captured as CapturedCluster;
}

/** Nagle's algorithm costs 40 ms for the second of two small requests. */
const socketWithoutDelay: NonNullable<KafkaConfig['socketFactory']> = ({ host, port, ssl, onConnect }) => {
  const keepAliveMs = 60_000;
  const servername = net.isIP(host) === 0 ? { servername: host } : {};
  const socket = ssl
    ? tls.connect({ host, port, ...servername, ...(typeof ssl === 'object' ? ssl : {}) }, onConnect)
    : net.connect({ host, port }, onConnect);
  socket.setNoDelay(true);
  socket.setKeepAlive(true, keepAliveMs);
  return socket;
};

/**
 * What is no frame (a damaged length) makes kafkajs throw while it listens to the socket, which would end the process.
 * It ends the connection: what was under way on it is asked again.
 */
function surviving(socket: net.Socket): net.Socket {
  const listen = socket.on.bind(socket);
  const guarded = (event: string, listener: (chunk: Buffer) => void): net.Socket =>
    listen(event, (chunk: Buffer) => {
      try {
        listener(chunk);
      } catch (error) {
        socket.destroy(error instanceof Error ? error : new Error(String(error)));
      }
    });
  socket.on = ((event: string, listener: (chunk: Buffer) => void) =>
    event === 'data' ? guarded(event, listener) : listen(event, listener)) as typeof socket.on;
  return socket;
}

interface RequestQueue {
  pending: unknown[];
  scheduleCheckPendingRequests(): void;
}

const quietKinds = new WeakSet<RequestQueue>();

/**
 * kafkajs re-arms a 1 ms timer per connection for ever, also of its admin client; it is needed only while requests wait in
 * the queue.
 */
function quietTimers(queue: object): void {
  const kind = Object.getPrototypeOf(queue) as RequestQueue;
  if (quietKinds.has(kind)) return;
  quietKinds.add(kind);
  const original = kind.scheduleCheckPendingRequests;
  kind.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0) original.call(this);
  };
}

/** kafkajs calls retriable conditions errors; what matters is said by this adapter itself. */
function toLogger(logger: Logger, { namespace, label, log }: LogEntry): void {
  const { message, timestamp: _timestamp, logger: _logger, stack: _stack, ...fields } = log;
  logger.debug({ ...fields, kafkajs: namespace, level: label, text: message }, 'kafkajs');
}
