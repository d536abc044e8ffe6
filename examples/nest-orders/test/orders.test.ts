import 'reflect-metadata';
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { type Client, MemoryLevee } from '@levee/client';
import { LeveeTestingModule, leveeToken } from '@levee/nest';
import { OrdersModule } from '../src/app.module';
import { CustomerTotals } from '../src/customer-totals';
import { orderCodec } from '../src/order';
import { settingsOf } from '../src/settings';

let app: NestFastifyApplication;

before(async () => {
  const module = await Test.createTestingModule({
    // Levee in memory: nothing has to run beside these tests.
    imports: [
      LeveeTestingModule.forRoot({ namespaces: ['shop.orders', 'shop.customers'] }),
      OrdersModule.with({ keepsView: true, drainMs: 0 }),
    ],
  }).compile();
  app = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter(), { logger: false });
  await app.init();
});

after(() => app.close());

async function ask(method: 'GET' | 'POST' | 'DELETE', url: string, payload?: object): Promise<[number, unknown]> {
  const { statusCode, body } = await app.inject({ method, url, ...(payload && { payload }) });
  return [statusCode, body === '' ? undefined : JSON.parse(body)];
}

const place = (id: string, customer: string, cents: number): Promise<[number, unknown]> =>
  ask('POST', '/orders', { id, customer, item: 'a book', cents });

/** The view follows the orders: looks until it is as wanted, for two seconds at most. */
async function totalBecomes(customer: string, orders: number, cents: number): Promise<void> {
  const wanted = [200, { customer, orders, cents }];
  const until = Date.now() + 2_000;
  for (;;) {
    const found = await ask('GET', `/customers/${customer}`);
    if (JSON.stringify(found) === JSON.stringify(wanted) || Date.now() > until) return assert.deepEqual(found, wanted);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('an order is placed, read and cancelled, and its customer’s total follows', async () => {
  assert.deepEqual(await place('1', 'ann', 499), [201, { id: '1', customer: 'ann', item: 'a book', cents: 499 }]);
  assert.deepEqual(await ask('GET', '/orders/1'), [200, { id: '1', customer: 'ann', item: 'a book', cents: 499 }]);
  await place('2', 'ann', 1);
  await totalBecomes('ann', 2, 500);
  assert.deepEqual(await ask('DELETE', '/orders/2'), [204, undefined]);
  await totalBecomes('ann', 1, 499);
  const [status, body] = await ask('GET', '/orders/2');
  assert.deepEqual([status, (body as Error).message], [404, "there is no order '2'"]);
});

test('an order that is sent again, or comes to another customer, counts once', async () => {
  await place('3', 'bob', 10);
  await place('3', 'bob', 10);
  await totalBecomes('bob', 1, 10);
  await place('3', 'cleo', 15);
  await totalBecomes('cleo', 1, 15);
  await totalBecomes('bob', 0, 0);
});

test('a change that comes again changes nothing, wherever it had stopped before', async () => {
  const totals = app.get(CustomerTotals);
  const order = { customer: 'dan', item: 'a pen', cents: 7 };
  for (let times = 0; times < 3; times++) await totals.count('4', order);
  await totalBecomes('dan', 1, 7);
  // The process died when it had written where the order is counted from now on, and nothing else.
  const view = app.get<Client>(leveeToken()).namespace('shop.customers');
  await view.put('customer/5', Buffer.from('dan'));
  await totals.count('5', { ...order, customer: 'eve' });
  await totalBecomes('eve', 1, 7);
  await totalBecomes('dan', 1, 7);
});

test('an order that others wrote counts too: what is stored is Avro, and no secret', async () => {
  const others = app.get(MemoryLevee).client().namespace('shop.orders').typed(orderCodec);
  await others.put('6', { customer: 'fay', item: 'a cup', cents: 3 });
  await totalBecomes('fay', 1, 3);
});

test('what others wrote that is no order is said to be none, and nothing waits for it', async () => {
  const others = app.get(MemoryLevee).client().namespace('shop.orders');
  await others.put('8', Buffer.from('no Avro'));
  const [status, body] = await ask('GET', '/orders/8');
  assert.deepEqual(
    [status, (body as { advice: string }).advice],
    [500, 'what is stored there is no order: write it anew'],
  );
  await place('9', 'hal', 2);
  await totalBecomes('hal', 1, 2);
  await place('8', 'hal', 3);
  await totalBecomes('hal', 2, 5);
});

test('what is wrong is refused with its name, its value and what it may be', async () => {
  const messageOf = async (payload: object): Promise<string> => {
    const [status, body] = await ask('POST', '/orders', payload);
    assert.equal(status, 400);
    return (body as Error).message;
  };
  const order = { id: '7', customer: 'gus', item: 'a hat', cents: 5 };
  assert.equal(
    await messageOf({ ...order, cents: 0.5 }),
    'cents is 0.5: it must be a whole number from 0 to 100000000',
  );
  assert.match(await messageOf({ ...order, customer: 'a/b' }), /^customer is "a\/b": it must be 1 to 64 letters/);
  assert.match(await messageOf({ ...order, id: 'levee.handlers/x' }), /^id is "levee\.handlers\/x"/);
  assert.match(await messageOf({ ...order, item: 'x'.repeat(201) }), /^item is .*a text of 1 to 200 characters$/);
  assert.match(await messageOf([]), /^item is undefined/);
  assert.equal((await ask('GET', '/orders/a%2Fb'))[0], 400);
  assert.equal((await ask('GET', '/customers/a%2Fb'))[0], 400);
  assert.throws(() => settingsOf({ PORT: '80a' }), /^Error: PORT is '80a': it must be a whole number from 0 to 65535$/);
  assert.throws(() => settingsOf({ ORDERS_VIEW: 'no' }), /ORDERS_VIEW is 'no': it must be on or off/);
});

test('it says whether it is healthy, and what Levee says when it fails', async () => {
  assert.deepEqual(await ask('GET', '/health/live'), [200, { status: 'ok' }]);
  const [status, body] = await ask('GET', '/health/ready');
  assert.deepEqual([status, (body as { status: string }).status], [200, 'ok']);
  const module = await Test.createTestingModule({
    imports: [LeveeTestingModule.forRoot({ namespaces: [] }), OrdersModule.with({ keepsView: false, drainMs: 0 })],
  }).compile();
  const lost = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter(), { logger: false });
  await lost.init();
  try {
    assert.equal((await lost.inject({ url: '/health/ready' })).statusCode, 503);
    const failed = await lost.inject({ url: '/orders/1' });
    assert.equal(failed.statusCode, 503);
    assert.match(failed.body, /"kind":"definite".*it did not happen: try again/);
  } finally {
    await lost.close();
  }
});
