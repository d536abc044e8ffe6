import {
  crc32cNative,
  decodeAs,
  encode,
  encodePut,
  explainPut,
  putCrc,
  putCrcMatches,
  PutView,
  readPut,
} from '@levee/codec';
import type { Put } from '@levee/events';
import { crc32c } from '@levee/kernel';
import fc from 'fast-check';

const bytesUpTo = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes));
const value = fc.oneof(
  bytesUpTo(200),
  fc.nat(20_000).map((length) => Buffer.alloc(length, 'v')),
);
const expiry = fc.option(
  fc.oneof(fc.maxSafeNat(), fc.nat(300)).map((n) => Math.min(n, 9007199254740990)),
  { nil: null },
);
const wireExpiry = fc.option(fc.integer({ min: -(2 ** 52), max: 9007199254740990 }), { nil: null });
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

/** What `readPut` says, in the words of the generic decoder. */
function readAsRecord(raw: Buffer): Put | string {
  const view = new PutView();
  const reading = readPut(raw, view);
  if (reading !== 'put') return reading;
  return { expiresAtMs: view.expiresAtMs, crc: view.crc, value: raw.subarray(view.valueStart, view.valueEnd) };
}

/** What the bounded check and avsc say of the same bytes. */
function decodeAsReading(raw: Buffer): Put | string {
  const failure = explainPut(raw);
  if (failure) return failure.code === 'UNKNOWN_SCHEMA' ? 'unknownSchema' : 'garbage';
  return { ...decodeAs('Put', raw) };
}

const view = new PutView();
const withBytes = (bytes: Buffer): fc.Arbitrary<Buffer> =>
  fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }).map((edits) => {
    const copy = Buffer.from(bytes);
    for (const [at, byte] of edits) copy[at] = byte;
    return copy;
  });

