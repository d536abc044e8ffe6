import { execFile, execFileSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Balancer } from '../support/balancer';
import { eventually } from '../support/deadline';
import { OrdersService } from '../support/orders-service';
import { link, packedProject } from '../support/packed-project';
import { bound, dice, full, seed } from '../support/seed';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

const root = join(__dirname, '..', '..');
const example = join(root, 'examples', 'nest-orders');
const run = promisify(execFile);
const isOwn = (path: string): boolean =>
  !/\/(node_modules|dist)(\/|$)|\.tgz$|\.password$/.test(path.slice(example.length));

/** Its own log, and, with full counts, a Kafka: the service is the same. */
const logs: readonly (readonly [string, Record<string, string>])[] = [
  ['the embedded log', {}],
  ...(full
    ? ([
        ['Kafka', { KAFKA_BROKERS: process.env.KAFKA_BROKERS ?? '', LEVEE_TOPIC_PREFIX: `orders${process.pid}` }],
      ] as const)
    : []),
];

let project: string;
let folder: string;

beforeAll(() => {
  project = packedProject('nest-orders', ['@nestjs/platform-fastify', '@nestjs/terminus']);
  folder = join(project, 'nest-orders');
  cpSync(example, folder, { recursive: true, filter: isOwn });
  link(project, '.bin/tsc', '@typescript/native/bin/tsc');
  writeFileSync(join(project, 'orders.password'), 'a password of this test\n');
  execFileSync('npm', ['run', '-s', 'build'], { cwd: folder, stdio: 'pipe' });
}, 120_000);

afterAll(() => rmSync(project, { recursive: true, force: true }));

describe('examples/nest-orders, out of the tree', () => {
  it('its own tests pass without a broker, in less than five seconds', async () => {
    const { stdout } = await run('npm', ['test'], { cwd: folder, env: { ...process.env, NODE_OPTIONS: '' } });
    const told = (what: string): number => Number(new RegExp(`^[#ℹ] ${what} ([\\d.]+)$`, 'm').exec(stdout)?.[1]);
    expect([told('fail'), told('skipped')]).toEqual([0, 0]);
    expect(told('pass')).toBeGreaterThan(5);
    expect(told('duration_ms')).toBeLessThan(bound(5_000));
  }, 60_000);
});

