import { request, type IncomingHttpHeaders } from 'node:http';
import { hostname } from 'node:os';
import { Controller, Delete, Get, Module, Patch, Post, Put, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { type Logger } from '@levee/kernel';
import { HealthRegistry, Metrics, ServiceModule, startHttpApp, type HttpApp } from '../src';

let changes = 0;

@Controller('thing')
class ThingController {
  @Get()
  read(): string {
    return 'secret';
  }

  @Get('raw')
  raw(@Res() reply: FastifyReply): void {
    reply.hijack();
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream' }).end('data: secret\n\n');
  }

  @Put()
  put(): void {
    changes++;
  }

  @Post()
  post(): void {
    changes++;
  }

  @Patch()
  patch(): void {
    changes++;
  }

  @Delete()
  delete(): void {
    changes++;
  }
}

@Module({})
class ThingModule {}

const warnings: { facts: object; text: string }[] = [];
const logger = {
  ...{ debug() {}, info() {}, error() {} },
  warn: (facts: object, text: string) => warnings.push({ facts, text }),
} as unknown as Logger;
const metrics = new Metrics({ part: 'master' });
let http: HttpApp;

beforeAll(async () => {
  const imports = [ServiceModule.register({ health: new HealthRegistry(), metrics })];
  const module = { module: ThingModule, imports, controllers: [ThingController] };
  const methods = ['GET', 'PUT', 'POST', 'PATCH', 'DELETE'];
  const access = { routes: Object.fromEntries(methods.map((method) => [`${method} /*`, 'open'] as const)) };
  http = await startHttpApp({ module, host: '127.0.0.1', port: 0, names: ['kv.example.org', 'p1'], logger, access });
});
afterAll(async () => {
  await http.close();
  metrics.close();
});
beforeEach(() => void (changes = 0));

interface Answer {
  readonly status: number;
  readonly code: unknown;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

function ask(method: string, path: string, headers: Record<string, string>, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port: http.port, method, path, headers, agent: false });
    outgoing.on('error', reject).on('response', (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => {
        const isJson = String(response.headers['content-type']).startsWith('application/json');
        const code = isJson && text !== '' ? (JSON.parse(text) as { code?: unknown }).code : undefined;
        resolve({ status: response.statusCode ?? 0, code, headers: response.headers, text });
      });
    });
    outgoing.end(body);
  });
}

const json = { 'content-type': 'application/json' };

describe('names of the door', () => {
  test.each([
    ['127.0.0.1:7380', 200],
    ['127.0.0.1', 200],
    ['10.20.30.40:1', 200],
    ['[::1]:7380', 200],
    ['localhost:7380', 200],
    ['levee.localhost', 200],
    ['KV.example.org:443', 200],
    ['kv.example.org.', 200],
    ['p1:7380', 200],
    [hostname(), 200],
    ['rebound.example:7380', 403],
    ['evil-kv.example.org', 403],
    ['kv.example.org.evil.example', 403],
    ['127.0.0.1.evil.example', 403],
    ['localhost.evil.example', 403],
    ['xlocalhost', 403],
    ['127.1', 403],
    ['[::1].evil.example', 403],
    ['kv.example.org@evil.example', 403],
  ])('Host: %s is answered with %d', async (host, status) => {
    const answer = await ask('GET', '/thing', { host });
    expect([answer.status, answer.code]).toEqual([status, status === 200 ? undefined : 'HOST_REFUSED']);
    expect(answer.text.includes('secret')).toBe(status === 200);
  });

  test('the refusal names the setting', async () => {
    const { text } = await ask('GET', '/nowhere', { host: 'rebound.example' });
    expect(text).toContain("not called 'rebound.example'");
    expect(text).toContain('LEVEE_HTTP_HOSTS');
  });

  test('a rebound page changes nothing, though its origin is that of the request', async () => {
    for (const method of ['PUT', 'POST', 'PATCH', 'DELETE', 'GET'])
      await ask(method, '/thing', { host: 'rebound.example', origin: 'http://rebound.example', ...json });
    expect(changes).toBe(0);
  });

  test('health is told to whoever asks', async () => {
    expect((await ask('GET', '/health/live', { host: 'balancer' })).status).toBe(200);
    expect((await ask('GET', '/health/ready?x=1', { host: 'balancer' })).status).toBe(200);
    expect((await ask('POST', '/health/live', { host: 'balancer' })).status).toBe(403);
    expect((await ask('GET', '/health/live/../../thing', { host: 'balancer' })).status).toBe(403);
    expect((await ask('GET', '/metrics', { host: 'balancer' })).status).toBe(403);
  });
});

