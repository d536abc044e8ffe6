import type { Partition } from '@levee/kernel';
import type { Append, FenceWaiter } from '../operations';
import type { AppendLine } from './append-turns';

/** What one partition has waiting. */
export class PartitionQueue {
  /** Large ones, and whatever must not overtake one of its own connection; and small ones, which go past those. */
  readonly lanes: { readonly large: Append[]; readonly small: Append[] } = { large: [], small: [] };
  /** How many each asker has among what is large. */
  private readonly inLarge = new Map<AppendLine, number>();
  /** Every other call begins with what is large: small ones without end do not keep it waiting. */
  private largeIsNext = false;
  waiters: FenceWaiter[] = [];
  /** Not later than the earliest of those that wait. */
  deadlineAtMs = Infinity;
  inFlight = 0;
  /** Of those, such as hold something large. */
  largeInFlight = 0;
  dirty = false;
  fenceAtMs = -Infinity;
  fenceArmed = false;

  constructor(readonly partition: Partition) {}

  get size(): number {
    return this.lanes.large.length + this.lanes.small.length;
  }

  add(append: Append, smallBytes: number): void {
    const { lanes, inLarge } = this;
    const { line } = append;
    const isSmall = append.bytes <= smallBytes && !(line && inLarge.has(line));
    if (isSmall) return void lanes.small.push(append);
    lanes.large.push(append);
    if (line) inLarge.set(line, (inLarge.get(line) ?? 0) + 1);
  }

  /**
   * Takes out those that are `wanted`, in the order of their lane, up to the first of a lane where it says `stop`;
   * `waitsForSmall`: an earlier one of the same asker waits in the other lane.
   */
  takeOut(wanted: (append: Append, waitsForSmall: boolean) => boolean | 'stop'): void {
    this.largeIsNext = !this.largeIsNext;
    if (!this.largeIsNext) this.takeSmall(wanted);
    if (this.lanes.large.length > 0) this.takeLarge(wanted);
    if (this.largeIsNext) this.takeSmall(wanted);
  }

  private takeSmall(wanted: (append: Append, waitsForSmall: boolean) => boolean | 'stop'): void {
    takeFrom(this.lanes.small, (append) => wanted(append, false));
  }

  private takeLarge(wanted: (append: Append, waitsForSmall: boolean) => boolean | 'stop'): void {
    const { lanes, inLarge } = this;
    const alsoSmall = new Set(lanes.small.map(({ line }) => line));
    takeFrom(lanes.large, (append) => {
      const { line } = append;
      const is = wanted(append, line !== undefined && alsoSmall.has(line));
      const left = line && is === true ? (inLarge.get(line) ?? 1) - 1 : undefined;
      if (line && left === 0) inLarge.delete(line);
      else if (line && left !== undefined) inLarge.set(line, left);
      return is;
    });
  }
}

function takeFrom(lane: Append[], wanted: (append: Append) => boolean | 'stop'): void {
  let left = 0;
  let at = 0;
  for (; at < lane.length; at++) {
    const append = lane[at] as Append;
    const is = wanted(append);
    if (is === 'stop') break;
    if (!is) lane[left++] = append;
  }
  lane.splice(left, at - left);
}
