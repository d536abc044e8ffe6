import { FrameFailure, FrameReader, FrameWriter, noSeal, type Seal } from './frame';
import { nodeCommands, nodeProtocolLimits, type PartitionPosition } from './node-protocol';
import { entryCount, openRequest, type Received } from './request-frame';

/** What all entries of one LV.READ have in common. */
export interface ReadHeader {
  readonly namespace: string;
  readonly tableVersion: number;
  /** -1 = any age. */
  readonly maxAgeMs: number;
  readonly nowMs: number;
  readonly deadlineMs: number;
}

/** LV.READ as the node sees it; `entries` is a cursor over the frame, already checked against its counts. */
export interface ReadRequest extends ReadHeader {
  readonly entries: ReadEntries;
}

/** Arguments of `RespClient.send` for one LV.READ. */
export function readCommand(header: ReadHeader, entries: ReadEntriesWriter): readonly (string | Buffer)[] {
  return [nodeCommands.read, entries.finish(header)];
}

/** Of a received command; throws FrameFailure with a text for the `-ERR` reply. */
export function parseReadCommand(args: readonly Buffer[]): Received<ReadRequest> {
  const reader = openRequest(args);
  const entries = new ReadEntries(reader);
  const tableVersion = reader.u64();
  const maxAgeMs = reader.u64() - 1;
  const nowMs = reader.u64();
  const deadlineMs = reader.u64();
  const namespace = reader.text16();
  reader.end();
  return { namespace, tableVersion, maxAgeMs, nowMs, deadlineMs, entries, seal: reader.seal };
}

/** Packs the entries of one LV.READ. */
export class ReadEntriesWriter {
  private readonly frame: FrameWriter;
  count = 0;

  constructor(bytesExpected = 1024) {
    this.frame = new FrameWriter(bytesExpected);
    this.frame.u32(0);
  }

  add(slot: number, minOffset: number, key: Uint8Array): void {
    const { frame } = this;
    frame.u32(slot);
    frame.u64(minOffset);
    frame.u16(key.length);
    frame.bytes(key);
    this.count++;
  }

  /** The header comes last: it is known when the last entry is. */
  finish({ namespace, tableVersion, maxAgeMs, nowMs, deadlineMs }: ReadHeader): Buffer {
    const { frame } = this;
    frame.setU32(0, this.count);
    frame.u64(tableVersion);
    frame.u64(maxAgeMs + 1);
    frame.u64(nowMs);
    frame.u64(deadlineMs);
    frame.text16(namespace);
    return frame.finish();
  }
}

/**
 * Cursor over readEntries: `while (entries.next()) use(entries.slot, entries.minOffset, entries.key())`.
 * No object per entry. The constructor proves the entries whole, so that `next` never throws.
 */
export class ReadEntries {
  readonly count: number;
  slot = 0;
  minOffset = 0;
  /** The current key is `buffer.subarray(keyStart, keyEnd)`. */
  keyStart = 0;
  keyEnd = 0;
  private reader: FrameReader;
  private left: number;

  readonly buffer: Buffer;

  /** Leaves `frame` behind the last entry. */
  constructor(frame: FrameReader) {
    this.buffer = frame.buffer;
    this.count = entryCount(frame);
    for (let i = 0; i < this.count; i++) {
      frame.skip(4);
      frame.u64();
      frame.skip(frame.u16());
    }
    this.reader = new FrameReader(this.buffer);
    this.reader.skip(4);
    this.left = this.count;
  }

  next(): boolean {
    if (this.left === 0) return false;
    this.left--;
    const { reader } = this;
    this.slot = reader.u32();
    this.minOffset = reader.u64();
    const keyLength = reader.u16();
    this.keyStart = reader.position;
    this.keyEnd = this.keyStart + keyLength;
    reader.skip(keyLength);
    return true;
  }

  /** A view of the current key. */
  key(): Buffer {
    return this.buffer.subarray(this.keyStart, this.keyEnd);
  }

  /** Back before the first entry. */
  rewind(): void {
    this.reader = new FrameReader(this.buffer);
    this.reader.skip(4);
    this.left = this.count;
  }
}

export const readTags = { nil: 0, value: 1, error: 2, again: 3 } as const;

