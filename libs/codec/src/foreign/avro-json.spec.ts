import avro from 'avsc';
import { AvroJson, avroJsonLimits } from './avro-json';

const jsonOf = (schema: unknown, body: Buffer): string => new AvroJson(JSON.stringify(schema)).read(body, 0);
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const record = (...fields: readonly [string, unknown][]): unknown => ({
  type: 'record',
  name: 'R',
  fields: fields.map(([name, type]) => ({ name, type })),
});

describe('bodies of a schema of others, as JSON', () => {
  it.each([
    ['null', 'null', '', 'null'],
    ['true', 'boolean', '01', 'true'],
    ['an int', 'int', '03', '-2'],
    ['the least int', 'int', 'ffffffff0f', '-2147483648'],
    ['the greatest long', 'long', 'feffffffffffffffff01', '9223372036854775807'],
    ['the least long', 'long', 'ffffffffffffffffff01', '-9223372036854775808'],
    ['a float', 'float', '0000c03f', '1.5'],
    ['a double', 'double', '000000000000f8bf', '-1.5'],
    ['no number', 'double', '000000000000f87f', '"NaN"'],
    ['infinity', 'float', '000080ff', '"-Infinity"'],
    ['a string', 'string', '06 22c3a9', '"\\"é"'],
    ['bytes', 'bytes', '04 00ff', '"AP8="'],
    ['fixed', { type: 'fixed', name: 'F', size: 2 }, '00ff', '"AP8="'],
    ['an enum', { type: 'enum', name: 'E', symbols: ['A', 'B'] }, '02', '"B"'],
    ['an array of two blocks', { type: 'array', items: 'int' }, '02 02 03 04 04 06 00', '[1,2,3]'],
    ['an empty map', { type: 'map', values: 'int' }, '00', '{}'],
    ['a map', { type: 'map', values: 'int' }, '04 0261 02 0262 04 00', '{"a":1,"b":2}'],
    ['the null of a union', ['null', 'string'], '00', 'null'],
    ['a union without its tag', ['null', 'string'], '02 0261', '"a"'],
    ['a decimal', { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 }, '04 fb2e', '"-12.34"'],
    ['a small decimal', { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 3 }, '02 05', '"0.005"'],
    ['a fixed decimal', { type: 'fixed', name: 'D', size: 2, logicalType: 'decimal', precision: 4 }, '04d2', '"1234"'],
    ['a time as it is stored', { type: 'long', logicalType: 'timestamp-millis' }, '02', '1'],
    ['a record', record(['a', 'int'], ['b', ['null', 'int']]), '02 02 04', '{"a":1,"b":2}'],
  ])('%s', (_name, schema, body, json) => {
    expect(jsonOf(schema, hex(body))).toBe(json);
  });

  it('a schema that contains itself, and one that refers to another', () => {
    const list = record(['value', 'int'], ['next', ['null', 'R']]);
    expect(jsonOf(list, hex('02 02 04 00'))).toBe('{"value":1,"next":{"value":2,"next":null}}');
    const address = { type: 'record', name: 'shop.Address', fields: [{ name: 'city', type: 'string' }] };
    const reading = new AvroJson(JSON.stringify(record(['home', 'shop.Address'])), [JSON.stringify(address)]);
    expect(reading.read(hex('0261'), 0)).toBe('{"home":{"city":"a"}}');
  });

  it('says what avsc says of random values', () => {
    for (let i = 0; i < 2_000; i++) {
      const type = avro.Type.forSchema(record(['a', someType(i, 0)]) as avro.Schema, { wrapUnions: 'never' });
      const value = type.random() as object;
      const said = JSON.parse(new AvroJson(JSON.stringify(type.schema())).read(type.toBuffer(value), 0)) as unknown;
      expect(said).toEqual(JSON.parse(JSON.stringify(value, asPlain)));
    }
  });

  it.each([
    ['ends too early', 'string', '06 61', 'TRUNCATED'],
    ['an integer without an end', 'long', 'ffffffffffffffffffff01', 'MALFORMED'],
    ['65 bits', 'long', 'ffffffffffffffffff03', 'MALFORMED'],
    ['33 bits for an int', 'int', 'ffffffff1f', 'MALFORMED'],
    ['a negative length', 'string', '01', 'MALFORMED'],
    ['a length beyond everything', 'bytes', 'feffffffffffffffff01', 'TRUNCATED'],
    ['a branch that is not there', ['null', 'int'], '04', 'MALFORMED'],
    ['a symbol that is not there', { type: 'enum', name: 'E', symbols: ['A'] }, '02', 'MALFORMED'],
    ['a boolean of 2', 'boolean', '02', 'MALFORMED'],
    ['a string that is none', 'string', '02 ff', 'MALFORMED'],
    ['bytes behind the end', 'int', '02 00', 'MALFORMED'],
    ['2^62 nulls in ten bytes', { type: 'array', items: 'null' }, 'feffffffffffffff7f 00', 'TOO_MUCH'],
    ['2^62 empty records', { type: 'array', items: record() }, 'feffffffffffffff7f 00', 'TOO_MUCH'],
    ['a list that is too deep', record(['next', ['null', 'R']]), '02'.repeat(1_000), 'TOO_MUCH'],
  ])('refuses what %s', (_name, schema, body, code) => {
    const beganMs = performance.now();
    expect(() => jsonOf(schema, hex(body))).toThrow(expect.objectContaining({ code }) as Error);
    expect(performance.now() - beganMs).toBeLessThan(1_000);
  });

  it.each([
    ['no JSON', '{'],
    ['an unknown type', '"shop.Unknown"'],
    [
      'a name that would be code',
      JSON.stringify({ type: 'record', name: 'R', fields: [{ name: 'a;b', type: 'int' }] }),
    ],
    ['arrays without an end', '{"type":"array","items":'.repeat(20_000)],
  ])('refuses a schema that is %s', (_name, schema) => {
    expect(() => new AvroJson(schema)).toThrow(expect.objectContaining({ code: 'BAD_SCHEMA' }) as Error);
  });

  it('does not write more than its limit', () => {
    const body = avro.Type.forSchema('bytes').toBuffer(Buffer.alloc(avroJsonLimits.charsMax));
    expect(() => jsonOf('bytes', body)).toThrow(expect.objectContaining({ code: 'TOO_MUCH' }) as Error);
  });
});

const leaves = ['null', 'boolean', 'int', 'double', 'string', 'bytes'];

/** Types of every kind, by the digits of a number. */
function someType(n: number, depth: number): unknown {
  const rest = Math.floor(n / 10);
  if (depth > 3) return leaves[n % leaves.length];
  switch (n % 10) {
    case 0:
      return { type: 'array', items: someType(rest, depth + 1) };
    case 1:
      return { type: 'map', values: someType(rest, depth + 1) };
    case 2:
      return ['null', { type: 'array', items: someType(rest, depth + 1) }];
    case 3:
      return {
        type: 'record',
        name: `R${depth}`,
        fields: ['a', 'b'].map((name, i) => ({ name, type: leaves[(rest + i) % leaves.length] })),
      };
    default:
      return leaves[n % leaves.length];
  }
}

function asPlain(this: Record<string, unknown>, key: string, value: unknown): unknown {
  const own = this[key];
  return own instanceof Uint8Array ? Buffer.from(own).toString('base64') : value;
}
