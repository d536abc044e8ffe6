/** Reads packed bytes from front to back; throws {@link RangeError} instead of reading behind the end. */
export class PackedBytes {
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get left(): number {
    return this.bytes.length - this.at;
  }

  take(count: number): Uint8Array {
    const from = this.at;
    this.skip(count);
    return this.bytes.subarray(from, this.at);
  }

  skip(count: number): void {
    if (count > this.left) throw new RangeError('its compressed bytes end too early');
    this.at += count;
  }

  byte(): number {
    return this.take(1)[0] as number;
  }

  uint32LE(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.take(4);
    return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
  }

  uint32BE(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.take(4);
    return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
  }
}
