/** Writes Kafka's primitive types (big endian) into a buffer that grows. */
export class ByteWriter {
  private buffer: Buffer;
  private at = 0;

  constructor(capacity = 512) {
    this.buffer = Buffer.allocUnsafe(capacity);
  }

  get length(): number {
    return this.at;
  }

  /** What was written; valid until the next write. */
  bytes(): Buffer {
    return this.buffer.subarray(0, this.at);
  }

  int8(value: number): this {
    this.reserve(1);
    this.at = this.buffer.writeInt8(value, this.at);
    return this;
  }

  int16(value: number): this {
    this.reserve(2);
    this.at = this.buffer.writeInt16BE(value, this.at);
    return this;
  }

  int32(value: number): this {
    this.reserve(4);
    this.at = this.buffer.writeInt32BE(value, this.at);
    return this;
  }

  /** A safe integer as int64. */
  int64(value: number): this {
    this.reserve(8);
    this.at = writeInt64(this.buffer, value, this.at);
    return this;
  }

  /** `null` is length -1. */
  string(value: string | null): this {
    if (value === null) return this.int16(-1);
    const length = Buffer.byteLength(value);
    this.int16(length).reserve(length);
    this.at += this.buffer.write(value, this.at, length);
    return this;
  }

  /** Length + 1 as unsigned varint, as the flexible request versions have it. */
  compactString(value: string): this {
    const length = Buffer.byteLength(value);
    this.unsignedVarint(length + 1).reserve(length);
    this.at += this.buffer.write(value, this.at, length);
    return this;
  }

  /** 16 bytes, given in hexadecimal digits. */
  uuid(hex: string): this {
    this.reserve(16);
    this.at += this.buffer.write(hex, this.at, 16, 'hex');
    return this;
  }

  unsignedVarint(value: number): this {
    this.reserve(5);
    for (; value >= 0x80; value >>>= 7) this.buffer[this.at++] = (value & 0x7f) | 0x80;
    this.buffer[this.at++] = value;
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.at);
    this.at += bytes.length;
    return this;
  }

  private reserve(bytes: number): void {
    if (this.at + bytes <= this.buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.at + bytes));
    this.buffer.copy(larger, 0, 0, this.at);
    this.buffer = larger;
  }
}

/** Writes a safe integer as int64 and returns the place after it. */
export function writeInt64(buffer: Buffer, value: number, at: number): number {
  const low = value >>> 0;
  buffer.writeInt32BE((value - low) / 0x1_0000_0000, at);
  return buffer.writeUInt32BE(low, at + 4);
}
