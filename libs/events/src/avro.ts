/** The part of Avro that Levee uses on the wire: no maps, enums, recursion or unions other than `["null", T]`. */
export type AvroType = AvroPrimitive | readonly ['null', AvroType] | AvroString | AvroArray | AvroRecord;

type AvroPrimitive = 'null' | 'boolean' | 'int' | 'long' | 'double' | 'string' | 'bytes';

/** A string that may be one of `values` only: a closed list that foreign Avro readers see as a plain string. */
interface AvroString {
  readonly type: 'string';
  readonly values: readonly string[];
}

interface AvroArray {
  readonly type: 'array';
  readonly items: AvroType;
}

export interface AvroRecord {
  readonly type: 'record';
  readonly name: string;
  /** Nested records inherit the one around them. */
  readonly namespace?: string;
  readonly doc: string;
  readonly fields: readonly AvroField[];
}

interface AvroField {
  readonly name: string;
  readonly type: AvroType;
  readonly default?: null;
  /** Meaning, unit and zero point. */
  readonly doc: string;
}

/** A published version of a record: never edited, only followed by a higher one. */
export interface SchemaVersion {
  readonly name: string;
  /** From 1. */
  readonly version: number;
  readonly schema: AvroRecord;
}
