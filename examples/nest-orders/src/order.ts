import { BadRequestException } from '@nestjs/common';
import { avro } from '@levee/client/avro';

/** What is stored under the id of an order. */
export interface Order {
  readonly customer: string;
  readonly item: string;
  readonly cents: number;
}

/** How it is stored. Its successor is written with `avro(next, { older: [schema] })`, which reads these too. */
const schema = {
  type: 'record',
  name: 'Order',
  namespace: 'shop',
  fields: [
    { name: 'customer', type: 'string', doc: 'Who ordered it.' },
    { name: 'item', type: 'string', doc: 'What was ordered, in words.' },
    { name: 'cents', type: 'long', doc: 'Price of all of it, in cents.' },
  ],
};

export const orderCodec = avro<Order>(schema);

const limits = { itemLength: 200, centsMax: 100_000_000 } as const;

/** Ids and customers are parts of keys, so they hold no separator. */
export function nameOf(what: string, value: unknown): string {
  if (typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value)) return value;
  throw wrong(what, value, '1 to 64 letters, digits, - or _');
}

/** The order that a request brings. Throws what is answered with 400. */
export function orderOf(body: unknown): { readonly id: string; readonly order: Order } {
  if (typeof body !== 'object' || body === null)
    throw wrong('the body', body, 'an object with id, customer, item, cents');
  const { id, customer, item, cents } = body as Readonly<Record<string, unknown>>;
  if (typeof item !== 'string' || item === '' || item.length > limits.itemLength)
    throw wrong('item', item, `a text of 1 to ${limits.itemLength} characters`);
  if (typeof cents !== 'number' || !Number.isInteger(cents) || cents < 0 || cents > limits.centsMax)
    throw wrong('cents', cents, `a whole number from 0 to ${limits.centsMax}`);
  return { id: nameOf('id', id), order: { customer: nameOf('customer', customer), item, cents } };
}

const wrong = (what: string, value: unknown, wanted: string): BadRequestException =>
  new BadRequestException(`${what} is ${JSON.stringify(value)?.slice(0, 80)}: it must be ${wanted}`);
