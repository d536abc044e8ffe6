import { CodecFailure } from '../codec-failure';

/** Reads the parts of an Avro body one after the other. Throws TRUNCATED and MALFORMED, never reads beyond its bytes. */
export class BodyReader {
  private at: number;

  constructor(
    private readonly bytes: Buffer,
    start: number,
  ) {
    this.at = start;
  }

  get remaining(): number {
    return this.bytes.length - this.at;
  }

  /** A zig-zag variable-length integer of at most 64 bits. */
  long(): bigint {
    let zigzag = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.byte();
      zigzag |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) break;
      if (shift === 63n) throw malformed('an integer of more than 10 bytes');
    }
    if (zigzag >> 64n !== 0n) throw malformed('an integer of more than 64 bits');
    return (zigzag >> 1n) ^ -(zigzag & 1n);
  }

  int(): number {
    const n = this.long();
    if (n < -(2n ** 31n) || n >= 2n ** 31n) throw malformed(`${n} for an int, which has 32 bits`);
    return Number(n);
  }

  /** A count or a size, which fits a number; MALFORMED where it is negative. */
  length(): number {
    const n = this.long();
    if (n < 0n) throw malformed(`a length of ${n}`);
    return Number(n);
  }

  boolean(): boolean {
    const byte = this.byte();
    if (byte > 1) throw malformed(`the byte ${byte} for a boolean`);
    return byte === 1;
  }

  float(): number {
    return this.fixed(4).readFloatLE();
  }

  double(): number {
    return this.fixed(8).readDoubleLE();
  }

  /** A view of the next bytes, whose number stands before them. */
  block(): Buffer {
    return this.fixed(this.length());
  }

  /** A view of the next bytes. */
  fixed(length: number): Buffer {
    if (length > this.remaining) throw truncated(length, this.remaining);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  private byte(): number {
    const byte = this.bytes[this.at];
    if (byte === undefined) throw truncated(1, 0);
    this.at++;
    return byte;
  }
}

export const malformed = (what: string): CodecFailure => new CodecFailure('MALFORMED', `the body holds ${what}`);

const truncated = (needed: number, left: number): CodecFailure =>
  new CodecFailure('TRUNCATED', `the body needs ${needed} more bytes, ${left} are left`);
