import type { HeadedValue } from '@levee/codec';
import type { Session } from '@levee/keyspace';
import { Append, PointRead, type Ack, type Consistency, type ReadSession } from './operations';
import type { StoreFailure } from './store-errors';

/** What a read found; `undefined` = no such key. The value stays valid. */
export interface Found {
  readonly value: Buffer;
  /** 0 = never. */
  readonly expiresAtMs: number;
  readonly offset: number;
}

/** Any read whose result needs more than to be copied into a reply. */
export class CallbackRead extends PointRead {
  constructor(
    key: Buffer,
    consistency: Consistency,
    session: ReadSession | undefined,
    private readonly done: (result: Found | undefined | StoreFailure) => void,
  ) {
    super(key, consistency, session);
  }

  protected onValue(buffer: Buffer, start: number, end: number, expiresAtMs: number, offset: number): void {
    this.done({ value: buffer.subarray(start, end), expiresAtMs, offset });
  }

  protected onMissing(): void {
    this.done(undefined);
  }

  protected onFailure(failure: StoreFailure): void {
    this.done(failure);
  }
}

/** Any write that is part of something larger; `done` gets `undefined` when it succeeded. */
export class CallbackAppend extends Append {
  constructor(
    key: Buffer,
    record: Buffer | HeadedValue | null,
    ack: Ack,
    session: Session | undefined,
    private readonly finished: (failure: StoreFailure | undefined) => void,
  ) {
    super(key, record, ack, session);
  }

  protected onDone(): void {
    this.finished(undefined);
  }

  protected onFailure(failure: StoreFailure): void {
    this.finished(failure);
  }
}
