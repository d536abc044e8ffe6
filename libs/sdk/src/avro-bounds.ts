import { type Type, types } from 'avsc';

/** Items of no bytes, such as nulls: seven bytes can say as many of them as they like. */
const emptyItemsMax = 262_144;
/** Values inside values: a schema may contain itself. */
const depthMax = 256;

/** Where a walk stands. */
interface Walk {
  readonly bytes: Buffer;
  at: number;
  emptyItems: number;
  depth: number;
}

type Step = (walk: Walk) => void;

/**
 * Walks the body of a value before avsc may see it: whoever may write to a topic chooses its bytes, and five of them keep
 * avsc busy for ever (a count of 2^50 items, of which it reads each behind the end). Linear in the bytes, allocates
 * nothing. Throws TypeError where a length or count is more than there is.
 */
export function boundsOf(type: Type): (body: Buffer) => void {
  const step = new Compiler().stepOf(type);
  return (bytes) => {
    const walk: Walk = { bytes, at: 0, emptyItems: 0, depth: 0 };
    step(walk);
    if (walk.at < bytes.length) throw new TypeError(`${bytes.length - walk.at} bytes follow the value`);
  };
}

/** Types as steps; a named type is compiled once, since it may contain itself. */
class Compiler {
  private readonly known = new Map<Type, Step>();

  stepOf(type: Type): Step {
    const known = this.known.get(type);
    if (known !== undefined) return known;
    const compiled: { step?: Step } = {};
    this.known.set(type, (walk) => (compiled.step as Step)(walk));
    compiled.step = this.compile(type);
    this.known.set(type, compiled.step);
    return compiled.step;
  }

  private compile(type: Type): Step {
    if (type instanceof types.LogicalType) return this.stepOf(type.underlyingType);
    if (type instanceof types.FixedType) return (walk) => skip(walk, type.size);
    if (type instanceof types.EnumType) return (walk) => void index(walk, type.symbols.length);
    if (type instanceof types.ArrayType)
      return blocks(this.stepOf(type.itemsType), leastBytes(type.itemsType, new Set()));
    if (type instanceof types.MapType) {
      const value = this.stepOf(type.valuesType);
      return blocks((walk) => {
        block(walk);
        value(walk);
      }, 1);
    }
    if (type instanceof types.RecordType) {
      const steps = type.fields.map((field) => this.stepOf(field.type));
      return inside((walk) => {
        for (const step of steps) step(walk);
      });
    }
    if (type instanceof types.UnwrappedUnionType || type instanceof types.WrappedUnionType) {
      const branches = type.types.map((branch) => this.stepOf(branch));
      return (walk) => (branches[index(walk, branches.length)] as Step)(walk);
    }
    const simple = simpleSteps[type.typeName];
    if (simple === undefined) throw new TypeError(`the Avro type ${type.typeName} is not known here`);
    return simple;
  }
}

const simpleSteps: Readonly<Record<string, Step>> = {
  null: () => undefined,
  boolean: (walk) => skip(walk, 1),
  int: (walk) => void integer(walk),
  long: (walk) => void integer(walk),
  float: (walk) => skip(walk, 4),
  double: (walk) => skip(walk, 8),
  string: (walk) => block(walk),
  bytes: (walk) => block(walk),
};

function blocks(item: Step, itemBytesMin: number): Step {
  return inside((walk) => {
    for (let count = integer(walk); count !== 0; count = integer(walk)) {
      // A negative count is followed by the size of the block, for readers that want to step over it.
      if (count < 0) integer(walk);
      const items = Math.abs(count);
      const left = walk.bytes.length - walk.at;
      if (items * itemBytesMin > left)
        throw new TypeError(`${items} items of at least ${itemBytesMin} bytes, ${left} are left`);
      if (itemBytesMin === 0 && (walk.emptyItems += items) > emptyItemsMax)
        throw new TypeError(`more than ${emptyItemsMax} items that have no bytes`);
      for (let i = 0; i < items; i++) item(walk);
    }
  });
}

function inside(step: Step): Step {
  return (walk) => {
    if (++walk.depth > depthMax) throw new TypeError(`values inside values, more than ${depthMax} deep`);
    step(walk);
    walk.depth--;
  };
}

/** A zig-zag variable-length integer; beyond 2^53 it is not exact, which is no matter for what is compared with it. */
function integer(walk: Walk): number {
  let value = 0;
  for (let i = 0; i < 10; i++) {
    const byte = walk.bytes[walk.at];
    if (byte === undefined) throw new TypeError('an integer is cut off');
    walk.at++;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
  }
  throw new TypeError('an integer of more than 10 bytes');
}

function index(walk: Walk, count: number): number {
  const at = integer(walk);
  if (at < 0 || at >= count) throw new TypeError(`number ${at} of ${count} branches or symbols`);
  return at;
}

function block(walk: Walk): void {
  const length = integer(walk);
  if (length < 0) throw new TypeError(`a length of ${length}`);
  skip(walk, length);
}

function skip(walk: Walk, bytes: number): void {
  const left = walk.bytes.length - walk.at;
  if (bytes > left) throw new TypeError(`${bytes} bytes are announced, ${left} are left`);
  walk.at += bytes;
}

/** Fewest bytes that a value of the type takes. `within`: records that contain it. */
function leastBytes(type: Type, within: ReadonlySet<Type>): number {
  if (type instanceof types.LogicalType) return leastBytes(type.underlyingType, within);
  if (type instanceof types.FixedType) return type.size;
  if (type instanceof types.RecordType) {
    if (within.has(type)) return 0;
    const inner = new Set([...within, type]);
    return type.fields.reduce((sum, field) => sum + leastBytes(field.type, inner), 0);
  }
  return { null: 0, float: 4, double: 8 }[type.typeName as string] ?? 1;
}
