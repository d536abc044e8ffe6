import type { HeadedValue } from '@levee/codec';
import { type Ack, Append, type Consistency, PointRead, type StoreFailure } from '@levee/client';
import type { Session } from '@levee/keyspace';
import type { ReplySlot } from '@levee/wire';
import { ofKey } from './shown-key';

/** GET. */
export class GetRead extends PointRead {
  constructor(
    key: Buffer,
    consistency: Consistency,
    session: Session | undefined,
    private readonly reply: ReplySlot,
  ) {
    super(key, consistency, session);
  }

  protected onValue(buffer: Buffer, start: number, end: number): void {
    this.reply.bulkSlice(buffer, start, end);
  }

  protected onMissing(): void {
    this.reply.null();
  }

  protected onFailure(failure: StoreFailure): void {
    this.reply.error(ofKey(failure, this.key));
  }
}

/** SET. */
export class SetAppend extends Append {
  constructor(
    key: Buffer,
    record: Buffer | HeadedValue,
    ack: Ack,
    session: Session | undefined,
    private readonly reply: ReplySlot,
  ) {
    super(key, record, ack, session);
  }

  protected onDone(): void {
    this.reply.ok();
  }

  protected onFailure(failure: StoreFailure): void {
    this.reply.error(ofKey(failure, this.key));
  }
}