describe.each(logs)('examples/nest-orders on %s', (_name, log) => {
  let levee: StandaloneProcess;
  let env: Record<string, string>;

  /** What the compose file runs once, word for word, but for where things are. */
  async function setUp(): Promise<void> {
    const compose = readFileSync(join(folder, 'docker-compose.yml'), 'utf8');
    const script = /entrypoint: \[sh, -ec\]\n\s+command:\n\s+- \|\n((?: {8}.*\n)+)/.exec(compose)?.[1] ?? '';
    const here = script
      .replaceAll('$$', () => '$')
      .replaceAll('/data/', `${levee.dataDir}/`)
      .replaceAll('/run/secrets/orders_password', join(project, 'orders.password'));
    expect(here).toContain('levee namespace create $name');
    await run('sh', ['-ec', here], { cwd: root, env: { ...process.env, LEVEE_URL: levee.url } });
  }

  beforeAll(async () => {
    levee = await StandaloneProcess.start(scratchFolder('nest-orders-levee'), { LEVEE_AUTH: 'on', ...log });
    await setUp();
    env = {
      LEVEE_PORTALS: levee.doors.resp,
      LEVEE_USER: 'orders',
      LEVEE_PASSWORD_FILE: join(project, 'orders.password'),
      DRAIN_MS: '1500',
    };
  }, 120_000);

  afterAll(async () => {
    expect(await levee.end()).toBe(0);
    levee.remove();
  }, 60_000);

  const post = async (url: string, id: string, customer: string, cents: number): Promise<number> => {
    const body = JSON.stringify({ id, customer, item: 'a book', cents });
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${url}/orders`, { method: 'POST', headers, body, signal: AbortSignal.timeout(15_000) });
    await answer.arrayBuffer();
    return answer.status;
  };
  const totalOf = async (url: string, customer: string): Promise<{ orders: number; cents: number }> => {
    const answer = await fetch(`${url}/customers/${customer}`, { signal: AbortSignal.timeout(15_000) });
    return (await answer.json()) as { orders: number; cents: number };
  };
  const totalsBecome = (url: string, wanted: ReadonlyMap<string, { orders: number; cents: number }>): Promise<true> =>
    eventually(
      'the view is whole',
      async () => {
        for (const [customer, { orders, cents }] of wanted) {
          const found = await totalOf(url, customer);
          if (found.orders !== orders || found.cents !== cents)
            throw new Error(`${customer} has ${found.orders} orders of ${found.cents}, not ${orders} of ${cents}`);
        }
        return true as const;
      },
      60_000,
    );

  it('killed with -9 and started again, its view is whole, and counts nothing twice; its setup may run again', async () => {
    const random = dice(seed);
    const customers = ['ann', 'bob', 'cleo'];
    const orders = new Map<string, { customer: string; cents: number }>();
    let service = await OrdersService.start(folder, env);
    for (let life = 0; life < (full ? 10 : 2); life++) {
      const unanswered: [string, { customer: string; cents: number }][] = [];
      const burst = Array.from({ length: 60 }, async (_, n) => {
        // Some of those before, and others: each once in a burst, so that its last answer is known.
        const id = `${n + 30 * life}`;
        const order = { customer: customers[Math.floor(random() * 3)] as string, cents: Math.floor(random() * 1_000) };
        await new Promise((resolve) => setTimeout(resolve, 4 * n));
        const status = await post(service.url, id, order.customer, order.cents).catch(() => 0);
        if (status === 201) orders.set(id, order);
        else unanswered.push([id, order]);
      });
      await Promise.all(burst.slice(0, 30 + Math.floor(random() * 20)));
      expect(await service.end('SIGKILL')).toBe(null);
      await Promise.all(burst);
      service = await OrdersService.start(folder, env);
      // As the callers of an order do that got no answer.
      for (const [id, order] of unanswered) {
        expect(await post(service.url, id, order.customer, order.cents)).toBe(201);
        orders.set(id, order);
      }
    }
    await setUp();
    const wanted = new Map(customers.map((customer) => [customer, { orders: 0, cents: 0 }]));
    for (const { customer, cents } of orders.values()) {
      const total = wanted.get(customer)!;
      total.orders++;
      total.cents += cents;
    }
    await totalsBecome(service.url, wanted);
    // A person's Ctrl-C: no balancer has to notice.
    expect(await service.end('SIGINT')).toBe(0);
  }, 180_000);

  it('SIGTERM under a load of requests fails none of them, and the next process goes on with the view', async () => {
    const first = await OrdersService.start(folder, env);
    const second = await OrdersService.start(folder, { ...env, ORDERS_VIEW: 'off' });
    const backends = [first, second].map(({ port, url }) => ({ port, healthUrl: `${url}/health/ready` }));
    const balancer = await Balancer.listen(backends);
    const failures: string[] = [];
    let [placed, isOver, answered] = [0, false, 0];
    const line = async (number: number): Promise<void> => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (let n = 0; !isOver; n++) {
        const id = `load-${number}-${n}`;
        const order = JSON.stringify({ id, customer: 'load', item: 'a book', cents: 1 });
        const [made, read] = [
          await ask(agent, balancer.port, 'POST', '/orders', order),
          await ask(agent, balancer.port, 'GET', `/customers/nobody-${number}`),
        ];
        if (made === '201') placed++;
        for (const [what, status] of [
          ['POST', made],
          ['GET', read],
        ] as const)
          if (status !== '201' && status !== '200') failures.push(`${what} ${id}: ${status}`);
        answered += 2;
      }
      agent.destroy();
    };
    const lines = Array.from({ length: 8 }, (_, number) => line(number));
    try {
      await eventually('both are asked', () => answered > 100);
      // Somebody connected who says nothing: it waits for him, but not for ever.
      const silent = connect(first.port, '127.0.0.1').on('error', () => undefined);
      expect(await first.end()).toBe(0);
      silent.destroy();
      const then = answered;
      await eventually('the other one is asked', () => answered > then + 100);
    } finally {
      isOver = true;
      await Promise.all(lines);
      await balancer.close();
    }
    expect({ failures, refused: balancer.refused }).toEqual({ failures: [], refused: 0 });
    const third = await OrdersService.start(folder, env);
    await totalsBecome(second.url, new Map([['load', { orders: placed, cents: placed }]]));
    expect(await Promise.all([second.end('SIGINT'), third.end('SIGINT')])).toEqual([0, 0]);
  }, 180_000);

  it('says in its last line why it does not start', async () => {
    const wrong = OrdersService.spawn(folder, { ...env, LEVEE_USER: 'somebody' });
    expect(await wrong.exited).toBe(1);
    expect(wrong.printed).toMatch(/\nLevee, connection 'default', cannot be opened: .+\n$/);
    const lacking = OrdersService.spawn(folder, { ...env, PORT: '-1' });
    expect(await lacking.exited).toBe(1);
    expect(lacking.printed).toBe("PORT is '-1': it must be a whole number from 0 to 65535\n");
  }, 60_000);
});

/** The status that was answered, or why there was none. */
function ask(agent: Agent, port: number, method: string, path: string, body?: string): Promise<string> {
  return new Promise((resolve) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.length };
    const asked = request({ agent, port, host: '127.0.0.1', method, path, headers, timeout: 15_000 }, (answer) => {
      answer.resume().once('end', () => resolve(String(answer.statusCode)));
    });
    asked.once('timeout', () => asked.destroy(new Error('no answer within 15 s')));
    asked.once('error', (error) => resolve(error.message));
    asked.end(body);
  });
}
