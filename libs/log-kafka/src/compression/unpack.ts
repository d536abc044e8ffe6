import { decompress as unzstd, isLoaded } from '@foxglove/wasm-zstd';
import { assert } from '@levee/kernel';
import { logLimits } from '@levee/log';
import { gunzipSync } from 'node:zlib';
import { uncompressSync } from 'snappy';
import { unpackLz4 } from './lz4-frame';
import { PackedBytes } from './packed-bytes';

/** Resolves when batches can be unpacked: WebAssembly loads in its own time. */
export const unpackReady: Promise<unknown> = isLoaded;

/**
 * Most bytes that the records of one batch unpack to: 32 times what a topic takes by Kafka's defaults, and four times the
 * largest record. It is the same for everybody and no setting: what one replica reads and another does not would make
 * them differ.
 */
export const unpackedBytesMax = 32 * 1024 * 1024;
assert(unpackedBytesMax >= 2 * logLimits.recordBytesMax, 'what is read of plain batches is read of compressed ones');

type Unpack = (packed: Uint8Array, bytesMax: number) => Buffer;

/** By the codec's number in the attributes of a batch. */
const unpackers: readonly (Unpack | undefined)[] = [undefined, unpackGzip, unpackSnappy, unpackLz4, unpackZstd];

/**
 * The records of a compressed batch. Throws, with the reason in words: for an unknown codec, for damage, and where they
 * would be more than {@link unpackedBytesMax}; never after more than that was allocated.
 */
export function unpack(codec: number, packed: Uint8Array): Buffer {
  const unpacker = unpackers[codec];
  if (unpacker === undefined) throw new RangeError(`it is compressed with codec ${codec}, which is unknown here`);
  return unpacker(packed, unpackedBytesMax);
}

function unpackGzip(packed: Uint8Array, maxOutputLength: number): Buffer {
  return gunzipSync(packed, { maxOutputLength });
}

/** The framing of the Java library snappy-java: mark, two versions of 4 bytes, then blocks behind their length. */
const xerialMark = Buffer.from('82534e4150505900', 'hex');
const xerialHeaderBytes = xerialMark.length + 8;

function unpackSnappy(packed: Uint8Array, bytesMax: number): Buffer {
  if (packed.length < xerialHeaderBytes || xerialMark.compare(packed, 0, xerialMark.length) !== 0)
    return unpackSnappyBlock(packed, bytesMax);
  const input = new PackedBytes(packed);
  input.skip(xerialHeaderBytes);
  const blocks: Buffer[] = [];
  let left = bytesMax;
  while (input.left > 0) {
    const block = unpackSnappyBlock(input.take(input.uint32BE()), left);
    left -= block.length;
    blocks.push(block);
  }
  return Buffer.concat(blocks);
}

/** It begins with its unpacked length, 7 bits a byte, lowest first. */
function unpackSnappyBlock(block: Uint8Array, bytesMax: number): Buffer {
  let length = 0;
  for (let i = 0, scale = 1; i < 5; i++, scale *= 0x80) {
    const byte = block[i];
    if (byte === undefined) throw new RangeError('its compressed bytes end too early');
    length += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  if (length > bytesMax) throw tooLarge();
  return uncompressSync(block as Buffer, { asBuffer: true }) as Buffer;
}

/** Producers rarely say how much it is, so the room grows until it fits. */
function unpackZstd(packed: Uint8Array, bytesMax: number): Buffer {
  for (let room = Math.min(bytesMax, Math.max(64 * 1024, packed.length * 4)); ; room = Math.min(bytesMax, room * 4)) {
    try {
      return unzstd(packed as Buffer, room);
    } catch (error) {
      if (room === bytesMax)
        throw new RangeError(`it is damaged, or unpacks to more than ${bytesMax} bytes`, { cause: error });
    }
  }
}

const tooLarge = (): RangeError => new RangeError(`it unpacks to more than ${unpackedBytesMax} bytes`);
