import { crc32, fnv1a, murmur2 } from '@levee/kernel';

/**
 * How keys become hashes; fixed for a namespace when it is created. Each is the rule of a client's partitioner:
 * `murmur2` of Java, franz-go, kafkajs and librdkafka's `murmur2_random`; `crc32` of librdkafka's own default
 * (`consistent_random`); `fnv1a` of sarama's default. `murmur2-hashtag` is ours.
 */
export const hashAlgorithms = ['murmur2', 'murmur2-hashtag', 'crc32', 'fnv1a'] as const;
export type HashAlgorithm = (typeof hashAlgorithms)[number];

const open = 0x7b;
const close = 0x7d;

/**
 * Hash of a key, an integer from 0 to 2^32 - 1; its rest by the partition count is the key's partition. Allocates
 * nothing. murmur2 keeps 31 bits. With `murmur2-hashtag` only the bytes between the first `{` and the first `}` after
 * it count, unless there are none (Redis Cluster's rule). `crc32` is unsigned and not masked. `fnv1a` is the absolute
 * value of the signed number, so 2^31 is possible.
 */
export function hashOf(key: Uint8Array, algorithm: HashAlgorithm): number {
  switch (algorithm) {
    case 'murmur2':
      return murmur2(key) & 0x7fffffff;
    case 'murmur2-hashtag':
      return hashtagHash(key);
    case 'crc32':
      return crc32(key);
    case 'fnv1a':
      return Math.abs(fnv1a(key) | 0);
  }
}

/** False of a key that its producers put into any partition: librdkafka's default does so with an empty one. */
export function hasPlace(key: Uint8Array, algorithm: HashAlgorithm): boolean {
  return key.length > 0 || algorithm !== 'crc32';
}

function hashtagHash(key: Uint8Array): number {
  const from = key.indexOf(open) + 1;
  if (from > 0) {
    const to = key.indexOf(close, from);
    if (to > from) return murmur2(key, from, to) & 0x7fffffff;
  }
  return murmur2(key) & 0x7fffffff;
}
