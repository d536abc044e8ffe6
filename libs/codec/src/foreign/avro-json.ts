import { isUtf8 } from 'node:buffer';
import { messageOf } from '@levee/kernel';
import avro from 'avsc';
import { CodecFailure } from '../codec-failure';
import { BodyReader, malformed } from './body-reader';

/** A stranger's schema and body may not take more than this, whatever they claim. */
export const avroJsonLimits = {
  /** Items of all arrays and maps together: a body of a few bytes can say as many nulls as it likes. */
  itemsMax: 262_144,
  charsMax: 8 << 20,
  /** Values inside values: a schema may contain itself. */
  depthMax: 64,
} as const;

/** Where a walk stands: what it writes, and how much of it there may still be. */
interface Walk {
  readonly body: BodyReader;
  json: string;
  items: number;
  depth: number;
}

/** Reads one value and writes it as JSON. */
type Step = (walk: Walk) => void;

/**
 * Bodies of a schema that others wrote, as JSON. Schemas are read by avsc; bodies are walked here, because a body may
 * come from anybody and avsc can be kept busy for seconds by five bytes.
 *
 * The JSON is plain: a union is its value without a tag, integers keep all their digits, bytes and fixed are base64, a
 * decimal is its digits as a string, NaN and the infinities are strings; other logical types are what they are made of.
 */
export class AvroJson {
  private readonly step: Step;

  /**
   * `schema` and those that it refers to, each before those that refer to it, are JSON texts.
   * Throws CodecFailure BAD_SCHEMA.
   */
  constructor(schema: string, references: readonly string[] = []) {
    try {
      const registry: Record<string, avro.Type> = {};
      for (const each of references) typeOf(each, registry);
      this.step = new Compiler().stepOf(typeOf(schema, registry));
    } catch (error) {
      throw new CodecFailure('BAD_SCHEMA', `the schema cannot be read: ${messageOf(error).slice(0, 200)}`);
    }
  }

  /** JSON of the body that begins at `start` and ends with `bytes`. Throws CodecFailure: TRUNCATED, MALFORMED, TOO_MUCH. */
  read(bytes: Buffer, start: number): string {
    const body = new BodyReader(bytes, start);
    const walk: Walk = { body, json: '', items: 0, depth: 0 };
    this.step(walk);
    if (body.remaining > 0) throw malformed(`${body.remaining} bytes behind its end`);
    return walk.json;
  }
}

function typeOf(schema: string, registry: Record<string, avro.Type>): avro.Type {
  const parsed = JSON.parse(schema) as avro.Schema;
  return avro.Type.forSchema(parsed, { registry, wrapUnions: 'always', logicalTypes: { decimal: Decimal } });
}

/** Only says that it is one, and of which scale. */
class Decimal extends avro.types.LogicalType {
  readonly scale: number;

  constructor(schema: avro.Schema, options?: object) {
    super(schema, options);
    const { scale = 0 } = schema as { readonly scale?: unknown };
    if (!Number.isInteger(scale) || (scale as number) < 0 || (scale as number) > scaleMax)
      throw new Error(`a decimal of scale ${String(scale).slice(0, 20)}`);
    this.scale = scale as number;
  }
}

const scaleMax = 1_000;
/** Longer decimals are written as bytes: turning them into digits takes time that grows with the square. */
const decimalBytesMax = 64;

/** Types as steps; a named type is compiled once, since it may contain itself. */
class Compiler {
  private readonly known = new Map<avro.Type, Step>();

  stepOf(type: avro.Type): Step {
    const known = this.known.get(type);
    if (known !== undefined) return known;
    const compiled: { step?: Step } = {};
    this.known.set(type, (walk) => (compiled.step as Step)(walk));
    compiled.step = this.compile(type);
    this.known.set(type, compiled.step);
    return compiled.step;
  }

