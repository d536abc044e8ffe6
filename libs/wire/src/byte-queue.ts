import { ChunkList } from './chunk-list';

/** Of what is longer the pieces are kept as they come, and put together once. */
const gatherBytesMin = 128 * 1024;

/**
 * Bytes received and not yet parsed. Parsed views stay valid: storage is never overwritten, only left behind.
 * A chunk that arrives while nothing waits is parsed in place; otherwise bytes gather in storage that grows by
 * doubling, so that a slow drip costs linear time, or in pieces until all that is wanted is there.
 */
export class ByteQueue {
  buffer: Buffer = nothing;
  start = 0;
  /** Of what can be parsed. */
  end = 0;
  private owned = false;
  /** Behind `end`, while they are not enough to go on. */
  private readonly behind = new ChunkList();

  get length(): number {
    return this.end - this.start + this.behind.bytes;
  }

  /**
   * `wanted`: how many bytes from `start` on the parser knows it needs. No more is reserved than twice what has arrived:
   * a length is a promise that costs its sender nothing.
   */
  push(chunk: Buffer, wanted = 0): void {
    const rest = this.end - this.start;
    if (wanted > gatherBytesMin) {
      const arrived = rest + this.behind.contentBytes + chunk.length;
      if (arrived < wanted) return this.behind.push(chunk);
      if (!this.behind.isEmpty) return this.join(chunk, arrived);
    }
    if (rest === 0) {
      this.buffer = chunk;
      this.start = 0;
      this.end = chunk.length;
      this.owned = false;
      return;
    }
    if (!this.owned || this.buffer.length - this.end < chunk.length) {
      const need = rest + chunk.length;
      const isNear = wanted >= need && wanted <= need * 2;
      const larger = Buffer.allocUnsafeSlow(Math.max(isNear ? wanted : need * 2, 1024));
      this.buffer.copy(larger, 0, this.start, this.end);
      this.buffer = larger;
      this.start = 0;
      this.end = rest;
      this.owned = true;
    }
    chunk.copy(this.buffer, this.end);
    this.end += chunk.length;
  }

  clear(): void {
    this.buffer = nothing;
    this.start = 0;
    this.end = 0;
    this.owned = false;
    this.behind.clear();
  }

  private join(last: Buffer, bytes: number): void {
    const whole = Buffer.allocUnsafeSlow(bytes);
    let at = this.buffer.copy(whole, 0, this.start, this.end);
    for (let piece = this.behind.shift(); piece; piece = this.behind.shift()) at += piece.copy(whole, at);
    last.copy(whole, at);
    this.buffer = whole;
    this.start = 0;
    this.end = bytes;
    this.owned = true;
  }
}

const nothing = Buffer.alloc(0);
