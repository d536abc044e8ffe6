import { asOffset, crc32c, failureCode } from '@levee/kernel';
import type { LogRecord, StoredRecord } from '@levee/log';
import fc from 'fast-check';
import { attributeBits, batchAt, sequenceAfter } from './record-batch';
import { type AbortedTransaction, BatchReader, scanBatches, type ScannedBatches } from './record-batch-decoder';
import { encodeBatch } from './record-batch-encoder';

/** Read from a segment of Kafka 4.2: offsets 0-12 of a partition with message.timestamp.type=LogAppendTime. */
const stored = {
  ours: '00000000000000000000005a000000000203139f28000800000002000001a2012604c2000001a2012604cf00000000000000030000000000000000000328000000066b65790a76616c7565020673657102371400000208676f6e650100100000040104c3a900',
  foreign:
    '0000000000000003000000470000000002a904d9bb000800000001000001a2012604eb000001a2012604ecffffffffffffffff0000000000000000000210000000026102310018000002026202320202680278',
  gzip: '00000000000000050000005000000000021f2cad82000900000000000001a2012604ed000001a2012604f4ffffffffffffffff000000000000000000011f8b08000000000000031361606060aa62abca2c6000002a0575ab0b000000',
  committed:
    '000000000000000600000042000000000271f10c19001800000000000001a20126055d000001a20126059700000000000000050000000000000000000120000000027412636f6d6d697474656400',
  commitMarker:
    '000000000000000700000042000000000245f9f606003800000000000001a2012605ad000001a2012605ae00000000000000050000ffffffff000000012000000008000000010c00000000000000',
  aborted:
    '00000000000000080000004000000000027b52a72f001800000000000001a2012605b7000001a2012605b90000000000000005000000000001000000011c00000002740e61626f7274656400',
  abortMarker:
    '00000000000000090000004200000000029d8b260c003800000000000001a2012605bc000001a2012605bc00000000000000050000ffffffff000000012000000008000000000c00000000000000',
  abortedToo:
    '000000000000000a00000044000000000248804558001800000000000001a2012605bf000001a2012605c00000000000000005000000000002000000012400000002741661626f7274656420746f6f00',
  abortMarkerToo:
    '000000000000000b000000420000000002671e3495003800000000000001a2012605c3000001a2012605c300000000000000050000ffffffff000000012000000008000000000c00000000000000',
  last: '000000000000000c0000003f0000000002ed62bb7d000800000000000001a2012605c4000001a2012605c40000000000000003000000000003000000011a000000086c617374066f6e6500',
};
const aborted = [
  { producerId: 5, firstOffset: 8 },
  { producerId: 5, firstOffset: 10 },
];
const end = asOffset(13);
const scan = (fetched: Buffer, from: number, endOffset: number = end, onBoundary = false): ScannedBatches =>
  scanBatches(fetched, { from: asOffset(from), endOffset: asOffset(endOffset), onBoundary });
const bytes = (...names: Array<keyof typeof stored>): Buffer =>
  Buffer.concat(names.map((name) => Buffer.from(stored[name], 'hex')));
function decodeRecords(
  scanned: ScannedBatches,
  from: number,
  list: readonly AbortedTransaction[] = [],
): StoredRecord[] {
  const records: StoredRecord[] = [];
  const reader = new BatchReader(scanned.bytes, asOffset(from), list);
  while (reader.bytesLeft > 0) reader.readBatch(records);
  expect(reader.nextOffset).toBe(scanned.nextOffset);
  expect(reader.leaderEpoch).toBe(scanned.leaderEpoch);
  return records;
}
const read = (fetched: Buffer, from: number, list = aborted): StoredRecord[] =>
  decodeRecords(scan(fetched, from), asOffset(from), list);
const shown = (records: readonly StoredRecord[]): string[] =>
  records.map((r) => `${r.offset} ${r.key?.toString() ?? '-'}=${r.value?.toString() ?? 'null'}`);

