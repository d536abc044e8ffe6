import { crc32cNative } from '@levee/codec';
import { uncompressSync } from 'snappy';
import { ByteReader, maskedCrc } from './byte-reader';
import { damagedFile } from './damaged-file';

const footerBytes = 48;
const trailerBytes = 5;
const magic = Buffer.from('57fb808b247547db', 'hex');
const types = { plain: 0, snappy: 1 } as const;

interface BlockPlace {
  readonly at: number;
  readonly size: number;
}

/**
 * Every byte of a table: footer, index and filter first, since they decide what is found at all, then the data. The
 * blocks must fill the file without a gap, so no byte goes unseen. Throws REPLICA_DAMAGED.
 */
export function checkTable(path: string, file: Buffer): void {
  const places: BlockPlace[] = [];
  try {
    const { metaIndex, index } = footerOf(file);
    places.push(index, metaIndex);
    const data = placesIn(block(file, index));
    const filters = placesIn(block(file, metaIndex));
    for (const place of filters) checkBlock(file, place);
    places.push(...filters);
    for (const place of data) checkBlock(file, place);
    places.push(...data);
  } catch (error) {
    throw damagedFile(path, (error as Error).message);
  }
  places.sort((a, b) => a.at - b.at);
  let end = 0;
  for (const { at, size } of places) {
    if (at !== end) throw damagedFile(path, 'bytes between its blocks belong to none', end);
    end = at + size + trailerBytes;
  }
  if (end !== file.length - footerBytes) throw damagedFile(path, 'bytes behind its blocks belong to none', end);
}

function footerOf(file: Buffer): { readonly metaIndex: BlockPlace; readonly index: BlockPlace } {
  if (file.length < footerBytes) throw new RangeError(`${file.length} bytes are no table`);
  const footer = file.subarray(file.length - footerBytes);
  if (!footer.subarray(footerBytes - magic.length).equals(magic)) throw new RangeError('it does not end as a table');
  const reader = new ByteReader(footer.subarray(0, footerBytes - magic.length));
  const metaIndex = placeIn(reader);
  const index = placeIn(reader);
  if (!reader.take(reader.left).every((byte) => byte === 0))
    throw new RangeError('its footer is not filled with zeros');
  return { metaIndex, index };
}

function placeIn(reader: ByteReader): BlockPlace {
  return { at: reader.varint(), size: reader.varint() };
}

function checkBlock(file: Buffer, { at, size }: BlockPlace): number {
  const end = at + size;
  if (end + trailerBytes > file.length - footerBytes) throw new RangeError(`a block at ${at} goes beyond the file`);
  if (maskedCrc(crc32cNative(file.subarray(at, end + 1))) !== file.readUInt32LE(end + 1))
    throw new RangeError(`the checksum of the block at ${at} does not hold`);
  return file[end] as number;
}

/** What a block holds, unpacked. */
function block(file: Buffer, place: BlockPlace): Buffer {
  const type = checkBlock(file, place);
  const bytes = file.subarray(place.at, place.at + place.size);
  if (type === types.plain) return bytes;
  if (type !== types.snappy) throw new RangeError(`the block at ${place.at} is packed in an unknown way (${type})`);
  return uncompressSync(bytes, { asBuffer: true }) as Buffer;
}

/** The values of a block of places. Keys are stepped over: what they share with the one before, the rest, the value. */
function placesIn(content: Buffer): BlockPlace[] {
  const restarts = content.length < 4 ? -1 : content.readUInt32LE(content.length - 4);
  const end = content.length - 4 - restarts * 4;
  if (restarts < 0 || end < 0) throw new RangeError('a block has no end to its entries');
  const reader = new ByteReader(content.subarray(0, end));
  const places: BlockPlace[] = [];
  while (!reader.done) {
    reader.varint();
    const [unshared, length] = [reader.varint(), reader.varint()];
    reader.take(unshared);
    places.push(placeIn(new ByteReader(reader.take(length))));
  }
  return places;
}
