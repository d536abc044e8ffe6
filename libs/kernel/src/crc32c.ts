/** CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), table driven. The native one lives in `@levee/codec`. */
const table = (() => {
  const entries = new Uint32Array(256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
    entries[n] = c >>> 0;
  }
  return entries;
})();

/** Unsigned 32-bit CRC of `bytes`; pass the CRC of what precedes them as `previous` to continue. */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  let c = ~previous >>> 0;
  for (let i = 0; i < bytes.length; i++) c = (table[(c ^ (bytes[i] as number)) & 0xff] as number) ^ (c >>> 8);
  return ~c >>> 0;
}
