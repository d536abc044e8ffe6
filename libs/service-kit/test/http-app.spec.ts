import { once } from 'node:events';
import { connect } from 'node:net';
import { Controller, Get, Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { Failure, type HealthTrouble, silentLogger } from '@levee/kernel';
import {
  HealthRegistry,
  type HealthReport,
  Lifecycle,
  Metrics,
  ServiceModule,
  startHttpApp,
  type HttpApp,
} from '../src';
import { bound } from '../../../test/support/seed';

@Controller('fail')
class FailingController {
  @Get('known')
  known(): never {
    throw new Failure('OUTCOME_UNKNOWN', 'the broker did not answer', { details: { partition: 3 } });
  }

  @Get('unknown')
  unknown(): never {
    throw new TypeError('secret internals');
  }
}

@Module({})
class TestModule {}

const health = new HealthRegistry();
const metrics = new Metrics({ part: 'portal', instance: 'p1' });
const access = { routes: { 'GET /*': 'open' } } as const;
let http: HttpApp;

beforeAll(async () => {
  http = await startHttpApp({
    module: {
      module: TestModule,
      imports: [ServiceModule.register({ health, metrics })],
      controllers: [FailingController],
    },
    host: '127.0.0.1',
    port: 0,
    logger: silentLogger,
    access,
  });
});

afterAll(async () => {
  await http.close();
  metrics.close();
});

const get = async (path: string): Promise<{ status: number; text: string }> => {
  const response = await fetch(`${http.url}${path}`);
  return { status: response.status, text: await response.text() };
};

test('live says that the process runs', async () => {
  expect(await get('/health/live')).toEqual({ status: 200, text: '{"status":"ok"}' });
});

test('ready names each check that fails, with its reason', async () => {
  const remove = health.add('journal', () => 'not at the end yet');
  health.add('doors', () => undefined);
  const report = await get('/health/ready');
  expect(report.status).toBe(503);
  expect(JSON.parse(report.text)).toEqual({
    status: 'not ready',
    checks: { journal: 'not at the end yet', doors: 'ok' },
  });
  remove();
  expect((await get('/health/ready')).status).toBe(200);
});

test('ready stays ready while something is wrong that is not of this process, and names it', async () => {
  const stop = { what: 'partitionStopped', partition: 3, fromOffset: 7, keysAtStake: 23, message: 'levee log repair' };
  let found: readonly HealthTrouble[] = [stop];
  health.watch('troubles', () => found);
  const report = async () => JSON.parse((await get('/health/ready')).text) as HealthReport;
  expect((await get('/health/ready')).status).toBe(200);
  expect(await report()).toMatchObject({ status: 'degraded', troubles: [stop] });
  const remove = health.add('journal', () => 'not at the end yet');
  expect((await get('/health/ready')).status).toBe(503);
  expect(await report()).toMatchObject({ status: 'not ready', troubles: [stop] });
  remove();
  found = Array.from({ length: 101 }, () => stop);
  expect(await report()).toMatchObject({ status: 'degraded', troublesTotal: 101 });
  expect((await report()).troubles).toHaveLength(100);
  health.watch('troubles', () => Promise.reject(new Error('the log is closed')));
  expect(await report()).toMatchObject({
    status: 'degraded',
    troubles: [{ what: 'unknown', message: 'troubles: the log is closed' }],
  });
  health.watch('troubles', () => []);
  expect(await report()).toEqual({ status: 'ok', checks: { doors: 'ok' } });
});

test('metrics are read when scraped', async () => {
  let reads = 0;
  metrics.numbersFrom('portal', () => ({ reads: { reads: ++reads, outstanding: 7 } }));
  await get('/metrics');
  const { text } = await get('/metrics');
  expect(text).toContain('# TYPE levee_portal_reads_total counter');
  expect(text).toMatch(/levee_portal_reads_total\{part="portal",instance="p1"\} 2/);
  expect(text).toMatch(/levee_portal_reads_outstanding\{part="portal",instance="p1"\} 7/);
  expect(text).toMatch(/levee_event_loop_delay_seconds\{quantile="0.99",[^}]*\} \S/);
  expect([...metrics.unlisted]).toEqual([]);
});

test('requests are timed by outcome, and only a namespace that is there by its name', async () => {
  await get('/fail/known');
  await get('/fail/unknown');
  await get('/nowhere');
  const found = [...http.times.all()].map(({ labels, histogram }) => [
    labels['kind'],
    labels['outcome'],
    labels['namespace'],
    histogram.count,
  ]);
  expect(found).toEqual(
    expect.arrayContaining([
      ['other', 'unknown', '', 1],
      ['other', 'failed', '', 1],
      ['other', 'refused', '', 1],
    ]),
  );
});