describe('encodePut', () => {
  it('writes byte for byte what the generic encoder writes', () => {
    fc.assert(
      fc.property(bytesUpTo(50), value, expiry, (key, v, expiresAtMs) => {
        const bytes = encodePut(key, v, expiresAtMs);
        expect(bytes.equals(encode('Put', { expiresAtMs, crc: putCrc(key, v, expiresAtMs), value: v }))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('has a crc over key, expiry as 8 bytes big-endian, value: as the table-driven CRC-32C computes it', () => {
    fc.assert(
      fc.property(bytesUpTo(50), value, expiry, (key, v, expiresAtMs) => {
        const eight = Buffer.alloc(8);
        eight.writeBigInt64BE(BigInt(expiresAtMs ?? 0));
        expect(putCrc(key, v, expiresAtMs)).toBe(crc32c(Buffer.concat([key, eight, v])) | 0);
      }),
    );
  });

  it('is read back, and its crc matches only its own key', () => {
    fc.assert(
      fc.property(bytesUpTo(50), value, expiry, (key, v, expiresAtMs) => {
        const raw = encodePut(key, v, expiresAtMs);
        expect(readPut(raw, view)).toBe('put');
        expect(view.expiresAtMs).toBe(expiresAtMs);
        expect(raw.subarray(view.valueStart, view.valueEnd).equals(v)).toBe(true);
        expect(putCrcMatches(key, raw, view)).toBe(true);
        expect(putCrcMatches(Buffer.concat([key, Buffer.from('x')]), raw, view)).toBe(false);
      }),
    );
  });
});

describe('readPut', () => {
  const sample = encodePut(Buffer.alloc(0), Buffer.from('abc'), null).toString('hex');

  it('reads what any Avro writer writes, crc or not', () => {
    fc.assert(
      fc.property(wireExpiry, fc.option(int32, { nil: null }), value, (expiresAtMs, crc, v) => {
        const put = readAsRecord(encode('Put', { expiresAtMs, crc, value: v })) as Put;
        expect({ expiresAtMs: put.expiresAtMs, crc: put.crc }).toEqual({ expiresAtMs, crc });
        expect(v.equals(put.value)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('a record without a crc is not doubted', () => {
    const raw = encode('Put', { expiresAtMs: null, crc: null, value: Buffer.from('v') });
    expect(readPut(raw, view)).toBe('put');
    expect(putCrcMatches(Buffer.from('any'), raw, view)).toBe(true);
  });

  it('a flipped bit in the value is found by the crc', () => {
    const key = Buffer.from('k');
    const raw = encodePut(key, Buffer.from('value'), null);
    raw[raw.length - 1]! ^= 1;
    expect(readPut(raw, view)).toBe('put');
    expect(putCrcMatches(key, raw, view)).toBe(false);
  });

  it.each([
    ['nothing', 'garbage', ''],
    ['text', 'garbage', '68656c6c6f'],
    ['a marker alone', 'garbage', 'c301'],
    ['an unknown fingerprint', 'unknownSchema', 'c3010102030405060708'],
    ['an unknown fingerprint with a body', 'unknownSchema', 'c301010203040506070800'],
    ['another record of ours', 'garbage', encode('Fence', { producer: 'p', number: 1 }).toString('hex')],
    ["Confluent's frame with nothing behind it", 'garbage', '0000000001'],
    ['a value shorter than it claims', 'garbage', sample.slice(0, -2)],
    ['a value longer than it claims', 'garbage', `${sample}00`],
  ])('%s is %s', (_, reading, hex) => {
    expect(readPut(Buffer.from(hex, 'hex'), view)).toBe(reading);
  });

  it("reads Confluent's framing, whatever the schema id", () => {
    const own = encodePut(Buffer.from('k'), Buffer.from('value'), 1_750_000_000_000);
    const raw = Buffer.concat([Buffer.from('0000000007', 'hex'), own.subarray(10)]);
    expect(readPut(raw, view)).toBe('put');
    expect(view.expiresAtMs).toBe(1_750_000_000_000);
    expect(raw.subarray(view.valueStart, view.valueEnd)).toEqual(Buffer.from('value'));
    expect(putCrcMatches(Buffer.from('k'), raw, view)).toBe(true);
    expect(decodeAs('Put', raw).value).toEqual(Buffer.from('value'));
  });

  it('agrees with the bounded check and avsc about every edited record', () => {
    const bases = [
      encode('Put', { expiresAtMs: null, crc: null, value: Buffer.from('abc') }),
      encode('Put', { expiresAtMs: 9007199254740990, crc: -1, value: Buffer.from('abc') }),
      encode('Put', { expiresAtMs: -(2 ** 52), crc: 2147483647, value: Buffer.alloc(0) }),
      Buffer.concat([Buffer.from('0000000001', 'hex'), encodePut(Buffer.from('k'), Buffer.from('v'), 5).subarray(10)]),
    ];
    fc.assert(
      fc.property(fc.oneof(...bases.map(withBytes)), fc.boolean(), (raw, cut) => {
        const bytes = cut ? raw.subarray(0, -1) : raw;
        expect(readAsRecord(bytes)).toEqual(decodeAsReading(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  it('agrees with them about made-up bodies', () => {
    const frame = encodePut(Buffer.alloc(0), Buffer.alloc(0), null).subarray(0, 10);
    const part = fc.oneof(
      fc.constantFrom(
        ...[
          '00',
          '02',
          '01',
          '8080808000',
          'ffffffffffffffff7f',
          'feffffffffffff1f',
          'ffffffff0f',
          '80808080808080808000',
          '8000',
        ].map((h) => Buffer.from(h, 'hex')),
      ),
      bytesUpTo(3),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
        const bytes = Buffer.concat([frame, ...parts]);
        expect(readAsRecord(bytes)).toEqual(decodeAsReading(bytes));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('crc32cNative', () => {
  it('equals the table-driven one, also when continued', () => {
    fc.assert(
      fc.property(bytesUpTo(300), bytesUpTo(300), (a, b) => {
        expect(crc32cNative(a)).toBe(crc32c(a));
        expect(crc32cNative(b, crc32cNative(a))).toBe(crc32c(Buffer.concat([a, b])));
      }),
    );
  });
});
