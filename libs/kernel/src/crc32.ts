import { crcTable } from './crc-table';

/** CRC-32 as zlib and librdkafka's partitioners have it (reflected polynomial 0xedb88320), table driven. */
const table = crcTable(0xedb88320);

/** Unsigned 32-bit CRC of `bytes`. */
export function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) c = (table[(c ^ (bytes[i] as number)) & 0xff] as number) ^ (c >>> 8);
  return ~c >>> 0;
}