test.each([
  ['/fail/known', 502, { code: 'LVINDEFINITE', message: 'the broker did not answer', details: { partition: 3 } }],
  ['/fail/unknown', 500, { code: 'INTERNAL', message: 'an unexpected error; the log of this process has it' }],
  ['/nowhere', 404, { code: 'NOT_FOUND', message: 'Cannot GET /nowhere' }],
])('%s is answered with %d and one error body', async (path, status, body) => {
  const answer = await get(path);
  expect(answer.status).toBe(status);
  expect(JSON.parse(answer.text)).toEqual(body);
});

test('closing does not wait for connections on which nothing ever came, nor for idle ones', async () => {
  const app = await startHttpApp({ module: TestModule, host: '127.0.0.1', port: 0, logger: silentLogger, access });
  const sockets = [connect(app.port, '127.0.0.1'), connect(app.port, '127.0.0.1')] as const;
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  sockets[1].write('GET /nowhere HTTP/1.1\r\nhost: localhost\r\n\r\n');
  await once(sockets[1], 'data');
  const ended = Promise.all(sockets.map((socket) => once(socket.resume(), 'close')));
  const beganMs = performance.now();
  await app.close();
  await ended;
  expect(performance.now() - beganMs).toBeLessThan(bound(2_000));
});

describe('a door that closes', () => {
  const slow = {
    asked: () => undefined as void,
    go: Promise.resolve(),
  };

  /** What requests are answered from. */
  @Injectable()
  class Source implements OnModuleDestroy {
    gone = false;

    onModuleDestroy(): void {
      this.gone = true;
    }
  }

  @Controller('slow')
  class SlowController {
    constructor(private readonly source: Source) {}

    @Get()
    async slow(): Promise<string> {
      slow.asked();
      await slow.go;
      return this.source.gone ? 'too late' : 'answered';
    }
  }

  const start = (): Promise<HttpApp> => {
    const module = { module: TestModule, controllers: [SlowController], providers: [Source] };
    return startHttpApp({ module, host: '127.0.0.1', port: 0, logger: silentLogger, access });
  };

  test('takes nobody new, and answers what is under way from what is still there', async () => {
    const app = await start();
    let go = (): void => undefined;
    slow.go = new Promise<void>((resolve) => (go = resolve));
    const asked = new Promise<void>((resolve) => (slow.asked = resolve));
    const answer = fetch(`${app.url}/slow`);
    await asked;
    const closed = app.close();
    await expect(fetch(`${app.url}/slow`)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
    go();
    expect(await (await answer).text()).toBe('answered');
    await closed;
  });

  test('before that tells clients not to use their connections again, and serves all of them', async () => {
    const app = await start();
    slow.go = Promise.resolve();
    const kept = await fetch(`${app.url}/slow`);
    app.connections.leave();
    const told = [await fetch(`${app.url}/slow`), await fetch(`${app.url}/nowhere`)];
    expect([kept, ...told].map(({ headers }) => headers.get('connection'))).toEqual(['keep-alive', 'close', 'close']);
    expect(await Promise.all([kept.text(), told[0]?.text()])).toEqual(['answered', 'answered']);
    await app.close();
  });
});

test('a taken port is named with the setting that changes it', async () => {
  const options = { module: TestModule, host: '127.0.0.1', port: http.port, logger: silentLogger, access };
  await expect(startHttpApp({ ...options, portSetting: 'LEVEE_HTTP_PORT' })).rejects.toThrow(
    /port \d+ on 127.0.0.1 is taken: set LEVEE_HTTP_PORT to another port/,
  );
});

test('draining runs the steps in reverse, past one that fails, within its deadline', async () => {
  const lifecycle = new Lifecycle(silentLogger, 50);
  const steps: string[] = [];
  lifecycle.onDrain('log', () => void steps.push('log'));
  lifecycle.onDrain('broken', () => Promise.reject(new Error('broken')));
  lifecycle.onDrain('doors', () => void steps.push('doors'));
  expect(await lifecycle.drain()).toBe(false);
  expect(steps).toEqual(['doors', 'log']);

  const stuck = new Lifecycle(silentLogger, 50);
  stuck.onDrain('stuck', () => new Promise(() => undefined));
  expect(await stuck.drain()).toBe(false);
});
