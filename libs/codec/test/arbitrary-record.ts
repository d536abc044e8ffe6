import type { AvroRecord, AvroType, RecordName } from '@levee/events';
import { schemaVersions } from '@levee/events';
import fc from 'fast-check';

/** Any value of a schema, nasty strings and numbers included. */
function arbitraryOf(schema: AvroRecord): fc.Arbitrary<unknown> {
  return ofType(schema);
}

function ofType(type: AvroType): fc.Arbitrary<unknown> {
  if (typeof type === 'string') {
    switch (type) {
      case 'null':
        return fc.constant(null);
      case 'boolean':
        return fc.boolean();
      case 'int':
        return fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
      case 'long':
        return fc.oneof(fc.nat(), fc.integer({ min: -(2 ** 52), max: 9007199254740990 }));
      case 'double':
        return fc.double({ noNaN: true });
      case 'string':
        return fc.string({ unit: 'grapheme' });
      case 'bytes':
        return fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
    }
  }
  if ('length' in type) return fc.option(ofType(type[1]), { nil: null });
  switch (type.type) {
    case 'string':
      return fc.constantFrom(...type.values);
    case 'array':
      return fc.array(ofType(type.items), { maxLength: 6 });
    case 'record':
      return fc.record(Object.fromEntries(type.fields.map((f) => [f.name, ofType(f.type)])));
  }
}

/** Any record under its name, as its newest version says it. */
export const anyRecord: fc.Arbitrary<{ name: RecordName; record: unknown }> = fc.oneof(
  ...[...new Map(schemaVersions.map(({ name, schema }) => [name, schema]))].map(([name, schema]) =>
    arbitraryOf(schema).map((record) => ({ name: name as RecordName, record })),
  ),
);
