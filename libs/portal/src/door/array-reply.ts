import { ReplyWriter, type RespProtocol } from '@levee/wire';

/** From so many bytes on a part is complete. */
const partBytes = 128 * 1024;

type Element = Buffer | string | undefined;

/**
 * An array of values as a reply, encoded as they come and in parts: a large one is never put together at once, and no
 * value keeps the answer of a node in memory that it came with.
 */
export class ArrayReply {
  private readonly parts: Buffer[] = [];
  private writer: ReplyWriter;
  private next = 0;
  /** Those that came before their turn. */
  private readonly early = new Map<number, Element>();

  constructor(
    private readonly protocol: RespProtocol,
    count: number,
  ) {
    this.writer = new ReplyWriter(protocol).array(count);
  }

  /** Each place once, in any order; `undefined`: there is none; a text is an error. */
  set(place: number, value: Element): void {
    if (place !== this.next) return void this.early.set(place, value);
    this.put(value);
    while (this.early.size > 0 && this.early.has(this.next)) {
      const held = this.early.get(this.next);
      this.early.delete(this.next);
      this.put(held);
    }
  }

  /** Once every place is set. */
  finish(): readonly Buffer[] {
    this.parts.push(this.writer.finish());
    return this.parts;
  }

  private put(value: Element): void {
    this.next++;
    if (this.writer.length >= partBytes) {
      this.parts.push(this.writer.finish());
      this.writer = new ReplyWriter(this.protocol, partBytes * 2);
    }
    if (typeof value === 'string') this.writer.error(value);
    else if (value) this.writer.bulk(value);
    else this.writer.null();
  }
}
