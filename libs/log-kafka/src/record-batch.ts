/**
 * Kafka's record batch, format 2 (KIP-98), big endian:
 *
 *      0 baseOffset i64 | 8 batchLength i32 (bytes after this field) | 12 partitionLeaderEpoch i32 | 16 magic i8 = 2
 *     17 crc u32 (CRC-32C of everything from 21 on) | 21 attributes i16 | 23 lastOffsetDelta i32
 *     27 baseTimestamp i64 | 35 maxTimestamp i64 | 43 producerId i64 | 51 producerEpoch i16 | 53 baseSequence i32
 *     57 count i32 | 61 records
 *
 * The broker fills baseOffset and leader epoch, and under LogAppendTime maxTimestamp and its attribute bit.
 */
export const batchAt = {
  baseOffset: 0,
  batchLength: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  count: 57,
  records: 61,
} as const;

/** Bytes of a batch that `batchLength` does not count. */
export const batchLengthOverhead = 12;

export const attributeBits = {
  compression: 0x07,
  logAppendTime: 0x08,
  transactional: 0x10,
  control: 0x20,
} as const;

/** Names of the compression codes in the attributes. */
export const compressionNames: readonly string[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

/** Sequence numbers are int32 without sign: the one after 2^31 - 1 is 0. */
export function sequenceAfter(sequence: number, count: number): number {
  return (sequence + count) % 0x8000_0000;
}
