import type { Judgement, StayReason } from './judge-key';

/** What is, or was, to be done with strays. */
export interface Settled {
  /** Keys with strays. */
  readonly keys: number;
  /** Of those: brought home, or, when nothing was written, to be brought home. */
  readonly home: number;
  /** Keys whose newer record, written in the same moment, was put behind the one that came home; or is to be. */
  readonly restored: number;
  /** Keys that others went on writing at the same moment, as often as it was tried. */
  readonly contested: number;
  readonly stays: Readonly<Record<StayReason, number>>;
  /** Older strays of the same keys: nobody misses them. */
  readonly outdone: number;
  /** Places of the first strays, by what became of them. */
  readonly examples: Readonly<Partial<Record<Judgement, readonly string[]>>>;
}
