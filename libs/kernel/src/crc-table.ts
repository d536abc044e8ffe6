/** Table of a reflected CRC-32, by byte. */
export function crcTable(polynomial: number): Uint32Array {
  const entries = new Uint32Array(256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ polynomial : c >>> 1;
    entries[n] = c >>> 0;
  }
  return entries;
}
