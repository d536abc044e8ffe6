import { BaseRpcContext } from '@nestjs/microservices';
import type { LogBatch } from '@levee/log';

/** Where the batch of records that a method was called with stands; the second argument of `@EventPattern` methods. */
export class LogContext extends BaseRpcContext<[LogBatch]> {
  constructor(batch: LogBatch) {
    super([batch]);
  }

  get batch(): LogBatch {
    return this.args[0];
  }

  get topic(): string {
    return this.batch.topic;
  }

  get partition(): LogBatch['partition'] {
    return this.batch.partition;
  }
}
