import { PackedBytes } from './packed-bytes';

/**
 * LZ4's frame format (lz4_Frame_format.md 1.6.4), as Kafka's clients write it: `04 22 4d 18`, flags, block size, content
 * size if the flags say so, header checksum, then blocks behind their length, and a length of 0. Checksums are passed
 * over: that of Kafka's batch covers them all. Frames may follow one another.
 */
const magic = 0x184d2204;
const flag = {
  version: 0xc0,
  versionOne: 0x40,
  blockChecksum: 0x10,
  contentSize: 0x08,
  contentChecksum: 0x04,
  dictionary: 0x01,
};
/** Highest bit of a block's length: it is stored as it is. */
const plainBlock = 0x8000_0000;
const minMatch = 4;

/** What the frames hold; throws {@link RangeError} for damage, and before it would be more than `bytesMax`. */
export function unpackLz4(packed: Uint8Array, bytesMax: number): Buffer {
  const input = new PackedBytes(packed);
  const output = new Output(Math.min(bytesMax, packed.length * 4), bytesMax);
  do readFrame(input, output);
  while (input.left > 0);
  return output.taken();
}

function readFrame(input: PackedBytes, output: Output): void {
  if (input.uint32LE() !== magic) throw new RangeError('it does not begin with the mark of an LZ4 frame');
  const flags = input.byte();
  if ((flags & flag.version) !== flag.versionOne) throw new RangeError('its LZ4 frame is of an unknown version');
  if ((flags & flag.dictionary) !== 0) throw new RangeError('its LZ4 frame needs a dictionary');
  input.skip(1 + ((flags & flag.contentSize) === 0 ? 0 : 8) + 1);
  for (let length = input.uint32LE(); length !== 0; length = input.uint32LE()) {
    if (length >= plainBlock) output.append(input.take(length - plainBlock));
    else unpackBlock(input.take(length), output);
    if ((flags & flag.blockChecksum) !== 0) input.skip(4);
  }
  if ((flags & flag.contentChecksum) !== 0) input.skip(4);
}

/** Sequences of literals and matches; the last one has literals only. */
function unpackBlock(block: Uint8Array, output: Output): void {
  const end = block.length;
  let at = 0;
  while (at < end) {
    const token = block[at++] as number;
    let literals = token >>> 4;
    if (literals === 15)
      for (let more = 255; more === 255;) {
        if (at >= end) throw damaged();
        more = block[at++] as number;
        literals += more;
      }
    if (literals > end - at) throw damaged();
    output.room(literals);
    const { bytes } = output;
    let to = output.length;
    if (literals < 24) for (let i = 0; i < literals; i++) bytes[to + i] = block[at + i] as number;
    else bytes.set(block.subarray(at, at + literals), to);
    at += literals;
    output.length = to += literals;
    if (at === end) return;
    if (end - at < 2) throw damaged();
    const distance = (block[at] as number) | ((block[at + 1] as number) << 8);
    at += 2;
    let match = (token & 15) + minMatch;
    if ((token & 15) === 15)
      for (let more = 255; more === 255;) {
        if (at >= end) throw damaged();
        more = block[at++] as number;
        match += more;
      }
    if (distance === 0 || distance > to) throw damaged();
    output.repeat(distance, match);
  }
}

const damaged = (): RangeError => new RangeError('its LZ4 block is damaged');

class Output {
  bytes: Buffer;
  length = 0;

  constructor(
    size: number,
    private readonly bytesMax: number,
  ) {
    this.bytes = Buffer.allocUnsafe(size);
  }

  room(more: number): void {
    const wanted = this.length + more;
    if (wanted <= this.bytes.length) return;
    if (wanted > this.bytesMax) throw new RangeError(`it unpacks to more than ${this.bytesMax} bytes`);
    const grown = Buffer.allocUnsafe(Math.min(this.bytesMax, Math.max(wanted, this.bytes.length * 2)));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }

  append(more: Uint8Array): void {
    this.room(more.length);
    this.bytes.set(more, this.length);
    this.length += more.length;
  }

  /** Copies `count` bytes from `distance` before the end; they may overlap what is written. */
  repeat(distance: number, count: number): void {
    this.room(count);
    const { bytes } = this;
    const to = this.length;
    const from = to - distance;
    if (distance >= count && count >= 24) bytes.copyWithin(to, from, from + count);
    else for (let i = 0; i < count; i++) bytes[to + i] = bytes[from + i] as number;
    this.length = to + count;
  }

  taken(): Buffer {
    return this.bytes.subarray(0, this.length);
  }
}
