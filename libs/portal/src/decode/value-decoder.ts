import { isUtf8 } from 'node:buffer';
import { CodecFailure } from '@levee/codec';
import type { SchemaRegistry } from './schema-registry';

/** Decoding happens between other requests. Larger values stay bytes. */
export const decodedBytesMax = 1 << 20;

/** A value as JSON, or why it is not said as such. */
type DecodedValue =
  { readonly json: string; readonly schemaId?: number } | { readonly problem: string; readonly schemaId?: number };

/** A zero byte, and the id of the schema as 4 bytes, big-endian: how Confluent's serializers frame. */
const frameBytes = 5;

/**
 * Says values as JSON where their bytes tell how: framed by a schema registry, or JSON already, which stays as it is.
 * What cannot be decoded is told with the reason: it is no failure of the read.
 */
export class ValueDecoder {
  constructor(private readonly registry?: SchemaRegistry) {}

  stats(): Readonly<Record<string, number>> {
    return this.registry?.stats() ?? {};
  }

  async decode(value: Buffer): Promise<DecodedValue> {
    if (value.length > decodedBytesMax)
      return { problem: `it has ${value.length} bytes, at most ${decodedBytesMax} are decoded` };
    if (value[0] !== 0 || value.length < frameBytes)
      return asJson(value, 0) ?? { problem: 'it is neither JSON nor framed' };
    const schemaId = value.readUInt32BE(1);
    if (this.registry === undefined)
      return { problem: 'it may be framed by a schema registry, and LEVEE_SCHEMA_REGISTRY is not set', schemaId };
    const schema = await this.registry.schema(schemaId);
    switch (schema.kind) {
      case 'unread':
        return { problem: schema.problem, schemaId };
      case 'json':
        return (
          asJson(value, frameBytes, schemaId) ?? { problem: `schema ${schemaId} is JSON, and it is not`, schemaId }
        );
      case 'avro':
        try {
          return { json: schema.avro.read(value, frameBytes), schemaId };
        } catch (error) {
          if (!(error instanceof CodecFailure)) throw error;
          return { problem: `it is no value of schema ${schemaId}: ${error.message}`, schemaId };
        }
    }
  }
}

function asJson(value: Buffer, start: number, schemaId?: number): DecodedValue | undefined {
  const bytes = value.subarray(start);
  if (!isUtf8(bytes)) return undefined;
  const json = bytes.toString('utf8');
  try {
    JSON.parse(json);
  } catch {
    return undefined;
  }
  return { json, ...(schemaId !== undefined && { schemaId }) };
}
