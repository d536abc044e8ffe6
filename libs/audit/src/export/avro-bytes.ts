import { Failure } from '@levee/kernel';

/** Longest base-128 number that a long can be. */
const longBytesMax = 10;

/** A long in Avro's way: zig-zag, base 128, least significant group first. `n` is from 0 to 2^53 - 1, or -1. */
export function longBytes(n: number): Buffer {
  const bytes: number[] = [];
  let rest = n < 0 ? -n * 2 - 1 : n * 2;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** Bytes, or a string, with their length before them. */
export function lengthBytes(of: Uint8Array): Buffer[] {
  return [longBytes(of.length), of as Buffer];
}

/** Reads Avro's primitive types from bytes that nobody vouches for. Fails with EXPORT_DAMAGED, at the place where it is. */
export class AvroReader {
  at = 0;

  constructor(private readonly bytes: Buffer) {}

  get atEnd(): boolean {
    return this.at >= this.bytes.length;
  }

  /** From -2^53 to 2^53. */
  long(): number {
    let n = 0;
    let scale = 1;
    for (let i = 0; i < longBytesMax; i++) {
      const byte = this.bytes[this.at];
      if (byte === undefined) throw damaged('ends in a number');
      this.at++;
      n += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        // A last group of nothing would be another way to write the same number.
        if ((byte === 0 && i > 0) || n > 2 * Number.MAX_SAFE_INTEGER) throw damaged('holds a number that is none');
        return n % 2 === 0 ? n / 2 : -(n + 1) / 2;
      }
      scale *= 0x80;
    }
    throw damaged('holds a number that does not end');
  }

  /** From 0 to `max`. */
  natural(max: number): number {
    const n = this.long();
    if (n < 0 || n > max) throw damaged(`says ${n} where 0 to ${max} can be`);
    return n;
  }

  /** A part of what is read, not a copy. */
  byteString(): Buffer {
    const length = this.natural(this.bytes.length - this.at);
    const found = this.bytes.subarray(this.at, this.at + length);
    this.at += length;
    return found;
  }

  text(): string {
    return this.byteString().toString('utf8');
  }

  raw(length: number): Buffer {
    if (this.at + length > this.bytes.length) throw damaged('ends early');
    const found = this.bytes.subarray(this.at, this.at + length);
    this.at += length;
    return found;
  }

  /** What a union of null and something holds. */
  orNull<T>(read: () => T): T | null {
    return this.natural(1) === 0 ? null : read();
  }
}

/** What is wrong with a file; the place is said by who reads it. */
export const damaged = (what: string): Failure => new Failure('EXPORT_DAMAGED', what);
