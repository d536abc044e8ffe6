import { crc32cNative } from '@levee/codec';
import { Failure, type Unit } from '@levee/kernel';

/** A binary frame does not hold what its own counts and lengths say. */
export class FrameFailure extends Failure<'BAD_FRAME'> {
  override readonly name = 'FrameFailure';

  constructor(what: string) {
    super('BAD_FRAME', what);
  }
}

const high = 0x1_0000_0000;

/** CRC-32C at the end of each frame: of as many damaged packets as a data centre sees, TCP's own checksum misses some. */
const sealBytes = 4;

/**
 * The checksum of a request. That of its answer goes on from it, because a damaged count or length can make a node see
 * more requests than were sent: their answers would be taken for those of the next ones.
 */
export type Seal = Unit<'Seal', number>;
/** Of what answers nothing: a request. */
export const noSeal = 0 as Seal;

/** Of a frame that was sent. */
export function sealOf(frame: Buffer): Seal {
  return wordAt(frame, frame.length - sealBytes) as Seal;
}

/** Grows by doubling; integers are little endian, 64-bit ones are two words (low, high) of a safe integer. */
export class FrameWriter {
  private buffer: Buffer;
  private at = 0;

  constructor(bytesExpected = 256) {
    this.buffer = Buffer.allocUnsafe(Math.max(64, bytesExpected + sealBytes));
  }

  get length(): number {
    return this.at;
  }

  u8(n: number): void {
    const at = this.grow(1);
    this.buffer[at] = n;
  }

  u16(n: number): void {
    const at = this.grow(2);
    const b = this.buffer;
    b[at] = n;
    b[at + 1] = n >>> 8;
  }

  u32(n: number): void {
    this.setU32(this.grow(4), n);
  }

  u64(n: number): void {
    const at = this.grow(8);
    this.setU32(at, n >>> 0);
    this.setU32(at + 4, Math.floor(n / high));
  }

  bytes(source: Uint8Array): void {
    const at = this.grow(source.length);
    this.buffer.set(source, at);
  }

  /** A text of at most 65,535 bytes of UTF-8 behind its u16 length; a longer one is cut. */
  text16(text: string): void {
    const encoded = Buffer.from(text, 'utf8').subarray(0, 0xffff);
    this.u16(encoded.length);
    this.bytes(encoded);
  }

  /** Any bytes behind their u32 length. */
  bytes32(source: Uint8Array): void {
    this.u32(source.length);
    this.bytes(source);
  }

  /** Overwrites a word written before. */
  setU32(at: number, n: number): void {
    const b = this.buffer;
    b[at] = n;
    b[at + 1] = n >>> 8;
    b[at + 2] = n >>> 16;
    b[at + 3] = n >>> 24;
  }

  setU64(at: number, n: number): void {
    this.setU32(at, n >>> 0);
    this.setU32(at + 4, Math.floor(n / high));
  }

  /** The bytes written, sealed as the answer to a request or as one; the writer must not be used afterwards. */
  finish(answerTo = noSeal): Buffer {
    this.u32(crc32cNative(this.buffer.subarray(0, this.at), answerTo));
    return this.buffer.subarray(0, this.at);
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

/** Reads what {@link FrameWriter} wrote; every step past the end is a {@link FrameFailure}. */
export class FrameReader {
  private at = 0;

  /** `buffer`: a frame without its seal. */
  constructor(
    readonly buffer: Buffer,
    readonly seal = noSeal,
  ) {}

  /** Of a frame as it came: an answer to a request, or one. */
  static open(frame: Buffer, answerTo = noSeal): FrameReader {
    const end = frame.length - sealBytes;
    if (end < 0) throw new FrameFailure(`a frame of ${frame.length} bytes ends too early`);
    const reader = new FrameReader(frame.subarray(0, end), sealOf(frame));
    if (crc32cNative(reader.buffer, answerTo) === reader.seal) return reader;
    const or = answerTo === noSeal ? '' : ', or answers another request';
    throw new FrameFailure(`a frame of ${frame.length} bytes fails its checksum: it was damaged on its way${or}`);
  }

  get position(): number {
    return this.at;
  }

  get remaining(): number {
    return this.buffer.length - this.at;
  }

  u8(): number {
    const at = this.take(1);
    return this.buffer[at] as number;
  }

  u16(): number {
    const at = this.take(2);
    const b = this.buffer;
    return (b[at] as number) | ((b[at + 1] as number) << 8);
  }

  u32(): number {
    return wordAt(this.buffer, this.take(4));
  }

  u64(): number {
    const at = this.take(8);
    const n = wordAt(this.buffer, at + 4) * high + wordAt(this.buffer, at);
    if (n > Number.MAX_SAFE_INTEGER) throw new FrameFailure(`a number above 2^53 at byte ${at}`);
    return n;
  }

  /** A view, not a copy. */
  bytes(length: number): Buffer {
    const at = this.take(length);
    return this.buffer.subarray(at, at + length);
  }

  text16(): string {
    return this.bytes(this.u16()).toString('utf8');
  }

  /** A view, not a copy. */
  bytes32(): Buffer {
    return this.bytes(this.u32());
  }

  skip(length: number): void {
    this.take(length);
  }

  end(): void {
    if (this.at !== this.buffer.length) throw new FrameFailure(`${this.remaining} bytes too many in a frame`);
  }

  private take(bytes: number): number {
    const at = this.at;
    if (bytes > this.buffer.length - at)
      throw new FrameFailure(`a frame of ${this.buffer.length} bytes ends too early`);
    this.at = at + bytes;
    return at;
  }
}

function wordAt(b: Buffer, at: number): number {
  return (
    ((b[at] as number) |
      ((b[at + 1] as number) << 8) |
      ((b[at + 2] as number) << 16) |
      ((b[at + 3] as number) << 24)) >>>
    0
  );
}