  private compile(type: avro.Type): Step {
    const simple = simpleSteps[type.typeName];
    if (simple !== undefined) return simple;
    if (type instanceof Decimal) return decimalStep(type);
    switch (type.typeName) {
      case 'fixed': {
        const { size } = type as avro.types.FixedType;
        return (walk) => write(walk, base64(walk.body.fixed(size)));
      }
      case 'enum': {
        const symbols = (type as avro.types.EnumType).symbols.map((symbol) => JSON.stringify(symbol));
        return (walk) => write(walk, symbols[branchOf(walk, symbols.length, 'symbol')] as string);
      }
      case 'array':
        return blocks(this.stepOf((type as avro.types.ArrayType).itemsType), '[', ']');
      case 'map': {
        const value = this.stepOf((type as avro.types.MapType).valuesType);
        return blocks((walk) => (write(walk, `${text(walk.body.block())}:`), value(walk)), '{', '}');
      }
      case 'record':
      case 'error':
        return this.record(type as avro.types.RecordType);
      case 'union:wrapped': {
        const branches = (type as avro.types.WrappedUnionType).types.map((branch) => this.stepOf(branch));
        return (walk) => (branches[branchOf(walk, branches.length, 'branch')] as Step)(walk);
      }
      default:
        throw new Error(`the type ${type.typeName}`);
    }
  }

  private record({ fields }: avro.types.RecordType): Step {
    const steps = fields.map(({ name, type }) => ({ name: `${JSON.stringify(name)}:`, step: this.stepOf(type) }));
    return inside((walk) => {
      write(walk, '{');
      for (const [i, { name, step }] of steps.entries()) {
        write(walk, i === 0 ? name : `,${name}`);
        step(walk);
      }
      write(walk, '}');
    });
  }
}

const simpleSteps: Readonly<Record<string, Step>> = {
  null: (walk) => write(walk, 'null'),
  boolean: (walk) => write(walk, String(walk.body.boolean())),
  int: (walk) => write(walk, String(walk.body.int())),
  long: (walk) => write(walk, String(walk.body.long())),
  float: (walk) => write(walk, number(walk.body.float())),
  double: (walk) => write(walk, number(walk.body.double())),
  string: (walk) => write(walk, text(walk.body.block())),
  bytes: (walk) => write(walk, base64(walk.body.block())),
};

function decimalStep({ scale, underlyingType }: Decimal): Step {
  const size = underlyingType.typeName === 'fixed' ? (underlyingType as avro.types.FixedType).size : undefined;
  return (walk) => {
    const bytes = size === undefined ? walk.body.block() : walk.body.fixed(size);
    write(walk, bytes.length > decimalBytesMax ? base64(bytes) : `"${decimal(bytes, scale)}"`);
  };
}

/** Two's complement, big-endian. */
function decimal(bytes: Buffer, scale: number): string {
  const unscaled = bytes.length === 0 ? 0n : BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`));
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  const whole = digits.slice(0, digits.length - scale);
  return `${unscaled < 0n ? '-' : ''}${whole}${scale === 0 ? '' : `.${digits.slice(-scale)}`}`;
}

/** Arrays and maps: blocks of items, each with its count before it, until a count of 0. */
function blocks(item: Step, open: string, close: string): Step {
  return inside((walk) => {
    write(walk, open);
    for (let first = true; ;) {
      let count = walk.body.long();
      if (count === 0n) break;
      // A negative count is followed by the size of the block, for readers that want to step over it.
      if (count < 0n) {
        walk.body.length();
        count = -count;
      }
      walk.items += Number(count);
      if (walk.items > avroJsonLimits.itemsMax)
        throw new CodecFailure('TOO_MUCH', `more than ${avroJsonLimits.itemsMax} items in one value`);
      for (; count > 0n; count--) {
        if (!first) write(walk, ',');
        first = false;
        item(walk);
      }
    }
    write(walk, close);
  });
}

function inside(step: Step): Step {
  return (walk) => {
    if (++walk.depth > avroJsonLimits.depthMax)
      throw new CodecFailure('TOO_MUCH', `values inside values, ${avroJsonLimits.depthMax} deep`);
    step(walk);
    walk.depth--;
  };
}

function branchOf({ body }: Walk, count: number, what: string): number {
  const index = body.int();
  if (index < 0 || index >= count) throw malformed(`${what} ${index} of ${count}`);
  return index;
}

function write(walk: Walk, part: string): void {
  walk.json += part;
  if (walk.json.length > avroJsonLimits.charsMax)
    throw new CodecFailure('TOO_MUCH', `as JSON it has more than ${avroJsonLimits.charsMax} characters`);
}

function text(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw malformed('a string that is no UTF-8');
  return JSON.stringify(bytes.toString('utf8'));
}

const base64 = (bytes: Buffer): string => `"${bytes.toString('base64')}"`;
const number = (n: number): string => (Number.isFinite(n) ? JSON.stringify(n) : `"${n}"`);
