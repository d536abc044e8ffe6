/**
 * MurmurHash2, 32 bit, seed 0x9747b28c, as Kafka's `org.apache.kafka.common.utils.Utils.murmur2`:
 * the hash of Kafka's default partitioner. Returns an unsigned 32-bit integer. `start` and `end` bound the bytes that
 * count, so that the hash of a part of a key needs no copy.
 */
export function murmur2(key: Uint8Array, start = 0, end = key.length): number {
  const m = 0x5bd1e995;
  let h = 0x9747b28c ^ (end - start);
  let i = start;
  for (; i + 4 <= end; i += 4) {
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
  const rest = end - i;
  if (rest >= 3) h ^= (key[i + 2] as number) << 16;
  if (rest >= 2) h ^= (key[i + 1] as number) << 8;
  if (rest >= 1) h = Math.imul(h ^ (key[i] as number), m);
  h ^= h >>> 13;
  h = Math.imul(h, m);
  h ^= h >>> 15;
  return h >>> 0;
}