describe('pages of other origins', () => {
  const host = 'kv.example.org';
  test.each<readonly [method: string, headers: Record<string, string>, status: number]>([
    ['POST', { ...json }, 201],
    ['POST', { origin: 'http://kv.example.org', ...json }, 201],
    ['POST', { origin: 'https://kv.example.org', ...json }, 201],
    ['PUT', { origin: 'https://kv.example.org', 'sec-fetch-site': 'same-origin' }, 200],
    ['DELETE', { origin: 'https://KV.EXAMPLE.org' }, 200],
    ['POST', { origin: 'http://evil.example', ...json }, 403],
    ['POST', { origin: 'http://kv.example.org:8080', ...json }, 403],
    ['POST', { origin: 'http://kv.example.org.evil.example', ...json }, 403],
    ['POST', { origin: 'null', ...json }, 403],
    ['POST', { origin: '', ...json }, 403],
    ['PUT', { origin: 'http://evil.example' }, 403],
    ['PATCH', { origin: 'http://evil.example', ...json }, 403],
    ['DELETE', { origin: 'http://evil.example' }, 403],
    ['DELETE', { 'sec-fetch-site': 'cross-site' }, 403],
    ['POST', { 'sec-fetch-site': 'same-site', ...json }, 403],
    ['POST', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }, 403],
    ['OPTIONS', { origin: 'http://evil.example', 'access-control-request-method': 'PUT' }, 403],
    ['GET', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }, 403],
    ['GET', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }, 200],
    ['GET', { origin: 'http://evil.example' }, 200],
  ])('%s with %j is answered with %d', async (method, headers, status) => {
    const answer = await ask(method, '/thing', { host, ...headers }, 'content-type' in headers ? '{}' : undefined);
    expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([status, undefined]);
    if (status === 403) expect(answer.code).toBe('ORIGIN_REFUSED');
    expect(changes).toBe(status === 403 || method === 'GET' ? 0 : 1);
  });
});

describe('bodies', () => {
  const host = 'localhost';
  const large = JSON.stringify({ text: 'x'.repeat(10) });
  test.each<readonly [method: string, headers: Record<string, string>, body: string | undefined, status: number]>([
    ['POST', { 'content-type': 'application/json' }, large, 201],
    ['POST', { 'content-type': 'Application/JSON; charset=utf-8' }, large, 201],
    ['POST', {}, undefined, 201],
    ['POST', { 'content-type': 'application/x-www-form-urlencoded' }, 'a=b', 415],
    ['POST', { 'content-type': 'application/x-www-form-urlencoded' }, undefined, 415],
    ['POST', { 'content-type': 'multipart/form-data; boundary=x' }, '--x--', 415],
    ['POST', { 'content-type': 'text/plain' }, large, 415],
    ['POST', { 'content-type': 'text/plain; application/json' }, large, 415],
    ['POST', { 'content-type': 'application/jsonx' }, large, 415],
    ['POST', {}, large, 415],
    ['POST', { 'transfer-encoding': 'chunked' }, large, 415],
    ['PATCH', { 'content-type': 'text/plain' }, large, 415],
  ])('%s with %j and the body %s is answered with %d', async (method, headers, body, status) => {
    const answer = await ask(method, '/thing', { host, ...headers }, body);
    expect(answer.status).toBe(status);
    expect(changes).toBe(status === 415 ? 0 : 1);
    if (status === 415) expect(answer.text).toContain('content-type: application/json');
  });
});

test.each(['/thing', '/thing/raw', '/nowhere', '/health/live'])(
  'an answer to %s is no page and no script of anybody, and is not kept',
  async (path) => {
    const { headers } = await ask('GET', path, {});
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'content-security-policy': expect.stringContaining("frame-ancestors 'none'") as string,
      'cross-origin-resource-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
    });
    expect(headers['access-control-allow-origin']).toBeUndefined();
  },
);

test('what was refused is counted, and said in the log once in a while', () => {
  const { refusedHost, refusedOrigin, refusedContentType } = http.stats();
  expect(Math.min(refusedHost ?? 0, refusedOrigin ?? 0, refusedContentType ?? 0)).toBeGreaterThan(5);
  expect(warnings.length).toBeLessThan(20);
  expect(warnings[0]?.text).toMatch(/a request of a web page was refused: this door is not called/);
});
