/** Eight tables of 256: table k advances a byte by k further zero bytes ("slicing by 8", Kounavis and Berry, 2005). */
const tables = (() => {
  const entries = new Int32Array(8 * 256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
    entries[n] = c;
  }
  for (let at = 256; at < entries.length; at++) {
    const before = entries[at - 256] as number;
    entries[at] = (before >>> 8) ^ (entries[before & 0xff] as number);
  }
  return entries;
})();

/** CRC-32C without native code: of packages that need none. Pass the CRC of what precedes them as `previous` to continue. */
export function crc32cSliced(bytes: Uint8Array, previous = 0): number {
  const t = tables;
  const b = bytes;
  const length = bytes.length;
  let c = ~previous;
  let i = 0;
  for (; i + 8 <= length; i += 8) {
    c ^= b[i]! | (b[i + 1]! << 8) | (b[i + 2]! << 16) | (b[i + 3]! << 24);
    c =
      t[1792 + (c & 0xff)]! ^
      t[1536 + ((c >>> 8) & 0xff)]! ^
      t[1280 + ((c >>> 16) & 0xff)]! ^
      t[1024 + (c >>> 24)]! ^
      t[768 + b[i + 4]!]! ^
      t[512 + b[i + 5]!]! ^
      t[256 + b[i + 6]!]! ^
      t[b[i + 7]!]!;
  }
  for (; i < length; i++) c = t[(c ^ b[i]!) & 0xff]! ^ (c >>> 8);
  return ~c >>> 0;
}
