/** Reads Kafka's primitive types (big endian); running over the end is a RangeError, never a wrong value. */
export class ByteReader {
  constructor(
    readonly buffer: Buffer,
    public at = 0,
  ) {}

  get rest(): number {
    return this.buffer.length - this.at;
  }

  int8(): number {
    const value = this.buffer.readInt8(this.at);
    this.at += 1;
    return value;
  }

  int16(): number {
    const value = this.buffer.readInt16BE(this.at);
    this.at += 2;
    return value;
  }

  int32(): number {
    const value = this.buffer.readInt32BE(this.at);
    this.at += 4;
    return value;
  }

  int64(): number {
    const value = readInt64(this.buffer, this.at);
    this.at += 8;
    return value;
  }

  string(): string | null {
    const length = this.int16();
    return length < 0 ? null : this.raw(length).toString();
  }

  compactString(): string | null {
    const length = this.unsignedVarint() - 1;
    return length < 0 ? null : this.raw(length).toString();
  }

  /** Count of a compact array; -1 for null. */
  compactCount(): number {
    return this.unsignedVarint() - 1;
  }

  unsignedVarint(): number {
    const first = this.buffer.readUInt8(this.at++);
    if (first < 0x80) return first;
    let value = first & 0x7f;
    for (let shift = 7; shift < 35; shift += 7) {
      const byte = this.buffer.readUInt8(this.at++);
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('a varint of more than 5 bytes');
  }

  raw(length: number): Buffer {
    if (length < 0 || length > this.rest) throw new RangeError(`${length} bytes wanted, ${this.rest} left`);
    this.at += length;
    return this.buffer.subarray(this.at - length, this.at);
  }

  uuid(): string {
    return this.raw(16).toString('hex');
  }

  skipTags(): void {
    for (let n = this.unsignedVarint(); n > 0; n--) {
      this.unsignedVarint();
      this.raw(this.unsignedVarint());
    }
  }

  skipCompactInt32s(): void {
    this.raw(Math.max(0, this.compactCount()) * 4);
  }

  /** As many values as the int32 count says; null arrays are empty. */
  array<T>(read: (reader: this) => T): T[] {
    return this.many(this.int32(), read);
  }

  compactArray<T>(read: (reader: this) => T): T[] {
    return this.many(this.compactCount(), read);
  }

  private many<T>(count: number, read: (reader: this) => T): T[] {
    if (count > this.rest) throw new RangeError(`${count} elements in ${this.rest} bytes`);
    const values: T[] = [];
    for (let i = 0; i < count; i++) values.push(read(this));
    return values;
  }
}

/** int64 as a number: exact up to 2^53, which no offset reaches. */
export function readInt64(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at) * 0x1_0000_0000 + buffer.readUInt32BE(at + 4);
}
