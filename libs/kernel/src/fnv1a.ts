/** FNV-1a, 32 bit (offset basis 0x811c9dc5, prime 0x01000193), as Go's `hash/fnv`; an unsigned integer. */
export function fnv1a(bytes: Uint8Array): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) h = Math.imul(h ^ (bytes[i] as number), 0x01000193);
  return h >>> 0;
}
