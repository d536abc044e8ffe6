import { addressText, Failure, messageOf, type Address } from '@levee/kernel';
import type { ConnectionFactory, KafkajsConnection } from './kafkajs-client';
import { type ApiVersions, apis, decodeApiVersions, type KafkaApi, unsupportedApis } from './protocol/requests';

export type { Address };

/**
 * NOT_SENT: certainly nothing of the request left this process. NO_ANSWER: the broker may have carried it out.
 * BROKER_TOO_OLD: it does not speak what we need; trying again does not help.
 */
export type ConnectionFailureCode = 'NOT_SENT' | 'NO_ANSWER' | 'BROKER_TOO_OLD';

export class ConnectionFailure extends Failure<ConnectionFailureCode> {
  override readonly name = 'ConnectionFailure';
}

/**
 * One connection to one broker, opened when first needed and again after it broke. A broker serves the requests of a
 * connection one after the other, so whoever may wait long has one of its own.
 *
 * After any error the connection is thrown away: an answer that comes later must not meet a newer request, and a
 * broker that hangs must not get the next one on the same socket.
 */
export class BrokerConnection {
  private connection: KafkajsConnection | undefined;
  private opening: Promise<KafkajsConnection> | undefined;
  private closed = false;

  constructor(
    private readonly factory: ConnectionFactory,
    readonly address: Address,
    private readonly requestMs: number,
  ) {}

  /** Sends `body` (without header) and resolves with the answer's body; at most `waitMs` longer than usual. */
  async send(api: KafkaApi, body: Buffer, waitMs = 0): Promise<Buffer> {
    return this.sendOn(this.opened ?? (await this.open()), api, body, waitMs);
  }

  /** As {@link send}, at once or not at all: in the turn of this call, or nothing of it leaves this process. */
  async sendNow(api: KafkaApi, body: Buffer): Promise<Buffer> {
    const { opened } = this;
    if (opened === undefined) throw new ConnectionFailure('NOT_SENT', `${this.name}: the connection broke`);
    return this.sendOn(opened, api, body, 0);
  }

  /** Opens it, unless it is open. */
  async ready(): Promise<void> {
    if (this.opened === undefined) await this.open();
  }

  private async sendOn(connection: KafkajsConnection, api: KafkaApi, body: Buffer, waitMs: number): Promise<Buffer> {
    try {
      return await rawSend(connection, api, body, this.requestMs + waitMs);
    } catch (cause) {
      this.discard(connection);
      throw new ConnectionFailure('NO_ANSWER', `${this.name}: ${api.name}: ${messageOf(cause)}`, { cause });
    }
  }

  private get opened(): KafkajsConnection | undefined {
    return this.connection?.isConnected() === true ? this.connection : undefined;
  }

  get name(): string {
    return addressText(this.address);
  }

  close(): void {
    this.closed = true;
    if (this.connection !== undefined) this.discard(this.connection);
  }

  /** kafkajs would open a second socket for a second caller: they share the first one's attempt. */
  private open(): Promise<KafkajsConnection> {
    this.opening ??= this.connect().finally(() => (this.opening = undefined));
    return this.opening;
  }

  private async connect(): Promise<KafkajsConnection> {
    let connection: KafkajsConnection | undefined;
    try {
      if (this.closed) throw new Error('the log is closed');
      connection = await this.factory(this.address.host, this.address.port);
      await connection.connect();
      await whileOpen(connection, this.introduce(connection));
      if (this.closed) throw new Error('the log was closed meanwhile');
      this.connection = connection;
      return connection;
    } catch (cause) {
      if (connection !== undefined) this.discard(connection);
      if (cause instanceof ConnectionFailure) throw cause;
      throw new ConnectionFailure('NOT_SENT', `${this.name}: ${messageOf(cause)}`, { cause });
    }
  }

  private async introduce(connection: KafkajsConnection): Promise<void> {
    const versions = await this.versionsOf(connection);
    connection.setVersions(versions);
    connection.setSupportAuthenticationProtocol(true);
    await connection.authenticate();
  }

  private async versionsOf(connection: KafkajsConnection): Promise<ApiVersions> {
    const versions = decodeApiVersions(await rawSend(connection, apis.apiVersions, Buffer.alloc(0), this.requestMs));
    const missing = unsupportedApis(versions);
    if (missing.length > 0) {
      const what = `the broker ${this.name} does not speak ${missing.join(', ')}`;
      throw new ConnectionFailure('BROKER_TOO_OLD', `${what}: use Kafka 3.1 or newer`);
    }
    return versions;
  }

  private discard(connection: KafkajsConnection): void {
    if (this.connection === connection) this.connection = undefined;
    // An error (not a plain end) makes kafkajs reject what is under way and forget the socket.
    connection.socket?.destroy(new Error('given up'));
  }
}

/** kafkajs forgets what waits on a socket that ends while it is being set up, as after a TLS alert. */
function whileOpen<T>({ socket }: KafkajsConnection, work: Promise<T>): Promise<T> {
  if (socket === undefined) return work;
  return new Promise((resolve, reject) => {
    let reason = new Error('Closed connection');
    const failed = (error: Error): void => void (reason = error);
    const gone = (): void => reject(reason);
    socket.once('error', failed).once('close', gone);
    work.then(resolve, reject).finally(() => socket.off('error', failed).off('close', gone));
  });
}

function rawSend(connection: KafkajsConnection, api: KafkaApi, body: Buffer, timeoutMs: number): Promise<Buffer> {
  return connection.send({
    request: {
      apiKey: api.key,
      apiVersion: api.version,
      apiName: api.name,
      encode: () => Promise.resolve({ buf: body, buffer: body }),
    },
    response: { decode: (answer) => Promise.resolve(answer), parse: (answer) => Promise.resolve(answer) },
    requestTimeout: timeoutMs,
    logResponseError: false,
  });
}
