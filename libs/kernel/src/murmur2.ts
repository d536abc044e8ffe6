/**
 * MurmurHash2, 32 bit, seed 0x9747b28c, as Kafka's `org.apache.kafka.common.utils.Utils.murmur2`:
 * the hash of Kafka's default partitioner. Returns an unsigned 32-bit integer.
 */
export function murmur2(key: Uint8Array): number {
  const m = 0x5bd1e995;
  const length = key.length;
  let h = 0x9747b28c ^ length;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    let k =
      (key[i] as number) |
      ((key[i + 1] as number) << 8) |
      ((key[i + 2] as number) << 16) |
      ((key[i + 3] as number) << 24);
    k = Math.imul(k, m);
    k ^= k >>> 24;
    k = Math.imul(k, m);
    h = Math.imul(h, m) ^ k;
  }
  const rest = length - i;
  if (rest >= 3) h ^= (key[i + 2] as number) << 16;
  if (rest >= 2) h ^= (key[i + 1] as number) << 8;
  if (rest >= 1) h = Math.imul(h ^ (key[i] as number), m);
  h ^= h >>> 13;
  h = Math.imul(h, m);
  h ^= h >>> 15;
  return h >>> 0;
}
