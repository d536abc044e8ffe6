import { murmur2 } from '@levee/kernel';

/** What a portal's name brings into the hash of every key. */
export function seedOf(name: string): number {
  return murmur2(Buffer.from(name, 'utf8'));
}

/**
 * Rendezvous hashing (Thaler and Ravishankar, 1998): of those that may be asked the one with the highest score for the
 * key, and when that one is gone, for every client the same next one. `keyHash`: see {@link seedOf}, of the key's bytes.
 */
export function bestFor<T extends { readonly seed: number }>(
  keyHash: number,
  all: readonly T[],
  may: (one: T) => boolean,
): T | undefined {
  let best: T | undefined;
  let bestScore = -1;
  for (const one of all) {
    if (!may(one)) continue;
    const score = mixed(keyHash ^ one.seed);
    if (score > bestScore) {
      best = one;
      bestScore = score;
    }
  }
  return best;
}

/** Whom to ask: who is up, else who is going to stop and has not yet. */
export function doorFor<T extends { readonly seed: number; readonly up: boolean; readonly leaving: boolean }>(
  keyHash: number,
  doors: readonly T[],
): T | undefined {
  return bestFor(keyHash, doors, ({ up }) => up) ?? bestFor(keyHash, doors, ({ leaving }) => leaving);
}

/** Every bit of the result depends on every bit given (the end of MurmurHash3); unsigned. */
function mixed(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
