import { compress as zstd } from '@foxglove/wasm-zstd';
import { asOffset, crc32c, failureCode } from '@levee/kernel';
import type { StoredRecord } from '@levee/log';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { compressSync } from 'snappy';
import { attributeBits, batchAt, compressionNames } from '../record-batch';
import { BatchReader, scanBatches } from '../record-batch-decoder';
import { unpack, unpackedBytesMax, unpackReady } from './unpack';

/** The same records by each codec of Java's client: see test/interop/compression. */
const golden = JSON.parse(
  readFileSync(join(__dirname, '../../../../test/golden/compressed-batches.json'), 'utf8'),
) as Record<string, string>;
const batchOf = (codec: string): Buffer => Buffer.from(golden[codec] as string, 'hex');
const codecs = compressionNames.slice(1);
const codes = { gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const;
const seed = Number(process.env['LEVEE_TEST_SEED'] ?? 1);

function read(batch: Buffer): StoredRecord[] {
  const endOffset = asOffset(1_000);
  const scanned = scanBatches(batch, { from: asOffset(0), onBoundary: true, endOffset });
  expect(scanned.damagedAt).toBeUndefined();
  const records: StoredRecord[] = [];
  const reader = new BatchReader(scanned.bytes, asOffset(0));
  while (reader.bytesLeft > 0) reader.readBatch(records);
  return records;
}

/** A batch of which only the packed records are other ones; its checksum is right. */
function withRecords(batch: Buffer, codec: number, packed: Uint8Array): Buffer {
  const bytes = Buffer.concat([batch.subarray(0, batchAt.records), packed]);
  bytes.writeInt32BE(bytes.length - 12, batchAt.batchLength);
  bytes.writeInt16BE((bytes.readInt16BE(batchAt.attributes) & ~attributeBits.compression) | codec, batchAt.attributes);
  bytes.writeUInt32BE(crc32c(bytes.subarray(batchAt.attributes)), batchAt.crc);
  return bytes;
}

const packedOf = (codec: string): Buffer => batchOf(codec).subarray(batchAt.records);
const plain = batchOf('none').subarray(batchAt.records);

/** As snappy-java frames blocks. */
function xerial(...blocks: Buffer[]): Buffer {
  const framed = blocks.flatMap((block) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(block.length);
    return [length, block];
  });
  return Buffer.concat([Buffer.from('82534e41505059000000000100000001', 'hex'), ...framed]);
}

/** One LZ4 sequence without literals is not possible at the front: one byte, then `count` times the same again. */
function lz4Bomb(count: number): Buffer {
  const lengths = Buffer.alloc(Math.floor(count / 255) + 1, 255);
  lengths[lengths.length - 1] = count % 255;
  const block = Buffer.concat([Buffer.from([0x1f, 0x61, 1, 0]), lengths]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(block.length);
  return Buffer.concat([Buffer.from('04224d18604082', 'hex'), length, block, Buffer.alloc(4)]);
}

beforeAll(() => unpackReady);

describe('compressed batches', () => {
  it.each(codecs)('of Java by %s hold what the uncompressed one holds', (codec) => {
    const records = read(batchOf(codec));
    expect(records).toEqual(read(batchOf('none')));
    expect([records.length, records[7]?.key, records[9]?.value, records[13]?.headers[0]?.key]).toEqual([
      40,
      null,
      null,
      'traceparent',
    ]);
    expect(records[5]?.timestampMs).toBe(1_700_000_000_050);
  });

  it.each([
    ['raw snappy, as librdkafka and Go write it', codes.snappy, compressSync(plain)],
    [
      'snappy in several blocks of the Java framing',
      codes.snappy,
      xerial(compressSync(plain.subarray(0, 100)), compressSync(plain.subarray(100))),
    ],
    ['gzip in two members', codes.gzip, Buffer.concat([gzipSync(plain.subarray(0, 50)), gzipSync(plain.subarray(50))])],
  ])('%s', (_what, codec, packed) => {
    expect(unpack(codec, packed)).toEqual(plain);
  });

  it('zstd in two frames', () => {
    const packed = Buffer.concat([zstd(plain.subarray(0, 50)), zstd(plain.subarray(50))]);
    expect(unpack(codes.zstd, packed)).toEqual(plain);
  });

  it('an unknown codec is said', () => {
    const unknown = withRecords(batchOf('none'), 5, plain);
    expect(() => read(unknown)).toThrow(/the batch at offset 100 is compressed with codec 5 .* unknown here/);
  });

  describe('that unpack to more than anybody holds are refused before that is allocated', () => {
    const zeros = Buffer.alloc(unpackedBytesMax + 1);
    const cases: [string, number, () => Buffer][] = [
      ['gzip', codes.gzip, () => gzipSync(zeros)],
      ['snappy', codes.snappy, () => compressSync(zeros)],
      ['snappy that lies about its size', codes.snappy, () => Buffer.from('ffffffff0f00', 'hex')],
      [
        'framed snappy',
        codes.snappy,
        () => xerial(...Array.from({ length: 65 }, () => compressSync(Buffer.alloc(2 ** 19)))),
      ],
      ['lz4', codes.lz4, () => lz4Bomb(2 ** 28)],
      ['zstd', codes.zstd, () => zstd(zeros)],
    ];
    it.each(cases)('%s', (_what, codec, packed) => {
      const bomb = withRecords(batchOf('none'), codec, packed());
      const before = process.memoryUsage();
      try {
        expect(read(bomb)).toBe('refused');
      } catch (error) {
        expect([failureCode(error), (error as Error).message]).toEqual([
          'RECORD_CORRUPT',
          expect.stringMatching(/batch at offset 100 is compressed with \w+ and cannot be unpacked/),
        ]);
      }
      const after = process.memoryUsage();
      expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(3 * unpackedBytesMax);
    });

    it('and what just fits is read', () => {
      expect(unpack(codes.gzip, gzipSync(zeros.subarray(1)))).toHaveLength(unpackedBytesMax);
      expect(unpack(codes.zstd, zstd(zeros.subarray(1)))).toHaveLength(unpackedBytesMax);
    });
  });

  it.each(codecs)('damaged ones of %s are refused or read, and never crash, hang or spoil the next', (codec) => {
    const code = codes[codec as keyof typeof codes];
    const packed = packedOf(codec);
    let state = seed;
    const below = (n: number): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % n;
    let refused = 0;
    for (let round = 0; round < 400; round++) {
      const bytes = Buffer.from(packed);
      for (let edits = 1 + below(4); edits > 0; edits--) bytes[below(bytes.length)] = below(256);
      const cut = below(4) === 0 ? bytes.subarray(0, below(bytes.length)) : bytes;
      try {
        for (const { key, value } of read(withRecords(batchOf('none'), code, cut))) expect([key, value]).toBeDefined();
      } catch (error) {
        if (failureCode(error) !== 'RECORD_CORRUPT') throw new Error(`seed ${seed}, round ${round}`, { cause: error });
        refused++;
      }
      if (round % 50 === 0) expect(read(batchOf(codec))).toHaveLength(40);
    }
    expect(refused).toBeGreaterThan(100);
  });
});
