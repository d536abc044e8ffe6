import { type RecordName, type RecordTypes, schemaVersions } from '@levee/events';
import { RecordRegistry } from './record-registry';
import { upcasts } from './upcasts';

/** The shipped versions. */
export const records = new RecordRegistry(schemaVersions, upcasts);

/** A record, told apart by `name`. */
export type Decoded = {
  [Name in RecordName]: { readonly name: Name; readonly version: number; readonly record: RecordTypes[Name] };
}[RecordName];

/**
 * Single-object encoding of Avro: `C3 01`, CRC-64-AVRO of the schema (8 bytes little-endian), body.
 * `version`: an older one than the newest, for what that can say too.
 * A value outside its type, or a word outside its `values`, is our own mistake: InvariantViolation.
 */
export function encode<Name extends RecordName>(name: Name, value: RecordTypes[Name], version?: number): Buffer {
  return records.encode(name, value, version);
}

/**
 * Any record of any version, upcast to the newest; its bytes and strings are copies.
 * Throws CodecFailure: TRUNCATED, BAD_FRAME, UNKNOWN_SCHEMA, MALFORMED.
 */
export function decode(bytes: Uint8Array): Decoded {
  return records.decode(bytes) as Decoded;
}

/**
 * A record of this name. Throws what `decode` throws, and WRONG_RECORD.
 * A `Put` may also come in Confluent's framing: `00`, a schema id (4 bytes big-endian, not looked at), a body that must
 * fit Put v1 to the last byte.
 */
export function decodeAs<Name extends RecordName>(name: Name, bytes: Uint8Array): RecordTypes[Name] {
  if (name === 'Put' && bytes[0] === 0 && bytes.length >= confluentFrameBytes)
    return records.decodeBodyAs('Put', bytes, { start: confluentFrameBytes, version: 1 }) as RecordTypes[Name];
  return records.decodeAs(name, bytes) as RecordTypes[Name];
}

/** Whether the bytes begin as a record of this name does, of any version: a look before they are decoded. */
export function beginsAs(name: RecordName, bytes: Buffer): boolean {
  return records
    .framesOf(name)
    .some((frame) => bytes.length >= frame.length && frame.compare(bytes, 0, frame.length) === 0);
}

export const confluentFrameBytes = 5;
