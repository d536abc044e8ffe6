import { isUtf8 } from 'node:buffer';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerPlans } from './fake-plans';

interface Entry {
  readonly value: Buffer;
  readonly expiresAt: string | undefined;
}

const percentDecode = (text: string): Buffer =>
  Buffer.from(
    text.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
    'latin1',
  );

/** Text where it is UTF-8, else base64. */
const field = (name: string, bytes: Buffer): Record<string, string> =>
  isUtf8(bytes) ? { [name]: bytes.toString() } : { [`${name}Base64`]: bytes.toString('base64') };

/** From 2026 on. */
const expiryOf = (ttl: string | string[] | undefined): string | undefined =>
  ttl === undefined ? undefined : String(1_767_225_600_000 + parseInt(String(ttl), 10));

const knobFailure = (message: string): Answer => ({ status: 422, body: { code: 'BAD_KNOB', message } });

const proof = {
  ...{ namespace: 'default', chunkId: 'default#1/c00001', verdict: 'proved', message: '', late: false },
  ...{ provedAtMs: 1_770_000_000_000, checkedAtMs: 1_770_000_000_000, replicasProved: 2, replicas: 2 },
};
const proofs = [
  proof,
  {
    ...proof,
    namespace: 'shop',
    chunkId: 'shop#1/c00001',
    verdict: null,
    provedAtMs: null,
    checkedAtMs: null,
    replicasProved: 0,
  },
  {
    ...{ ...proof, namespace: 'shop', chunkId: 'shop#1/c00002', verdict: 'replicaDiffers', replicasProved: 1 },
    message: 'shop#1/c00002, partition 0 before offset 9: the log says 3 keys, n2/u00 on n2 holds 2 keys',
  },
];

type Answer = { readonly status: number; readonly body?: unknown; readonly headers?: Record<string, string> };

/** Answers like a portal's HTTP door, from memory; remembers what it was asked. */
const knobsOf = (set: Record<string, unknown>) =>
  [
    { knob: 'ack', value: 'logged', allowed: 'logged | primary | all', fixedBecause: null },
    { knob: 'maxStalenessMs', value: null, allowed: '100 to 86400000 ms, or none', fixedBecause: null },
    { knob: 'partitions', value: 8, allowed: '1 | 2 | 4', fixedBecause: 'records are there already' },
  ].map((knob) => ({ ...knob, value: set[knob.knob] ?? knob.value }));

export class FakePortal {
  readonly requests: { readonly method: string; readonly url: string; readonly headers: IncomingMessage['headers'] }[] =
    [];
  /** What GET /v1/doctor answers. */
  doctor: unknown = { findings: [], unknown: [], looked: { topics: 9, nodes: 1, replicas: 1 } };
  /** Of which cluster GET /v1/status says it is; `undefined`: it does not say. */
  clusterId: string | undefined;
  private readonly entries = new Map<string, Entry>();
  private nextOffset = 1;

  private constructor(private readonly server: Server) {}

