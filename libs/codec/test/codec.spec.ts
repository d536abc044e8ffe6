import { type CodecFailure, type Decoded, decode, decodeAs, encode } from '@levee/codec';
import { type AvroRecord, type RecordName, type RecordTypes, schemaVersions } from '@levee/events';
import { InvariantViolation } from '@levee/kernel';
import avro from 'avsc';
import fc from 'fast-check';
import { canonicalForm, crc64Avro, fingerprintHex } from '../src/fingerprint';
import { RecordRegistry } from '../src/record-registry';
import { anyRecord } from './arbitrary-record';
import { samples } from './samples';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

function failureOf(action: () => unknown): CodecFailure {
  try {
    action();
  } catch (error) {
    return error as CodecFailure;
  }
  throw new Error('did not throw');
}

const anyEncode = (each: { name: RecordName; record: unknown }): Buffer =>
  encode(each.name, each.record as RecordTypes[RecordName]);

describe('fingerprints', () => {
  it.each([
    ['"null"', '63dd24e7cc258f8a'],
    ['"int"', '7275d51a3f395c8f'],
  ])('CRC-64-AVRO of %s is %s', (schema, print) => {
    expect(fingerprintHex(crc64Avro(Buffer.from(schema)))).toBe(print);
  });

  it.each(schemaVersions.map((each) => [each.name, each] as const))(
    'canonical form of %s is that of avsc',
    (_, each) => {
      const ours = JSON.parse(canonicalForm(each.schema)) as unknown;
      const type = avro.Type.forSchema(each.schema as unknown as avro.Schema);
      expect(ours).toEqual(JSON.parse(JSON.stringify(type.schema())));
    },
  );
});

describe('records', () => {
  it('read back what was written, and only from the exact bytes', () => {
    fc.assert(
      fc.property(anyRecord, (each) => {
        const bytes = anyEncode(each);
        const decoded = decode(bytes);
        expect(decoded.name).toBe(each.name);
        expect({ ...decoded.record }).toEqual(each.record);
        expect(anyEncode(decoded as { name: RecordName; record: unknown })).toEqual(bytes);
        expect(failureOf(() => decode(Buffer.concat([bytes, Buffer.from([0])]))).code).toBe('MALFORMED');
      }),
      { numRuns: 500 },
    );
  });

  it('are TRUNCATED at every byte before the last', () => {
    for (const name of Object.keys(samples) as RecordName[])
      for (const record of samples[name]) {
        const bytes = encode(name, record);
        for (let end = 0; end < bytes.length; end++)
          expect([name, end, failureOf(() => decode(bytes.subarray(0, end))).code]).toEqual([name, end, 'TRUNCATED']);
      }
  });

  it('grow the shared buffer as needed, and own their bytes', () => {
    const large = encode('Put', { expiresAtMs: null, crc: null, value: Buffer.alloc(3_000_000, 'x') });
    const small = encode('Fence', { producer: 'p', number: 1 });
    encode('Fence', { producer: 'q', number: 2 });
    expect(decodeAs('Put', large).value.length).toBe(3_000_000);
    expect(decodeAs('Fence', small)).toEqual({ producer: 'p', number: 1 });
  });

  it('take any Uint8Array for bytes', () => {
    const value = new Uint8Array([9, 1, 2, 9]).subarray(1, 3);
    const bytes = encode('Put', { expiresAtMs: null, crc: null, value });
    expect(decodeAs('Put', bytes).value).toEqual(Buffer.from([1, 2]));
    const key = new Uint8Array([5]);
    const [first] = samples.Quarantined;
    const quarantined = encode('Quarantined', { ...(first as RecordTypes['Quarantined']), key });
    expect(decodeAs('Quarantined', quarantined).key).toEqual(Buffer.from([5]));
  });

  it('keep their bytes when the buffer they were read from is reused', () => {
    const raw = encode('Put', { expiresAtMs: null, crc: null, value: Buffer.from('abc') });
    const put = decodeAs('Put', raw);
    raw.fill(0);
    expect(put.value).toEqual(Buffer.from('abc'));
  });
});

