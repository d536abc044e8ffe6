declare const unit: unique symbol;

/** A number (or string) that may not be confused with another of the same primitive type. */
export type Unit<Name extends string, T> = T & { readonly [unit]: Name };

/**
 * Place of a record in a partition, or the place after it (`nextOffset`). A safe integer, not a bigint:
 * at a million records a second a partition needs 285 years to pass 2^53 (docs/decisions/0003).
 */
export type Offset = Unit<'Offset', number>;
/** Unit of placement, 0..999,999. */
export type Slot = Unit<'Slot', number>;
/** Index of a log partition within its topic, from 0. */
export type Partition = Unit<'Partition', number>;
/** Number of a master's decision: gapless from 1. 0 = before the first. */
export type Seq = Unit<'Seq', number>;
/** Number of a master's reign: strictly increasing from 1. 0 = before the first. */
export type Term = Unit<'Term', number>;

export const asOffset = (n: number): Offset => n as Offset;
export const asSlot = (n: number): Slot => n as Slot;
export const asPartition = (n: number): Partition => n as Partition;
export const asSeq = (n: number): Seq => n as Seq;
export const asTerm = (n: number): Term => n as Term;