  static async open(): Promise<FakePortal> {
    const server = createServer();
    const portal = new FakePortal(server);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => void portal.serve(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return portal;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  connections(): Promise<number> {
    return new Promise((resolve) => this.server.getConnections((_error, count) => resolve(count)));
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const { method = '', url = '', headers } = request;
    this.requests.push({ method, url, headers });
    const [path = '', query = ''] = url.split('?');
    if (path.startsWith('/v1/log/') && path !== '/v1/log/topics') return this.serveLog(response, query);
    const { status, body, headers: more = {} } = this.answer({ method, path, query }, headers, Buffer.concat(chunks));
    const bytes = Buffer.isBuffer(body)
      ? body
      : Buffer.from(body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body));
    response.writeHead(status, more).end(bytes);
  }

  private answer(
    { method, path, query }: { method: string; path: string; query: string },
    headers: IncomingMessage['headers'],
    body: Buffer,
  ): Answer {
    const [, , area = '', namespace = '', key] = path.split('/');
    if (area === 'kv' && key === undefined) return this.scan(namespace, new URLSearchParams(query));
    if (area === 'kv' && key !== undefined) {
      const id = `${namespace}/${key}`;
      if (namespace === 'nowhere')
        return { status: 404, body: { code: 'LVNAMESPACE', message: 'there is no namespace nowhere' } };
      if (method === 'GET') {
        const entry = this.entries.get(id);
        if (!entry)
          return { status: 404, body: { code: 'NOT_FOUND', message: `there is no such key in ${namespace}` } };
        const expires = entry.expiresAt === undefined ? {} : { 'levee-expires-at': entry.expiresAt };
        return {
          status: 200,
          body: entry.value,
          headers: { 'levee-position': '0:7', 'levee-session': 's1', ...expires },
        };
      }
      if (headers['levee-ack'] === 'all')
        return { status: 202, body: { code: 'LVPENDING', message: 'logged at 0:9, not yet applied by n2' } };
      const position = { 'levee-position': `0:${++this.nextOffset}`, 'levee-session': 's2' };
      if (method === 'DELETE') this.entries.delete(id);
      else this.entries.set(id, { value: body, expiresAt: expiryOf(headers['levee-ttl']) });
      return { status: 204, headers: position };
    }
    return answerPlans({ method, path, query, body }) ?? this.admin(method, path, query, body);
  }

  /** Pages of two. */
  private scan(namespace: string, query: URLSearchParams): Answer {
    const keys = [...this.entries.keys()].filter((id) => id.startsWith(`${namespace}/`)).sort();
    const start = Number(query.get('cursor') ?? 0);
    const count = Math.min(2, Number(query.get('limit') ?? 2));
    const lines = keys.slice(start, start + count).map((id) => ({
      ...field('key', percentDecode(id.slice(namespace.length + 1))),
      ...(id.endsWith('broken')
        ? { error: 'LVUNREADABLE 0:3' }
        : field('value', this.entries.get(id)?.value ?? Buffer.alloc(0))),
    }));
    const end = start + count;
    const chunk = {
      chunkId: `${namespace}#1/c00001`,
      slotStart: 0,
      slotEnd: 1_000_000,
      nodeIds: [`n${1 + (start > 0 ? 1 : 0)}`],
    };
    const visited = query.has('visited') ? { visited: [{ ...chunk, pages: 1, keys: lines.length }] } : {};
    const last = { cursor: end < keys.length ? String(end) : null, ...visited };
    return { status: 200, body: [...lines, last].map((line) => `${JSON.stringify(line)}\n`).join('') };
  }

  private admin(method: string, path: string, query: string, body: Buffer): Answer {
    const namespace = {
      name: 'default',
      number: 1,
      state: 'active',
      partitions: 8,
      chunks: 8,
      replicas: 3,
      hashAlgorithm: 'murmur2',
      recordFormat: 'put',
      sourceTopic: null,
      sourceTopicId: null,
      sourceFinding: 'none',
      sourceProblem: null,
      frozenBy: null,
      forkedFrom: null,
      writable: true,
      expireWithRetention: false,
      ack: 'logged',
      consistency: 'session',
      multi: 'refuse',
      flush: 'refuse',
      binlog: 'levee.binlog.default',
      maxStalenessMs: null,
    };
    const totals = {
      chunks: 4,
      replicas: 12,
      capacityBytes: 3221225472,
      quotaBytes: 1073741824,
      storedBytes: 70000,
      liveKeys: 120,
      chunksUntold: 0,
    };
    const frozen = {
      ...{ name: 'default', frozenBy: 'operator', frozenReason: 'export', frozenAt: '2025-06-15T15:06:40.000Z' },
      ...{ frozenSeq: 7, confirmed: false, waiting: [] },
    };
    const replica = { nodeId: 'n1', unitId: 'n1/u00', role: 'primary' };
    switch (`${method} ${path}`) {
      case 'GET /v1/namespaces':
        if (query === '') return { status: 200, body: { namespaces: [namespace] } };
        return { status: 200, body: { namespaces: [{ ...namespace, name: `answer to ${query}` }] } };
      case 'GET /v1/groups':
        return { status: 200, body: { groups: [{ group: 'shop', namespaces: 2, ...totals }] } };
      case 'GET /v1/groups/shop': {
        const members = ['shop.items', 'shop.orders'].map((name) => ({ name, state: 'active', ...totals }));
        return { status: 200, body: { group: 'shop', namespaces: 2, ...totals, members } };
      }
      case 'GET /v1/groups/sho':
        return { status: 404, body: { code: 'GROUP_UNKNOWN', message: "no namespace is called 'sho'" } };
      case 'POST /v1/namespaces': {
        const asked = JSON.parse(body.toString()) as { name: string; replicas?: number; chunkCapacityBytes?: number };
        if (asked.name === 'default')
          return {
            status: 409,
            body: { code: 'NAMESPACE_EXISTS', message: 'namespace default exists with other settings' },
          };
        if (asked.replicas === 0)
          return knobFailure('CreateNamespace.replicas is 0, it must be an integer from 1 to 9');
        if (asked.chunkCapacityBytes === 1)
          return knobFailure('CreateNamespace.chunkCapacityBytes is 1, it must be an integer from 65536');
        if (query === 'dryRun=1')
          return {
            status: 200,
            body: { ...namespace, ...asked, chunks: 2, units: { taken: 6, free: 66, spare: 9 }, knobs: knobsOf(asked) },
          };
        return { status: 201, body: asked };
      }
      case 'GET /v1/namespaces/default':
        return {
          status: 200,
          body: {
            ...namespace,
            producers: { java: 'partitioner.class unset' },
            knobs: knobsOf({}),
            placement: [{ chunkId: 'default#1/c00001' }],
          },
        };
      case 'PATCH /v1/namespaces/default': {
        const knobs = JSON.parse(body.toString()) as Record<string, unknown>;
        if ('replicas' in knobs)
          return {
            status: 422,
            body: {
              code: 'KNOB_FIXED',
              message: 'replicas of default is 3 and cannot change: by plans, not by a setting',
            },
          };
        return {
          status: 200,
          body: { ...namespace, ...knobs, knobs: knobsOf(knobs).filter(({ knob }) => knob in knobs) },
        };
      }
      case 'POST /v1/namespaces/default/freeze': {
        const { reason } = JSON.parse(body.toString()) as { reason: string };
        const who = { process: 'portal p2', incarnation: 'i-2', address: 'h2:7379', silentMs: 9_000 };
        const why = 'it was not heard for 9 s, and may write when it goes on';
        return { status: 200, body: { ...frozen, frozenReason: reason, waiting: [{ ...who, why }] } };
      }
      case 'GET /v1/namespaces/default/freeze':
        return { status: 200, body: { ...frozen, confirmed: true } };
      case 'DELETE /v1/namespaces/default/freeze':
        if (query === 'owner=repartition+7')
          return {
            status: 409,
            body: { code: 'NAMESPACE_FROZEN', message: 'writes to default are frozen by operator' },
          };
        return { status: 200, body: { ...frozen, frozenBy: null } };
      case 'POST /v1/namespaces/default/flush': {
        const lines = [
          { event: 'progress', deleted: 9000, message: '9000 keys are deleted' },
          { event: 'done', deleted: 12000, message: '12000 keys are deleted: all that were there when it began' },
        ];
        return { status: 200, body: lines.map((line) => `${JSON.stringify(line)}\n`).join('') };
      }
      case 'POST /v1/namespaces/sessions/flush': {
        const lines = [
          { event: 'progress', deleted: 9000, message: '9000 keys are deleted' },
          { code: 'LVPARTIAL', message: '9500 keys are deleted; those that are left stay until it is repeated' },
        ];
        return { status: 200, body: lines.map((line) => `${JSON.stringify(line)}\n`).join('') };
      }
      case 'DELETE /v1/namespaces/default':
        return { status: 200, body: { name: 'default', state: 'deleted', query } };
      case 'POST /v1/nodes/n1/maintenance':
        return {
          status: 200,
          body: { nodeId: 'n1', state: 'maintenance', ...(JSON.parse(body.toString()) as object) },
        };
      case 'DELETE /v1/nodes/n1/maintenance':
        return { status: 200, body: { nodeId: 'n1', state: 'suspect' } };
      case 'POST /v1/nodes/n1/cordon':
      case 'DELETE /v1/nodes/n1/cordon':
        return { status: 200, body: { nodeId: 'n1', state: 'up', cordoned: method === 'POST', domain: 'rack-a' } };
      case 'GET /v1/nodes':
        return {
          status: 200,
          body: {
            nodes: [
              {
                nodeId: 'n1',
                state: 'up',
                cordoned: true,
                maintenanceUntil: null,
                domain: 'rack-a',
                respAddress: '127.0.0.1:7400',
                httpAddress: '127.0.0.1:7500',
                units: { free: 31, allocated: 1, reclaiming: 0 },
                replicas: { primary: 1, follower: 0 },
              },
            ],
          },
        };
      case 'GET /v1/nodes/n1/units':
        return {
          status: 200,
          body: {
            units: [
              {
                unitId: 'n1/u00',
                state: 'allocated',
                engine: 'leveldb',
                capacityBytes: 268435456,
                generation: 1,
                chunkId: 'default#1/c00001',
              },
            ],
          },
        };
      case 'GET /v1/routes/default':
        if (query === 'version=9') return { status: 200, body: { change: 'notChange' } };
        return {
          status: 200,
          body: {
            change: 'metaChange',
            version: 9,
            routes: [
              {
                chunkId: 'default#1/c00001',
                slotStart: 0,
                slotEnd: 1000000,
                replicas: [replica, { ...replica, unitId: 'n2/u01', role: 'follower', nodeState: 'suspect' }],
                dead: [{ nodeId: 'n3', unitId: 'n3/u02' }],
              },
            ],
          },
        };
      case 'GET /v1/where/default/a%2Fb':
        return { status: 200, body: { slot: 17, partition: 0, chunkId: 'default#1/c00001', replicas: [replica] } };
      case 'GET /v1/doctor':
        return { status: 200, body: this.doctor };
      case 'GET /v1/proofs': {
        const of = new URLSearchParams(query).get('namespace');
        return { status: 200, body: { chunks: proofs.filter(({ namespace }) => of === null || of === namespace) } };
      }
      case 'GET /v1/status':
        return {
          status: 200,
          body: { ready: true, clusterId: this.clusterId, master: { instance: 'm1', term: 3 }, namespaces: [] },
        };
      case 'GET /v1/log/topics':
        return {
          status: 200,
          body: {
            topics: [
              { name: 'levee.journal', partitions: 1, offsets: [{ partition: 0, startOffset: 0, endOffset: 3 }] },
            ],
          },
        };
      default:
        return { status: 404, body: { code: 'NOT_FOUND', message: `there is nothing at ${path}` } };
    }
  }

  /** Three records; a follower gets them one at a time and is then left waiting. */
  private serveLog(response: ServerResponse, query: string): void {
    const asked = new URLSearchParams(query);
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    const records = [
      { offset: 0, timestampMs: 0, key: null, record: 'Claim', version: 1, value: { term: 1 } },
      { offset: 1, timestampMs: 1000, keyBase64: 'AP8=', value: null },
      {
        offset: 2,
        timestampMs: 2000,
        key: 'k',
        valueBase64: 'eA==',
        problem: { code: 'BAD_FRAME', message: 'begins with 78' },
      },
    ];
    for (const record of records.slice(Number(asked.get('from') ?? 0))) response.write(`${JSON.stringify(record)}\n`);
    if (asked.get('from') === '2') response.write('{"code":"LVUNAVAILABLE","message":"no broker answers"}\n');
    if (asked.get('follow') !== '1') response.end();
  }
}
