import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { murmur2 } from './murmur2';

const golden = JSON.parse(readFileSync(join(__dirname, '../../../test/golden/keyspace.json'), 'utf8')) as {
  kafkaMurmur2: Record<string, number>;
};

describe('murmur2', () => {
  it.each(Object.entries(golden.kafkaMurmur2))('of %s is what Kafka publishes', (key, signed) => {
    expect(murmur2(new TextEncoder().encode(key)) | 0).toBe(signed);
  });

  it('of a part needs no copy', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(40), fc.nat(40), (bytes, a, b) => {
        const start = Math.min(a, b, bytes.length);
        const end = Math.min(Math.max(a, b), bytes.length);
        expect(murmur2(bytes, start, end)).toBe(murmur2(bytes.slice(start, end)));
      }),
    );
  });
});
