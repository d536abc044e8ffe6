import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Registered {
  readonly schema: string;
  readonly schemaType?: string;
  readonly references?: readonly { readonly name: string; readonly subject: string; readonly version: number }[];
}

/**
 * A schema registry for tests: registers and tells schemas by Confluent's HTTP API. The same schema has one id in every
 * subject; AVRO is not named in answers; what is missing is 404 with the code of its kind.
 */
export class SchemaRegistryServer {
  /** Paths that were asked for. */
  readonly asked: string[] = [];
  /** Takes the place of the answer, for a registry that is ill. */
  sick: ((response: ServerResponse) => void) | undefined;
  private readonly schemas: Registered[] = [];
  private readonly subjects = new Map<string, number[]>();

  private constructor(
    private readonly server: Server,
    private readonly login: string | undefined,
  ) {
    server.on('request', (request, response) => void this.serve(request, response));
  }

  /** `login`: `user:password` that it asks for. */
  static async start(login?: string): Promise<SchemaRegistryServer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new SchemaRegistryServer(server, login);
  }

  get url(): string {
    const { port } = this.server.address() as AddressInfo;
    const who = this.login?.split(':').map(encodeURIComponent).join(':');
    return `http://${who === undefined ? '' : `${who}@`}127.0.0.1:${port}`;
  }

  /** Id of the schema. */
  register(subject: string, registered: Registered): number {
    const known = this.schemas.findIndex((each) => JSON.stringify(each) === JSON.stringify(registered));
    const id = known >= 0 ? known + 1 : this.schemas.push(registered);
    this.subjects.set(subject, [...(this.subjects.get(subject) ?? []), id]);
    return id;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { url = '', method = '' } = request;
    this.asked.push(url);
    if (this.sick !== undefined) return this.sick(response);
    const answer = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/vnd.schemaregistry.v1+json' });
      response.end(JSON.stringify(body));
    };
    const expected = this.login === undefined ? undefined : `Basic ${Buffer.from(this.login).toString('base64')}`;
    if (request.headers.authorization !== expected) return answer(401, { error_code: 401, message: 'Unauthorized' });
    const byId = /^\/schemas\/ids\/(\d+)$/.exec(url);
    if (byId !== null) {
      const found = this.schemas[Number(byId[1]) - 1];
      return found ? answer(200, found) : answer(404, { error_code: 40403, message: `Schema ${byId[1]} not found` });
    }
    const byVersion = /^\/subjects\/([^/]+)\/versions(?:\/(\d+))?$/.exec(url);
    if (byVersion === null) return answer(404, { error_code: 404, message: 'HTTP 404 Not Found' });
    const subject = decodeURIComponent(byVersion[1] as string);
    if (method === 'POST') {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part as Buffer);
      return answer(200, { id: this.register(subject, JSON.parse(Buffer.concat(parts).toString()) as Registered) });
    }
    const version = Number(byVersion[2]);
    const id = this.subjects.get(subject)?.[version - 1];
    if (id === undefined) return answer(404, { error_code: 40402, message: 'Version not found.' });
    return answer(200, { subject, version, id, ...this.schemas[id - 1] });
  }
}

/** As Confluent's serializers write it: a zero byte, the id of the schema big-endian, the body. */
export function framed(schemaId: number, body: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(schemaId, 1);
  return Buffer.concat([head, body]);
}
