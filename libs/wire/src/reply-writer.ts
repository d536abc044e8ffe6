export type RespProtocol = 2 | 3;

/** Builds one reply of any shape, in RESP2 or RESP3. */
export class ReplyWriter {
  private buffer: Buffer;
  private at = 0;

  constructor(
    readonly protocol: RespProtocol,
    bytesExpected = 256,
  ) {
    this.buffer = Buffer.allocUnsafe(bytesExpected);
  }

  simple(text: string): this {
    return this.line(`+${oneLine(text)}`);
  }

  /** `text` begins with the error's code. */
  error(text: string): this {
    return this.line(`-${oneLine(text)}`);
  }

  integer(n: number): this {
    return this.line(`:${n}`);
  }

  bulk(bytes: Uint8Array): this {
    this.line(`$${bytes.length}`);
    const at = this.grow(bytes.length + 2);
    this.buffer.set(bytes, at);
    this.buffer[at + bytes.length] = 13;
    this.buffer[at + bytes.length + 1] = 10;
    return this;
  }

  text(text: string): this {
    return this.bulk(Buffer.from(text, 'utf8'));
  }

  null(): this {
    return this.line(this.protocol === 3 ? '_' : '$-1');
  }

  nullArray(): this {
    return this.line(this.protocol === 3 ? '_' : '*-1');
  }

  array(length: number): this {
    return this.line(`*${length}`);
  }

  /** `pairs` keys and values follow, alternating; in RESP2 as a flat array. */
  map(pairs: number): this {
    return this.line(this.protocol === 3 ? `%${pairs}` : `*${pairs * 2}`);
  }

  set(length: number): this {
    return this.line(this.protocol === 3 ? `~${length}` : `*${length}`);
  }

  push(length: number): this {
    return this.line(this.protocol === 3 ? `>${length}` : `*${length}`);
  }

  boolean(value: boolean): this {
    return this.line(this.protocol === 3 ? (value ? '#t' : '#f') : value ? ':1' : ':0');
  }

  double(value: number): this {
    const text = Number.isNaN(value) ? 'nan' : value === Infinity ? 'inf' : value === -Infinity ? '-inf' : `${value}`;
    return this.protocol === 3 ? this.line(`,${text}`) : this.text(text);
  }

  /** `format` has three letters: txt, mkd. */
  verbatim(format: 'txt' | 'mkd', text: string): this {
    if (this.protocol === 2) return this.text(text);
    const bytes = Buffer.from(`${format}:${text}`, 'utf8');
    this.line(`=${bytes.length}`);
    const at = this.grow(bytes.length + 2);
    this.buffer.set(bytes, at);
    this.buffer.write('\r\n', at + bytes.length, 'latin1');
    return this;
  }

  get length(): number {
    return this.at;
  }

  finish(): Buffer {
    return this.buffer.subarray(0, this.at);
  }

  private line(text: string): this {
    const length = Buffer.byteLength(text, 'utf8');
    const at = this.grow(length + 2);
    this.buffer.write(text, at, length === text.length ? 'latin1' : 'utf8');
    this.buffer[at + length] = 13;
    this.buffer[at + length + 1] = 10;
    return this;
  }

  private grow(bytes: number): number {
    const at = this.at;
    this.at = at + bytes;
    if (this.at > this.buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.at, this.buffer.length * 2));
      larger.set(this.buffer.subarray(0, at));
      this.buffer = larger;
    }
    return at;
  }
}

/** Simple strings and errors end at the first CR or LF: what a message quotes may not end it. */
export function oneLine(text: string): string {
  return /[\r\n]/.test(text) ? text.replace(/[\r\n]+/g, ' ') : text;
}
