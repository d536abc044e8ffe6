import type { AvroRecord, AvroType, SchemaVersion } from '@levee/events';
import { InvariantViolation, messageOf } from '@levee/kernel';
import avro from 'avsc';
import { type BoundedCheck, boundedCheck } from './bounded-check';
import { CodecFailure } from './codec-failure';
import { fingerprint } from './fingerprint';

/** `C3 01`, then the fingerprint as 8 bytes little-endian. */
export const frameBytes = 10;

/** One version of one record: writes and reads its framed bytes. */
export class RecordType {
  readonly name: string;
  readonly version: number;
  readonly fingerprint: bigint;
  /** The first 10 bytes of every record of this version. */
  readonly frame: Buffer;
  private readonly type: avro.Type;
  private readonly check: BoundedCheck;
  private readonly prepare: (value: unknown) => unknown;

  constructor(source: SchemaVersion) {
    this.name = source.name;
    this.version = source.version;
    this.fingerprint = fingerprint(source.schema);
    this.frame = Buffer.alloc(frameBytes);
    this.frame.writeUInt16BE(0xc301, 0);
    this.frame.writeBigUInt64LE(this.fingerprint, 2);
    this.type = avro.Type.forSchema(source.schema as unknown as avro.Schema, { omitRecordMethods: true });
    this.check = boundedCheck(source.schema);
    this.prepare = prepareRecord(source.schema, source.name) ?? ((value) => value);
  }

  /** Framed bytes. A value that is not of the type is our own mistake: InvariantViolation. */
  encode(value: unknown): Buffer {
    const prepared = this.prepare(value);
    for (;;) {
      const end = this.write(prepared);
      if (end >= 0) {
        const bytes = Buffer.allocUnsafe(end);
        scratch.copy(bytes, 0, 0, end);
        this.frame.copy(bytes, 0);
        return bytes;
      }
      // avsc answers minus the number of bytes that were missing.
      scratch = Buffer.allocUnsafeSlow(Math.max(scratch.length * 2, scratch.length - end));
    }
  }

  private write(value: unknown): number {
    try {
      return this.type.encode(value, scratch, frameBytes);
    } catch (error) {
      throw new InvariantViolation(`no ${this.name} v${this.version}: ${messageOf(error)}`);
    }
  }

  /** The record whose body begins at `start` and ends with `bytes`. Throws CodecFailure: TRUNCATED, MALFORMED. */
  decodeBody(bytes: Uint8Array, start: number): unknown {
    this.check(bytes, start);
    try {
      return (this.type.decode(asBuffer(bytes), start) as { value: unknown }).value;
    } catch (error) {
      throw new CodecFailure('MALFORMED', `no ${this.name} v${this.version}: ${messageOf(error)}`, { cause: error });
    }
  }
}

/** Where all records are written before they are copied out in their exact size; encoding never awaits. */
let scratch = Buffer.allocUnsafeSlow(64 * 1024);

type Prepare = (value: unknown) => unknown;

/**
 * What avsc does not do by itself: Uint8Array becomes Buffer (a view), and words are held against their `values`.
 * `undefined` where a type needs neither.
 */
function prepareType(type: AvroType, field: string): Prepare | undefined {
  if (type === 'bytes') return (value) => (value instanceof Uint8Array ? asBuffer(value) : value);
  if (typeof type === 'string') return undefined;
  if ('length' in type) {
    const some = prepareType(type[1], field);
    return some && ((value) => (value === null ? null : some(value)));
  }
  switch (type.type) {
    case 'string': {
      const words: ReadonlySet<unknown> = new Set(type.values);
      return (value) => {
        if (words.has(value)) return value;
        throw new InvariantViolation(`${field} is ${JSON.stringify(value)}, not one of ${type.values.join(', ')}`);
      };
    }
    case 'array': {
      const item = prepareType(type.items, `${field}[]`);
      return item && ((value) => (Array.isArray(value) ? value.map((each) => item(each)) : value));
    }
    case 'record':
      return prepareRecord(type, field);
  }
}

function prepareRecord(schema: AvroRecord, field: string): Prepare | undefined {
  const steps = schema.fields.flatMap(({ name, type }) => {
    const step = prepareType(type, `${field}.${name}`);
    return step ? [{ name, step }] : [];
  });
  if (steps.length === 0) return undefined;
  return (value) => {
    if (typeof value !== 'object' || value === null) return value;
    const copy: Record<string, unknown> = { ...value };
    for (const { name, step } of steps) copy[name] = step(copy[name]);
    return copy;
  };
}

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
