/** First in, first out, at a constant cost. */
export class Fifo<T> {
  private items: T[] = [];
  private first = 0;

  get size(): number {
    return this.items.length - this.first;
  }

  /** What `shift` would take. */
  get head(): T | undefined {
    return this.items[this.first];
  }

  push(item: T): void {
    this.items.push(item);
  }

  unshift(item: T): void {
    if (this.first > 0) this.items[--this.first] = item;
    else this.items.unshift(item);
  }

  /** There is one. */
  shift(): T {
    const item = this.items[this.first] as T;
    this.first++;
    if (this.size === 0) {
      this.items = [];
      this.first = 0;
    } else if (this.first > 4096) {
      this.items = this.items.slice(this.first);
      this.first = 0;
    }
    return item;
  }
}
