import type { ReplySlot } from '@levee/wire';

/** Keys of one command that are under way at a time, and bytes of what is written to them. */
const atOnceMax = 128;
const atOnceBytesMax = 1024 * 1024;

export interface ManyKeys {
  readonly reply: ReplySlot;
  readonly count: number;
  /** Bytes that the i-th takes while it is under way; the first of a wave may have more than a wave should. */
  readonly bytesOf?: (i: number) => number;
  /** Asked before each: true when the rest need not be done. */
  readonly isOver?: () => boolean;
}

/**
 * Begins each of many, the next ones when those before are finished, so that a command of any size asks no more of the
 * store at a time than a short one. While it goes on, no later command of its connection is begun: none overtakes it.
 */
export function inWaves(
  { reply, count, bytesOf = () => 0, isOver = () => false }: ManyKeys,
  begin: (i: number, finished: () => void) => void,
  done: () => void,
): void {
  let next = 0;
  let underWay = 0;
  let bytes = 0;
  const more = (): void => {
    while (next < count && underWay < atOnceMax && (underWay === 0 || bytes < atOnceBytesMax)) {
      if (isOver()) {
        next = count;
        break;
      }
      const i = next++;
      const size = bytesOf(i);
      underWay++;
      bytes += size;
      begin(i, () => {
        underWay--;
        bytes -= size;
        if (next < count && underWay * 2 <= atOnceMax) more();
        if (underWay === 0 && next === count) done();
      });
    }
  };
  more();
  if (next < count) reply.holdPipeline();
  else if (underWay === 0) done();
}
