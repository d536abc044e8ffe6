import { crcTable } from './crc-table';

/** CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), table driven. The native one lives in `@levee/codec`. */
const table = crcTable(0x82f63b78);

/** Unsigned 32-bit CRC of `bytes`; pass the CRC of what precedes them as `previous` to continue. */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  let c = ~previous >>> 0;
  for (let i = 0; i < bytes.length; i++) c = (table[(c ^ (bytes[i] as number)) & 0xff] as number) ^ (c >>> 8);
  return ~c >>> 0;
}
