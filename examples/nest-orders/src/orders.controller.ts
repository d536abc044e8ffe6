import { Body, Controller, Delete, Get, HttpCode, NotFoundException, Param, Post } from '@nestjs/common';
import type { Namespace } from '@levee/client';
import { InjectNamespace } from '@levee/nest';
import { nameOf, type Order, orderOf } from './order';

@Controller('orders')
export class OrdersController {
  constructor(@InjectNamespace('shop.orders') private readonly orders: Namespace<Order>) {}

  /** The id is the caller's own: whoever got no answer sends the same again, and it stays one order. */
  @Post()
  async place(@Body() body: unknown): Promise<Order & { readonly id: string }> {
    const { id, order } = orderOf(body);
    await this.orders.put(id, order);
    return { id, ...order };
  }

  @Get(':id')
  async show(@Param('id') given: string): Promise<Order & { readonly id: string }> {
    const id = nameOf('id', given);
    const order = await this.orders.get(id);
    if (order === undefined) throw new NotFoundException(`there is no order '${id}'`);
    return { id, ...order };
  }

  @Delete(':id')
  @HttpCode(204)
  async cancel(@Param('id') id: string): Promise<void> {
    await this.orders.delete(nameOf('id', id));
  }
}
