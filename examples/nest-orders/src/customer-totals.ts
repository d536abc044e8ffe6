import { Injectable } from '@nestjs/common';
import { json, type Namespace, utf8 } from '@levee/client';
import { InjectNamespace } from '@levee/nest';
import type { Order } from './order';

export interface CustomerTotal {
  readonly customer: string;
  readonly orders: number;
  readonly cents: number;
}

const centsPrefix = (customer: string): string => `cents/${customer}/`;
const centsKey = (customer: string, id: string): string => `${centsPrefix(customer)}${id}`;
const customerKey = (id: string): string => `customer/${id}`;

/**
 * The second view: what each customer has ordered. It keeps the cents of each order under a key of its own, and adds them up
 * when it is asked. A sum that is stored and added to would count a change twice that comes twice, and lose one of two
 * that come side by side; a key that is written twice holds the same.
 */
@Injectable()
export class CustomerTotals {
  private readonly cents: Namespace<number>;
  private readonly customers: Namespace<string>;

  constructor(@InjectNamespace('shop.customers') view: Namespace<Buffer>) {
    this.cents = view.typed(json<number>());
    this.customers = view.typed(utf8);
  }

  async of(customer: string): Promise<CustomerTotal> {
    let [orders, cents] = [0, 0];
    for await (const { value } of this.cents.scan({ prefix: centsPrefix(customer) })) {
      orders++;
      cents += value;
    }
    return { customer, orders, cents };
  }

  /**
   * Brings the view to what an order is now; `undefined`: it is gone. Where it is counted is written before it is counted there:
   * wherever this stops, the next call finds what has to be taken away. `strong`, since the call before it may have been
   * another process's.
   */
  async count(id: string, order: Order | undefined): Promise<void> {
    const before = await this.customers.get(customerKey(id), { consistency: 'strong' });
    if (before !== undefined && before !== order?.customer) await this.cents.delete(centsKey(before, id));
    if (order === undefined) {
      await this.customers.delete(customerKey(id));
      return;
    }
    if (before !== order.customer) await this.customers.put(customerKey(id), order.customer);
    await this.cents.put(centsKey(order.customer, id), order.cents);
  }
}