describe('what is refused', () => {
  const [unit] = samples.UnitState as readonly [RecordTypes['UnitState']];

  it.each([
    ['nothing at all', '', 'TRUNCATED'],
    ['half a marker', 'c3', 'TRUNCATED'],
    ['half a fingerprint', 'c301 0011', 'TRUNCATED'],
    ['text', Buffer.from('hello').toString('hex'), 'BAD_FRAME'],
    ['long text', Buffer.from('hello, this is no record').toString('hex'), 'BAD_FRAME'],
    ['a marker of another version', 'c302 0000000000000000', 'BAD_FRAME'],
    ['a fingerprint nobody knows', 'c301 0102030405060708', 'UNKNOWN_SCHEMA'],
  ])('%s', (_, bytes, code) => {
    expect(failureOf(() => decode(hex(bytes))).code).toBe(code);
  });

  it('an unknown fingerprint is named', () => {
    const failure = failureOf(() => decode(hex('c301 0102030405060708 00')));
    expect(failure.details).toEqual({ fingerprint: '0807060504030201' });
    expect(failure.message).toContain('0807060504030201');
  });

  it('a good record where another is expected', () => {
    const fence = encode('Fence', { producer: 'p', number: 1 });
    expect(failureOf(() => decodeAs('Put', fence)).code).toBe('WRONG_RECORD');
  });

  it('a word outside its list, naming field and word', () => {
    const bytes = encode('UnitState', unit);
    const at = bytes.indexOf('leveldb');
    bytes.write('rocksdb', at);
    const failure = failureOf(() => decode(bytes));
    expect(failure.code).toBe('MALFORMED');
    expect(failure.message).toBe('UnitState.engine holds the word "rocksdb", not one of leveldb, memory');
  });

  it.each([
    ['a word outside its list', { ...unit, engine: 'rocksdb' }],
    ['a missing field', { ...unit, nodeId: undefined }],
    ['a fraction', { ...unit, generation: 1.5 }],
    ['a number beyond 32 bits', { ...unit, generation: 2 ** 31 }],
    ['a number beyond 2^53', { ...unit, capacityBytes: 2 ** 60 }],
    ['nothing', null],
  ])('writing %s is our own mistake', (_, value) => {
    expect(() => encode('UnitState', value as unknown as RecordTypes['UnitState'])).toThrow(InvariantViolation);
  });

  const head = (name: RecordName): string =>
    encode(name, samples[name][0] as never)
      .toString('hex')
      .slice(0, 20);
  const string = (text: string): string => Buffer.from([text.length * 2, ...Buffer.from(text)]).toString('hex');
  const barrier = `${head('Barrier')} ${string('id')} 02 00`;

  it.each([
    ['2^40 items', `${barrier} 808080808040`, 'TRUNCATED'],
    ['2^62 items', `${barrier} 808080808080808080 7f`, 'MALFORMED'],
    ['a negative count without room', `${barrier} ffffff7f 02`, 'TRUNCATED'],
    ['a block of another size than it claims', `${barrier} 01 06 00 00 00`, 'MALFORMED'],
    ['a count that never ends', `${barrier} ${'ff'.repeat(40)}`, 'MALFORMED'],
    ['a negative length', `${head('Barrier')} 01`, 'MALFORMED'],
    ['a length of 2^31', `${head('Barrier')} 8080808010`, 'TRUNCATED'],
    ['a third branch of a union', `${head('Barrier')} ${string('id')} 02 04`, 'MALFORMED'],
    [
      'an int of 33 bits',
      `${head('EntityRemoved')} ${string('node')} ${string('n')} ${string('x')} 02 8080808020`,
      'MALFORMED',
    ],
  ])('hostile: %s', (_, bytes, code) => {
    expect(failureOf(() => decode(hex(bytes))).code).toBe(code);
  });

  it('more items than a record may have, though each takes only a byte', () => {
    const count = 300_000;
    const varint = [count * 2, (count * 2) / 128, (count * 2) / 16384].map(
      (n, i) => (Math.floor(n) & 0x7f) | (i < 2 ? 0x80 : 0),
    );
    const bytes = Buffer.concat([hex(barrier), Buffer.from(varint), Buffer.alloc(count + 4)]);
    expect(failureOf(() => decode(bytes)).message).toBe('Barrier.chunks holds more than 262144 items in one record');
  });
});

