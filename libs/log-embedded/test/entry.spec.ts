import fc from 'fast-check';
import { asOffset } from '@levee/kernel';
import { type LogRecord, noHeaders, type StoredRecord } from '@levee/log';
import {
  decodeRecords,
  encodeFreshEntry,
  encodeRewrittenEntry,
  type EntryHead,
  readHead,
  recordBytes,
} from '../src/entry';
import { encodeSlot, newestSlot, readU53, writeU53 } from '../src/slot';

const bytes = fc.uint8Array({ maxLength: 40 }).map((b) => Buffer.from(b));
const header = fc.record({ key: fc.string({ maxLength: 8, unit: 'grapheme' }), value: bytes });
const anyRecord: fc.Arbitrary<LogRecord> = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.array(header, { maxLength: 3 }),
});

const fresh = (records: readonly LogRecord[], chainIn = 7, baseOffset = 2 ** 40 + 3): Buffer =>
  encodeFreshEntry({
    chainIn,
    epoch: 5,
    baseOffset,
    timestampMs: 1_700_000_000_123,
    bytes: records.reduce((sum, record) => sum + recordBytes(record), 0),
    groups: [records],
  });

describe('an entry', () => {
  it('gives back the records it was made of', () => {
    fc.assert(
      fc.property(fc.array(anyRecord, { maxLength: 20 }), (records) => {
        const encoded = fresh(records);
        const head = readHead(encoded) as EntryHead;
        expect(head).toMatchObject({ chainIn: 7, chainOut: head.crc, epoch: 5, count: records.length });
        expect(decodeRecords(encoded, head)).toEqual(
          records.map((record, n) => ({
            offset: 2 ** 40 + 3 + n,
            timestampMs: 1_700_000_000_123,
            key: record.key,
            value: record.value,
            headers: record.headers,
          })),
        );
      }),
    );
  });

  it('rewritten, keeps offsets, times and the chain of what it replaces', () => {
    const records: StoredRecord[] = [3, 70_000, 4_000_000_000].map((delta) => ({
      offset: asOffset(100 + delta),
      timestampMs: 1000 + delta,
      key: Buffer.from(`${delta}`),
      value: null,
      headers: noHeaders,
    }));
    const range = {
      baseOffset: 100,
      nextOffset: 5_000_000_000,
      firstTimestampMs: 1000,
      lastTimestampMs: 5_000_000_000,
    };
    const encoded = encodeRewrittenEntry({ ...range, chainIn: 1, chainOut: 2, epoch: 3, deleteHorizonMs: 9 }, records);
    const head = readHead(encoded) as EntryHead;
    expect(head).toMatchObject({ ...range, chainIn: 1, chainOut: 2, epoch: 3, deleteHorizonMs: 9, count: 3 });
    expect(decodeRecords(encoded, head)).toEqual(records);
  });

  it('any flipped bit and any cut is noticed', () => {
    const encoded = fresh([{ key: Buffer.from('key'), value: Buffer.from('value') }]);
    for (let bit = 0; bit < encoded.length * 8; bit++) {
      const damaged = Buffer.from(encoded);
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(typeof readHead(damaged)).toBe('string');
    }
    for (let length = 0; length < encoded.length; length++)
      expect(typeof readHead(encoded.subarray(0, length))).toBe('string');
  });

  it('gives out another chain value for another place in the chain', () => {
    const records = [{ key: null, value: Buffer.from('same') }];
    const chains = [fresh(records, 1), fresh(records, 2), fresh(records, 1, 9)].map(
      (e) => (readHead(e) as EntryHead).chainOut,
    );
    expect(new Set(chains).size).toBe(3);
  });
});

describe('two slots', () => {
  it('the newest undamaged one counts', () => {
    const [old, young] = [encodeSlot(4, Buffer.from('old')), encodeSlot(5, Buffer.from('young'))];
    expect(newestSlot(old, young)?.payload.toString()).toBe('young');
    expect(newestSlot(young, old)?.payload.toString()).toBe('young');
    for (let length = 0; length < young.length; length++)
      expect(newestSlot(old, young.subarray(0, length))?.payload.toString()).toBe('old');
    expect(newestSlot(undefined, Buffer.alloc(3))).toBeUndefined();
  });

  it('integers up to 2^53 - 1 come back', () => {
    const buffer = Buffer.alloc(8);
    fc.assert(
      fc.property(fc.maxSafeNat(), (n) => {
        writeU53(buffer, n, 0);
        expect(readU53(buffer, 0)).toBe(n);
      }),
    );
  });
});
