/** Numbers for each: which buffer, where in it the argument begins, and where it ends. */
const width = 3;
/** So many at first, as a count promises them and costs nothing. */
const roomAtFirst = 1_024;

/**
 * The arguments of a command that has very many, as places in what was received: an object each would be work for
 * collections of the heap, of all that lives there, for as long as the command is under way.
 */
export class PackedArguments {
  private readonly buffers: Buffer[] = [];
  private places = new Uint32Array(roomAtFirst * width);
  private count = 0;

  get length(): number {
    return this.count;
  }

  /** What it takes besides the bytes of the arguments. */
  get overheadBytes(): number {
    return this.places.byteLength;
  }

  /** One more, which is `buffer.subarray(start, end)`. */
  add(buffer: Buffer, start: number, end: number): void {
    if (this.buffers[this.buffers.length - 1] !== buffer) this.buffers.push(buffer);
    const at = this.count * width;
    if (at === this.places.length) {
      const larger = new Uint32Array(at * 2);
      larger.set(this.places);
      this.places = larger;
    }
    this.places[at] = this.buffers.length - 1;
    this.places[at + 1] = start;
    this.places[at + 2] = end;
    this.count++;
  }

  /** A view, made anew each time. */
  at(index: number): Buffer | undefined {
    if (index < 0 || index >= this.count) return undefined;
    const { places } = this;
    const buffer = this.buffers[places[index * width] as number] as Buffer;
    return buffer.subarray(places[index * width + 1], places[index * width + 2]);
  }

  /** Of the first of them. */
  views(count = this.count): Buffer[] {
    return Array.from({ length: Math.min(count, this.count) }, (_, index) => this.at(index) as Buffer);
  }
}
