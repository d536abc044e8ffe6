import { Injectable } from '@nestjs/common';
import type { Change, Namespace } from '@levee/client';
import { InjectNamespace, OnKeyChange } from '@levee/nest';
import { CustomerTotals } from './customer-totals';
import type { Order } from './order';

/** Carries changes of orders into the view, whoever made them. */
@Injectable()
export class OrderChanges {
  constructor(
    @InjectNamespace('shop.orders') private readonly orders: Namespace<Order>,
    private readonly totals: CustomerTotals,
  ) {}

  /**
   * A change says that an order is another one; what it is now is read. So a change that comes again, after a crash, does
   * not take the view back to what the order was then.
   */
  @OnKeyChange('shop.orders', { name: 'customer-totals', from: 'beginning', state: 'shop.customers' })
  async changed({ key: id }: Change<Buffer>): Promise<void> {
    await this.totals.count(id, await this.orders.get(id, { consistency: 'strong' }));
  }
}