describe('arbitrary damage', () => {
  /** An input slower than 50 ms is tried five times more: a busy machine is no hostile input. */
  function surviveQuickly(bytes: Buffer): Decoded | CodecFailure['code'] {
    for (let attempt = 0; ; attempt++) {
      const startNs = process.hrtime.bigint();
      let answer: Decoded | CodecFailure['code'];
      try {
        answer = decode(bytes);
      } catch (error) {
        if ((error as Error).name !== 'CodecFailure') throw error;
        answer = (error as CodecFailure).code;
      }
      const tookMs = Number(process.hrtime.bigint() - startNs) / 1e6;
      if (tookMs <= 50) return answer;
      if (attempt === 5) throw new Error(`took ${tookMs} ms: ${bytes.toString('hex')}`);
    }
  }

  it('bit flips are read as something or refused, at once', () => {
    fc.assert(
      fc.property(anyRecord, fc.array(fc.tuple(fc.nat(), fc.nat(7)), { minLength: 1, maxLength: 5 }), (each, flips) => {
        const bytes = anyEncode(each);
        for (const [at, bit] of flips) bytes[at % bytes.length]! ^= 1 << bit;
        surviveQuickly(bytes);
      }),
      { numRuns: 2000 },
    );
  });

  it('bodies made up of anything are read as something or refused, at once', () => {
    const names = Object.keys(samples) as RecordName[];
    const nasty = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.constantFrom(hex('ffffffff0f'), hex('808080808080808080 01')),
    );
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.array(nasty, { maxLength: 6 }), (name, parts) => {
        const frame = encode(name, samples[name][0] as never).subarray(0, 10);
        surviveQuickly(Buffer.concat([frame, ...parts]));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('versions', () => {
  const record = (fields: AvroRecord['fields']): AvroRecord => ({
    type: 'record',
    name: 'Lamp',
    namespace: 'levee',
    doc: 'A lamp.',
    fields,
  });
  const v1 = { name: 'Lamp', version: 1, schema: record([{ name: 'watts', type: 'int', doc: 'Watts.' }]) };
  const v2 = { name: 'Lamp', version: 2, schema: record([{ name: 'milliwatts', type: 'long', doc: 'Milliwatts.' }]) };
  const upcast = {
    name: 'Lamp',
    toVersion: 2,
    upcast: (older: { watts: number }) => ({ milliwatts: older.watts * 1000 }),
  };

  it('an old record is read in the newest shape', () => {
    const bytes = new RecordRegistry([v1]).encode('Lamp', { watts: 60 });
    expect(new RecordRegistry([v1, v2], [upcast]).decode(bytes)).toEqual({
      name: 'Lamp',
      version: 1,
      record: { milliwatts: 60_000 },
    });
  });

  it('an older version can still be written, until everybody reads the new one', () => {
    const registry = new RecordRegistry([v1, v2], [upcast]);
    const bytes = registry.encode('Lamp', { watts: 60 }, 1);
    expect(new RecordRegistry([v1]).decodeAs('Lamp', bytes)).toEqual({ watts: 60 });
    expect(registry.decodeAs('Lamp', bytes)).toEqual({ milliwatts: 60_000 });
  });

  it('an old process does not know the new version', () => {
    const bytes = new RecordRegistry([v1, v2], [upcast]).encode('Lamp', { milliwatts: 1 });
    expect(failureOf(() => new RecordRegistry([v1]).decode(bytes)).code).toBe('UNKNOWN_SCHEMA');
  });

  it.each([
    ['a version without an upcast', () => new RecordRegistry([v1, v2]), 'has no upcast'],
    ['a version that skips one', () => new RecordRegistry([v2], [upcast]), 'comes after 0 versions'],
    [
      'two versions nobody could tell apart',
      () => new RecordRegistry([v1, { ...v1, version: 2 }], [upcast]),
      'cannot be told from',
    ],
  ])('%s is refused at start', (_, open, message) => {
    expect(open).toThrow(message);
  });
});