const identity = { producerId: 3, epoch: 0, baseSequence: 0 };
const records: LogRecord[] = [
  { key: Buffer.from('key'), value: Buffer.from('value'), headers: [{ key: 'seq', value: Buffer.from('7') }] },
  { key: Buffer.from('gone'), value: null },
  { key: null, value: Buffer.from('é') },
];

describe('encoding a record batch', () => {
  it('writes what a broker stores, but for the fields that the broker fills', () => {
    const batch = encodeBatch(
      [{ records: records.slice(0, 1) }, { records: records.slice(1) }],
      0x1a2012604c2,
      identity,
    );
    const golden = Buffer.from(stored.ours, 'hex');
    golden.copy(batch, batchAt.leaderEpoch, batchAt.leaderEpoch, batchAt.magic);
    batch.writeInt16BE(attributeBits.logAppendTime, batchAt.attributes);
    golden.copy(batch, batchAt.maxTimestamp, batchAt.maxTimestamp, batchAt.producerId);
    batch.writeUInt32BE(crc32c(batch.subarray(batchAt.attributes)), batchAt.crc);
    expect(batch.toString('hex')).toBe(stored.ours);
  });

  it('carries identity and sequence where the broker looks for them', () => {
    const batch = encodeBatch([{ records }], 1, { producerId: 2 ** 40 + 7, epoch: 258, baseSequence: 2 ** 31 - 1 });
    expect(batch.readBigInt64BE(43)).toBe(2n ** 40n + 7n);
    expect(batch.readInt16BE(51)).toBe(258);
    expect(batch.readInt32BE(53)).toBe(2 ** 31 - 1);
    expect(batch.readUInt32BE(17)).toBe(crc32c(batch.subarray(21)));
  });

  it.each([
    [0, 5, 5],
    [2 ** 31 - 3, 2, 2 ** 31 - 1],
    [2 ** 31 - 3, 3, 0],
    [2 ** 31 - 1, 5, 4],
  ])('after sequence %d and %d records comes %d', (sequence, count, next) => {
    expect(sequenceAfter(sequence, count)).toBe(next);
  });

  it('decodes to what was encoded, for any keys, values and headers', () => {
    const field = fc.option(fc.uint8Array({ maxLength: 300 }).map((b) => Buffer.from(b)));
    const header = fc.record({ key: fc.string(), value: fc.uint8Array({ maxLength: 20 }).map((b) => Buffer.from(b)) });
    const any = fc.record({ key: field, value: field, headers: fc.array(header, { maxLength: 3 }) });
    fc.assert(
      fc.property(fc.array(any, { minLength: 1, maxLength: 200 }), fc.nat(2 ** 40), (written, timeMs) => {
        const fetched = encodeBatch([{ records: written }], timeMs, identity);
        const back = decodeRecords(scan(fetched, 0, written.length), asOffset(0));
        const bare = back.map(({ key, value, headers }) => ({ key, value, headers }));
        expect(bare).toEqual(written);
        expect(back.map((r) => r.timestampMs)).toEqual(written.map(() => timeMs));
        expect(back.map((r) => Number(r.offset))).toEqual(written.map((_, n) => n));
      }),
      { numRuns: 200 },
    );
  });
});

