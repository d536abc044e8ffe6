/** Reads numbers and slices as LevelDB writes them; anything that does not fit throws a RangeError. */
export class ByteReader {
  private at = 0;

  constructor(private readonly bytes: Buffer) {}

  get done(): boolean {
    return this.at >= this.bytes.length;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  /** Seven bits a byte, the lowest first; whole numbers up to 2^53. */
  varint(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 63; scale *= 128) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) break;
      value += (byte & 0x7f) * scale;
      if (byte >= 0x80) continue;
      // Written in the fewest bytes: another spelling of the same number is a changed byte too.
      if (Number.isSafeInteger(value) && (byte > 0 || scale === 1)) return value;
      break;
    }
    throw new RangeError('no number where one should be');
  }

  take(length: number): Buffer {
    if (length > this.left) throw new RangeError(`${length} bytes announced, ${this.left} there`);
    const from = this.at;
    this.at += length;
    return this.bytes.subarray(from, this.at);
  }

  /** Length, then so many bytes. */
  slice(): Buffer {
    return this.take(this.varint());
  }
}

/** LevelDB turns and shifts the checksums that it stores, since bytes with their own checksum have a constant one. */
export function maskedCrc(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
