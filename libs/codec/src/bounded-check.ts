import type { AvroRecord, AvroType } from '@levee/events';
import { InvariantViolation } from '@levee/kernel';
import { CodecFailure } from './codec-failure';

const codecLimits = {
  /** Array items of one record, all arrays together: a hostile record may cost no more memory than a large one. */
  itemsMax: 262_144,
} as const;

/**
 * Walks the encoded body at `start` before avsc may see it, and throws TRUNCATED or MALFORMED unless every length and
 * count fits what remains, every number is one that JavaScript holds exactly, every word is on its list, and nothing
 * follows. Time is linear in the bytes and nothing is allocated: avsc alone can be kept busy for seconds by five bytes.
 */
export type BoundedCheck = (bytes: Uint8Array, start: number) => void;

/** Where the walk stands. One per check: walks do not nest and are synchronous. */
class Walk {
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  items = 0;

  remaining(): number {
    return this.bytes.length - this.at;
  }

  /** A zig-zag variable-length integer; MALFORMED outside `longMin` to `longMax`. */
  integer(field: string, bytesMax: number): number {
    const first = this.bytes[this.at];
    // Nearly all are of one byte.
    if (first !== undefined && first < 0x80) {
      this.at++;
      return (first >>> 1) ^ -(first & 1);
    }
    let low = 0;
    let high = 0;
    // Of a byte in its half: 2^0, 2^7, 2^14, 2^21, and again from 2^0. Multiplied, since ** costs more than the rest.
    let weight = 1;
    for (let i = 0; ; i++) {
      if (i === bytesMax) throw malformed(field, `an integer of more than ${bytesMax} bytes`);
      if (this.at >= this.bytes.length) throw truncated(field, 1, 0);
      const byte = this.bytes[this.at++] as number;
      if (i === 4) weight = 1;
      if (i < 4) low += (byte & 0x7f) * weight;
      else high += (byte & 0x7f) * weight;
      weight *= 128;
      if (byte < 0x80) break;
    }
    // The zig-zag value is high * 2^28 + low; its lowest bit is the sign.
    const negative = low % 2 === 1;
    const half = high * 2 ** 27 + (low - (negative ? 1 : 0)) / 2;
    const n = negative ? -half - 1 : half;
    if (n > longMax || n < longMin) throw malformed(field, `an integer outside ${longMin} to ${longMax}`);
    return n;
  }

  /** Steps over a length and as many bytes; returns the length. */
  block(field: string): number {
    const length = this.integer(field, 10);
    if (length < 0) throw malformed(field, `a length of ${length}`);
    if (length > this.remaining()) throw truncated(field, length, this.remaining());
    this.at += length;
    return length;
  }
}

/** What avsc reads exactly: it works on the zig-zag form, whose odd (negative) numbers end at 2^53. */
export const longMax = 9007199254740990;
export const longMin = -(2 ** 52);

type Step = (walk: Walk) => void;

/** Compiles the check of one schema; refuses (InvariantViolation) schemas whose items could be of no size. */
export function boundedCheck(schema: AvroRecord): BoundedCheck {
  const step = compile(schema, schema.name);
  const walk = new Walk();
  return (bytes, start) => {
    walk.bytes = bytes;
    walk.at = start;
    walk.items = 0;
    step(walk);
    if (walk.remaining() > 0) throw malformed(schema.name, `${walk.remaining()} bytes after its end`);
  };
}

function compile(type: AvroType, field: string): Step {
  if (typeof type === 'string') return compilePrimitive(type, field);
  if ('length' in type) {
    const some = compile(type[1], field);
    return (walk) => {
      const branch = walk.integer(field, 10);
      if (branch === 1) some(walk);
      else if (branch !== 0) throw malformed(field, `branch ${branch} of a union of 2`);
    };
  }
  switch (type.type) {
    case 'string': {
      const words = type.values.map((word) => Buffer.from(word, 'latin1'));
      return (walk) => {
        const length = walk.block(field);
        const from = walk.at - length;
        for (const word of words) if (word.length === length && standsAt(walk.bytes, from, word)) return;
        const word = Buffer.from(walk.bytes.subarray(from, from + Math.min(length, 40))).toString('latin1');
        throw malformed(field, `the word ${JSON.stringify(word)}, not one of ${type.values.join(', ')}`);
      };
    }
    case 'array':
      return compileArray(compile(type.items, `${field}[]`), leastBytes(type.items), field);
    case 'record': {
      const steps = type.fields.map((f) => compile(f.type, `${field}.${f.name}`));
      return (walk) => {
        for (const step of steps) step(walk);
      };
    }
  }
}

function compilePrimitive(type: string, field: string): Step {
  switch (type) {
    case 'null':
      return () => undefined;
    case 'boolean':
      return (walk) => {
        if (walk.remaining() < 1) throw truncated(field, 1, 0);
        const byte = walk.bytes[walk.at++] as number;
        if (byte > 1) throw malformed(field, `the byte ${byte} for a boolean`);
      };
    case 'int':
      return (walk) => {
        const n = walk.integer(field, 5);
        if (n !== (n | 0)) throw malformed(field, `${n}, beyond 32 bits`);
      };
    case 'long':
      return (walk) => void walk.integer(field, 10);
    case 'double':
      return (walk) => {
        if (walk.remaining() < 8) throw truncated(field, 8, walk.remaining());
        walk.at += 8;
      };
    case 'string':
    case 'bytes':
      return (walk) => void walk.block(field);
    default:
      throw new InvariantViolation(`I17: ${field}: the Avro type ${type} may not be on the wire`);
  }
}

function compileArray(item: Step, itemBytesMin: number, field: string): Step {
  if (itemBytesMin < 1) throw new InvariantViolation(`I17: ${field}: items of no bytes may not be on the wire`);
  return (walk) => {
    for (;;) {
      const announced = walk.integer(field, 10);
      if (announced === 0) return;
      const count = Math.abs(announced);
      // A negative count is followed by the size of the block, for readers that want to step over it.
      const size = announced < 0 ? walk.integer(field, 10) : -1;
      if (count * itemBytesMin > walk.remaining()) throw truncated(field, count * itemBytesMin, walk.remaining());
      walk.items += count;
      if (walk.items > codecLimits.itemsMax)
        throw malformed(field, `more than ${codecLimits.itemsMax} items in one record`);
      const first = walk.at;
      for (let i = 0; i < count; i++) item(walk);
      if (announced < 0 && walk.at - first !== size)
        throw malformed(field, `a block that claims ${size} bytes and has ${walk.at - first}`);
    }
  };
}

/** Byte by byte: words are short, and a view of them would cost more. */
function standsAt(bytes: Uint8Array, from: number, word: Uint8Array): boolean {
  for (let i = 0; i < word.length; i++) if (bytes[from + i] !== word[i]) return false;
  return true;
}

/** Fewest bytes a value of the type can take. */
function leastBytes(type: AvroType): number {
  if (type === 'null') return 0;
  if (type === 'double') return 8;
  if (typeof type === 'object' && 'type' in type && type.type === 'record')
    return type.fields.reduce((sum, f) => sum + leastBytes(f.type), 0);
  return 1;
}

const truncated = (field: string, needed: number, left: number): CodecFailure =>
  new CodecFailure('TRUNCATED', `${field} needs ${needed} more bytes, ${left} are left`, { details: { field } });

const malformed = (field: string, what: string): CodecFailure =>
  new CodecFailure('MALFORMED', `${field} holds ${what}`, { details: { field } });
