/**
 * Bytes received and not yet parsed. Parsed views stay valid: storage is never overwritten, only left behind.
 * A chunk that arrives while nothing waits is parsed in place; otherwise bytes gather in storage that grows by
 * doubling, so that a slow drip costs linear time.
 */
export class ByteQueue {
  buffer: Buffer = nothing;
  start = 0;
  end = 0;
  private owned = false;

  get length(): number {
    return this.end - this.start;
  }

  /**
   * `wanted`: how many bytes from `start` on the parser knows it needs. No more is reserved than twice what has arrived:
   * a length is a promise that costs its sender nothing.
   */
  push(chunk: Buffer, wanted = 0): void {
    const rest = this.end - this.start;
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
  }
}

const nothing = Buffer.alloc(0);
