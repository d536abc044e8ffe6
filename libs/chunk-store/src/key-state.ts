import type { Offset, Partition } from '@levee/kernel';
import type { UnreadableReason } from './stored-value';

/** What a key holds: nothing (`undefined`), a value, or a record that cannot be interpreted. */
export type KeyState = LiveValue | UnreadableValue | undefined;
export interface LiveValue {
  readonly readable: true;
  readonly offset: Offset;
  /** Milliseconds since 1970, 0 = never. */
  readonly expiresAtMs: number;
  readonly value: Buffer;
}
interface UnreadableValue {
  readonly readable: false;
  readonly offset: Offset;
  readonly partition: Partition;
  readonly reason: UnreadableReason;
}