describe('reading what a broker answers', () => {
  it('reads batches of several producers, with append time and headers', () => {
    const all = read(bytes('ours', 'foreign'), 0);
    expect(shown(all)).toEqual(['0 key=value', '1 gone=null', '2 -=é', '3 a=1', '4 b=2']);
    expect(all[0]).toMatchObject({ timestampMs: 0x1a2012604cf, headers: [{ key: 'seq', value: Buffer.from('7') }] });
    expect(all[4]?.headers).toEqual([{ key: 'h', value: Buffer.from('x') }]);
  });

  it('gives nothing below the offset asked for, though the whole batch was fetched', () => {
    expect(shown(read(bytes('ours', 'foreign'), 2))).toEqual(['2 -=é', '3 a=1', '4 b=2']);
  });

  it('passes control batches and both aborted transactions of one producer, and keeps the committed one', () => {
    const rest = bytes('committed', 'commitMarker', 'aborted', 'abortMarker', 'abortedToo', 'abortMarkerToo', 'last');
    expect(shown(read(rest, 6))).toEqual(['6 t=committed', '12 last=one']);
    expect(scan(rest, 6).nextOffset).toBe(13);
  });

  it('void is what lies between the first offset of an aborted transaction and its marker, not what follows', () => {
    const rest = bytes('aborted', 'abortMarker', 'abortedToo', 'abortMarkerToo', 'last');
    const first = [{ producerId: 5, firstOffset: 8 }];
    expect(shown(read(rest, 8, first))).toEqual(['10 t=aborted too', '12 last=one']);
    const elsewhere = [{ producerId: 6, firstOffset: 8 }];
    expect(shown(read(rest, 8, elsewhere))).toEqual(['8 t=aborted', '10 t=aborted too', '12 last=one']);
  });

  it('a transaction aborted behind the first fetch is void from the middle of its batches too', () => {
    expect(shown(read(bytes('abortedToo', 'abortMarkerToo', 'last'), 10))).toEqual(['12 last=one']);
  });

  it('stands behind a gap and behind an emptied batch', () => {
    const gap = scan(bytes('ours', 'last'), 0);
    expect([gap.nextOffset, shown(decodeRecords(gap, asOffset(0)))]).toEqual([
      13,
      ['0 key=value', '1 gone=null', '2 -=é', '12 last=one'],
    ]);
    const emptied = Buffer.from(bytes('foreign').subarray(0, batchAt.records));
    emptied.writeInt32BE(emptied.length - 12, batchAt.batchLength);
    emptied.writeInt32BE(0, batchAt.count);
    emptied.writeUInt32BE(crc32c(emptied.subarray(batchAt.attributes)), batchAt.crc);
    const scanned = scan(emptied, 3);
    expect([scanned.nextOffset, decodeRecords(scanned, asOffset(3))]).toEqual([5, []]);
  });

  it('a cut last batch is left out, and its length said', () => {
    const whole = bytes('ours', 'foreign');
    for (let length = bytes('ours').length + 13; length < whole.length; length++) {
      const scanned = scan(whole.subarray(0, length), 0);
      expect([scanned.nextOffset, scanned.cutBatchBytes]).toEqual([3, bytes('foreign').length]);
    }
  });

  it('unpacks a compressed batch', () => {
    expect(shown(read(bytes('foreign', 'gzip', 'committed'), 3))).toEqual([
      '3 a=1',
      '4 b=2',
      '5 z=zip',
      '6 t=committed',
    ]);
  });

  it('every single flipped bit is found, or changes nothing that is read but the leader epoch', () => {
    const sound = bytes('foreign');
    const expected = shown(read(sound, 3));
    const accepted: number[] = [];
    for (let bit = 0; bit < sound.length * 8; bit++) {
      const damaged = Buffer.from(sound);
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
      const scanned = scan(damaged, 3, 5, true);
      const found = scanned.damagedAt !== undefined || scanned.cutBatchBytes > 0;
      if (!found) {
        accepted.push(bit >> 3);
        expect(shown(decodeRecords(scanned, asOffset(3)))).toEqual(expected);
      }
    }
    expect(new Set(accepted)).toEqual(new Set([12, 13, 14, 15]));
  });

  it('never loops, never reads outside, whatever the bytes are', () => {
    const sound = bytes('ours', 'foreign', 'committed', 'commitMarker', 'last');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { maxLength: 6 }),
        fc.nat(13),
        (edits, from) => {
          const damaged = Buffer.from(sound);
          for (const [at, byte] of edits) damaged[at] = byte;
          for (let at = 0; at + 61 < damaged.length;) {
            // Make the checksums right again, so that the record decoder sees the damage.
            const length = 12 + damaged.readInt32BE(at + batchAt.batchLength);
            if (length < 61 || at + length > damaged.length) break;
            damaged.writeUInt32BE(crc32c(damaged.subarray(at + 21, at + length)), at + batchAt.crc);
            at += length;
          }
          try {
            read(damaged, from);
          } catch (error) {
            expect(failureCode(error)).toBe('RECORD_CORRUPT');
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
