import { TurnLine } from '@levee/kernel';
import { Fifo } from './fifo';

/** What one asker has waiting, in its order. */
export class WaitingLine<T> extends TurnLine {
  private readonly waiting = new Fifo<T>();

  get size(): number {
    return this.waiting.size;
  }

  /** What `shift` would take. */
  get head(): T | undefined {
    return this.waiting.head;
  }

  push(one: T): void {
    this.waiting.push(one);
  }

  unshift(one: T): void {
    this.waiting.unshift(one);
  }

  /** There is one. */
  shift(): T {
    return this.waiting.shift();
  }
}
