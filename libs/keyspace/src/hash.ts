import { murmur2 } from '@levee/kernel';

/** How keys become hashes; fixed for a namespace when it is created. */
export type HashAlgorithm = 'murmur2' | 'murmur2-hashtag';

const open = 0x7b;
const close = 0x7d;

/**
 * 31-bit hash of a key, as Kafka's default partitioner takes it; allocates nothing. With `murmur2-hashtag` only the
 * bytes between the first `{` and the first `}` after it count, unless there are none (Redis Cluster's rule).
 */
export function hashOf(key: Uint8Array, algorithm: HashAlgorithm): number {
  if (algorithm === 'murmur2-hashtag') {
    const from = key.indexOf(open) + 1;
    if (from > 0) {
      const to = key.indexOf(close, from);
      if (to > from) return murmur2(key, from, to) & 0x7fffffff;
    }
  }
  return murmur2(key) & 0x7fffffff;
}