/** Packs one LV.READ reply; call exactly one of `nil`, `value`, `error`, `again` per entry, in order. */
export class ReadReplyWriter {
  private readonly frame: FrameWriter;
  private count = 0;

  constructor(
    private readonly answerTo: Seal = noSeal,
    bytesExpected = 1024,
  ) {
    this.frame = new FrameWriter(bytesExpected);
    this.frame.bytes(emptyHeader);
  }

  /** True when further values must be answered with `again()`. */
  get full(): boolean {
    return this.frame.length >= nodeProtocolLimits.readReplyBytesMax;
  }

  /** `nextOffset`: what the key's replica has applied of its partition. */
  nil(nextOffset: number): void {
    this.count++;
    this.frame.u8(readTags.nil);
    this.frame.u64(nextOffset);
  }

  /** `expiresAtMs` null = never. The value is copied. */
  value(offset: number, expiresAtMs: number | null, value: Uint8Array): void {
    this.count++;
    const { frame } = this;
    frame.u8(readTags.value);
    frame.u64(offset);
    frame.u64(expiresAtMs ?? 0);
    frame.u32(value.length);
    frame.bytes(value);
  }

  /** See `entryErrorText`. */
  error(text: string): void {
    this.count++;
    this.frame.u8(readTags.error);
    this.frame.text16(text);
  }

  again(): void {
    this.count++;
    this.frame.u8(readTags.again);
  }

  finish(ageMs: number, tableVersion: number, positions: readonly PartitionPosition[]): Buffer {
    const { frame } = this;
    frame.setU32(0, Math.min(0xffff_ffff, Math.max(0, Math.floor(ageMs))));
    frame.setU64(4, tableVersion);
    frame.setU32(12, this.count);
    frame.setU32(16, positions.length);
    for (const { partition, nextOffset } of positions) {
      frame.u32(partition);
      frame.u64(nextOffset);
    }
    return frame.finish(this.answerTo);
  }
}

const emptyHeader = new Uint8Array(20);

/** Cursor over a LV.READ reply. The constructor reads the header; it and `next` throw FrameFailure on a damaged frame. */
export class ReadReply {
  readonly ageMs: number;
  readonly tableVersion: number;
  readonly count: number;
  readonly positionCount: number;
  tag: number = readTags.nil;
  /** Of the value's record; of a nil, the replica's applied next offset. */
  offset = 0;
  /** 0 = never. */
  expiresAtMs = 0;
  /** The current value is `buffer.subarray(valueStart, valueEnd)`. */
  valueStart = 0;
  valueEnd = 0;
  private readonly reader: FrameReader;
  private left: number;

  constructor(
    readonly buffer: Buffer,
    answerTo: Seal = noSeal,
  ) {
    this.reader = FrameReader.open(buffer, answerTo);
    this.ageMs = this.reader.u32();
    this.tableVersion = this.reader.u64();
    this.count = this.reader.u32();
    this.positionCount = this.reader.u32();
    this.left = this.count;
  }

  next(): boolean {
    if (this.left === 0) return false;
    this.left--;
    const { reader } = this;
    this.tag = reader.u8();
    if (this.tag === readTags.value) {
      this.offset = reader.u64();
      this.expiresAtMs = reader.u64();
      this.take(reader.u32());
    } else if (this.tag === readTags.error) this.take(reader.u16());
    else if (this.tag === readTags.nil) this.offset = reader.u64();
    else if (this.tag !== readTags.again) throw new FrameFailure(`no such tag in a read reply: ${this.tag}`);
    return true;
  }

  /** A view of the current value. */
  value(): Buffer {
    return this.buffer.subarray(this.valueStart, this.valueEnd);
  }

  /** The current error's text. */
  errorText(): string {
    return this.buffer.toString('utf8', this.valueStart, this.valueEnd);
  }

  /** After the last entry (skips what is left). */
  positions(): PartitionPosition[] {
    while (this.next());
    const positions: PartitionPosition[] = [];
    for (let i = 0; i < this.positionCount; i++)
      positions.push({ partition: this.reader.u32(), nextOffset: this.reader.u64() });
    this.reader.end();
    return positions;
  }

  private take(length: number): void {
    this.valueStart = this.reader.position;
    this.reader.skip(length);
    this.valueEnd = this.valueStart + length;
  }
}
