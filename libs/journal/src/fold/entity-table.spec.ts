import fc from 'fast-check';
import { Digest, hash128 } from '@levee/kernel';
import { EntityTable } from './entity-table';

const key = fc.constantFrom('a', 'b', 'unit/n1/u00', 'route/x#1/c00001');
const change = fc.tuple(key, fc.option(fc.uint8Array({ maxLength: 20 }), { nil: undefined }));

function digestOf(entities: ReadonlyMap<string, Uint8Array>): string {
  const sum = new Digest();
  for (const [name, bytes] of entities) sum.add(hash128([Buffer.from(name), bytes]));
  return sum.toHex();
}

test('the digest is that of what is there, whatever the order of changes, in the table and in a draft', () => {
  fc.assert(
    fc.property(fc.array(change), fc.array(change), (first, second) => {
      const table = new EntityTable();
      const model = new Map<string, Uint8Array>();
      const apply = (
        to: { set(name: string, bytes: Buffer | undefined): void },
        [name, bytes]: (typeof first)[number],
      ) => {
        to.set(name, bytes === undefined ? undefined : Buffer.from(bytes));
        if (bytes === undefined) model.delete(name);
        else model.set(name, bytes);
      };
      for (const each of first) apply(table, each);
      expect(table.digest).toBe(digestOf(model));
      const before = table.digest;
      const draft = table.draft();
      for (const each of second) apply(draft, each);
      expect(draft.digest).toBe(digestOf(model));
      expect(table.digest).toBe(before);
    }),
  );
});
