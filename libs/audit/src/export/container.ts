import { deflateRaw, inflateRaw } from 'node:zlib';
import { promisify } from 'node:util';
import { Failure, messageOf } from '@levee/kernel';
import { AvroReader, damaged, lengthBytes, longBytes } from './avro-bytes';

// Avro's object container file: a header with metadata and a mark of 16 bytes, then blocks, each with the number of its
// records, its length, its records, and that mark. https://avro.apache.org/docs/1.11.1/specification/

export type ContainerCodec = 'deflate' | 'null';

export const containerLimits = {
  /** The header with its metadata. */
  headerBytesMax: 64 * 1024 * 1024,
  /** A block is closed when its records have so many bytes, or are so many. */
  blockBytes: 256 * 1024,
  blockRecordsMax: 10_000,
  /** Of one block, unpacked or not: the largest record a log takes, and room. */
  blockBytesMax: 32 * 1024 * 1024,
} as const;

export const markBytes = 16;
const magic = Buffer.from('Obj\x01', 'latin1');
const metadataMax = 1_000;

export function encodeHeader(metadata: Readonly<Record<string, Buffer>>, mark: Buffer): Buffer {
  const entries = Object.entries(metadata);
  return Buffer.concat([
    magic,
    longBytes(entries.length),
    ...entries.flatMap(([key, value]) => [...lengthBytes(Buffer.from(key)), ...lengthBytes(value)]),
    longBytes(0),
    mark,
  ]);
}

/** Fails with NOT_AN_EXPORT, and with EXPORT_DAMAGED where it ends early. */
export function decodeHeader(bytes: Buffer): {
  readonly metadata: ReadonlyMap<string, Buffer>;
  readonly mark: Buffer;
  readonly length: number;
} {
  const reader = new AvroReader(bytes);
  if (bytes.length < magic.length || !reader.raw(magic.length).equals(magic))
    throw new Failure('NOT_AN_EXPORT', 'it is no Avro object container file');
  const metadata = new Map<string, Buffer>();
  for (let count = reader.natural(metadataMax); count > 0; count = reader.natural(metadataMax))
    for (; count > 0; count--) metadata.set(reader.text(), reader.byteString());
  const mark = reader.raw(markBytes);
  return { metadata, mark, length: reader.at };
}

const deflated = promisify(deflateRaw);
const inflated = promisify(inflateRaw);

export async function packed(body: Buffer, codec: ContainerCodec): Promise<Buffer> {
  return codec === 'null' ? body : deflated(body, { level: 6 });
}

/** Fails with EXPORT_DAMAGED. */
export async function unpacked(bytes: Buffer, codec: ContainerCodec): Promise<Buffer> {
  if (codec === 'null') return bytes;
  try {
    return await inflated(bytes, { maxOutputLength: containerLimits.blockBytesMax });
  } catch (error) {
    throw damaged(`does not unpack: ${messageOf(error)}`);
  }
}

/** Of deflate, what stands for itself: the same bytes wherever it is written, so that every bit of it can be checked. */
export function stored(body: Buffer, codec: ContainerCodec): Buffer {
  if (codec === 'null') return body;
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length || parts.length === 0; at += storedMax) {
    const part = body.subarray(at, at + storedMax);
    const head = Buffer.alloc(5);
    head[0] = at + storedMax >= body.length ? 1 : 0;
    head.writeUInt16LE(part.length, 1);
    head.writeUInt16LE(part.length ^ 0xffff, 3);
    parts.push(head, part);
  }
  return Buffer.concat(parts);
}

const storedMax = 65_535;

export function encodeBlock(count: number, data: Buffer, mark: Buffer): Buffer {
  return Buffer.concat([longBytes(count), longBytes(data.length), data, mark]);
}
