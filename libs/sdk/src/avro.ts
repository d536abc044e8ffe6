import { type Schema, Type } from 'avsc';
import { crc64Avro } from '@levee/codec';
import { boundsOf } from './avro-bounds';
import type { Codec } from './codecs/codec';

/** A schema as its JSON, parsed or as text. */
export type AvroSchema = string | object;

export interface AvroOptions {
  /** Values that were written by these schemas are read too, and resolved to the schema of the codec. */
  readonly older?: readonly AvroSchema[];
  /**
   * The framing of schema registries (a zero byte, the id of the schema, the body) in place of Avro's single-object
   * encoding: the id of the codec's schema, and those of other schemas that values may have been written by.
   */
  readonly registry?: { readonly id: number; readonly others?: Readonly<Record<number, AvroSchema>> };
}

interface Framed {
  readonly frame: Buffer;
  read(body: Buffer): unknown;
}

/**
 * Values as Avro: `C3 01`, CRC-64-AVRO of the schema, body; or framed as schema registries have it. A value by a schema
 * that is not named here is an error. Integers beyond 2^53 are errors too, in both directions. What a value announces and has not is an
 * error before anything is made of it.
 */
export function avro<V>(schema: AvroSchema, { older = [], registry }: AvroOptions = {}): Codec<V> {
  const type = typeOf(schema);
  const framed = (written: Type, frame: Buffer): Framed => {
    const check = boundsOf(written);
    const resolver = written === type ? undefined : type.createResolver(written);
    const read = (body: Buffer): unknown => {
      check(body);
      return type.fromBuffer(body, resolver) as unknown;
    };
    return { frame, read };
  };
  const own = framed(type, registry ? registryFrame(registry.id) : singleObjectFrame(type));
  const others = registry
    ? Object.entries(registry.others ?? {}).map(([id, of]) => framed(typeOf(of), registryFrame(Number(id))))
    : older.map((of) => framed(typeOf(of), singleObjectFrame(typeOf(of))));
  const known = [own, ...others];
  const { length } = own.frame;
  return {
    name: `Avro ${type.name ?? type.typeName}`,
    encode: (value) => Buffer.concat([own.frame, type.toBuffer(value)]),
    decode: (bytes) => {
      const found = known.find(({ frame }) => bytes.length >= length && frame.compare(bytes, 0, length) === 0);
      if (!found)
        throw new TypeError(`it begins with ${bytes.toString('hex', 0, length)}, not as any schema known here`);
      return found.read(bytes.subarray(length)) as V;
    },
  };
}

const typeOf = (schema: AvroSchema): Type =>
  Type.forSchema((typeof schema === 'string' ? JSON.parse(schema) : schema) as Schema);

function singleObjectFrame(type: Type): Buffer {
  const frame = Buffer.alloc(10);
  frame.writeUInt16BE(0xc301, 0);
  // What `schema` gives is the canonical form.
  frame.writeBigUInt64LE(crc64Avro(Buffer.from(JSON.stringify(type.schema()), 'utf8')), 2);
  return frame;
}

function registryFrame(id: number): Buffer {
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(id, 1);
  return frame;
}
