import { Controller, Get, Param } from '@nestjs/common';
import { type CustomerTotal, CustomerTotals } from './customer-totals';
import { nameOf } from './order';

@Controller('customers')
export class CustomersController {
  constructor(private readonly totals: CustomerTotals) {}

  /** A moment behind the orders: the view follows them. */
  @Get(':customer')
  show(@Param('customer') customer: string): Promise<CustomerTotal> {
    return this.totals.of(nameOf('customer', customer));
  }
}
