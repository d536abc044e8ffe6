/**
 * Digests of sets: the sum modulo 2^128 of the members' hashes. Order does not matter, and a member is added or
 * removed in constant time, so a digest costs what changes, not what exists. It proves equality against accidents
 * (bit flips, lost or doubled records, bugs), not against somebody who crafts collisions.
 */
export class Digest {
  /** Four 32-bit words, least significant first. */
  private readonly words = new Uint32Array(4);

  static fromHex(hex: string): Digest {
    if (!/^[0-9a-f]{32}$/.test(hex)) throw new RangeError(`a digest is 32 hexadecimal digits, not ${hex}`);
    const digest = new Digest();
    for (let i = 0; i < 4; i++) digest.words[i] = parseInt(hex.slice((3 - i) * 8, (4 - i) * 8), 16);
    return digest;
  }

  add(hash: Hash128): this {
    let carry = 0;
    for (let i = 0; i < 4; i++) {
      const sum = (this.words[i] as number) + (hash[i] as number) + carry;
      this.words[i] = sum;
      carry = sum > 0xffffffff ? 1 : 0;
    }
    return this;
  }

  subtract(hash: Hash128): this {
    let borrow = 0;
    for (let i = 0; i < 4; i++) {
      const difference = (this.words[i] as number) - (hash[i] as number) - borrow;
      this.words[i] = difference;
      borrow = difference < 0 ? 1 : 0;
    }
    return this;
  }

  /** Adds another digest, for sets that do not overlap. */
  merge(other: Digest): this {
    return this.add(other.words);
  }

  copy(): Digest {
    return new Digest().merge(this);
  }

  equals(other: Digest): boolean {
    return this.words.every((word, i) => word === other.words[i]);
  }

  /** 32 lower-case hexadecimal digits, most significant first. */
  toHex(): string {
    const { words } = this;
    let hex = '';
    for (let i = 3; i >= 0; i--) hex += hexOf(words[i] as number);
    return hex;
  }
}

const byteInHex: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

const hexOf = (word: number): string =>
  `${byteInHex[word >>> 24]}${byteInHex[(word >>> 16) & 0xff]}${byteInHex[(word >>> 8) & 0xff]}${byteInHex[word & 0xff]}`;

/** Four 32-bit words. */
export type Hash128 = Uint32Array;

// Taken once: looking a global up in every round is slow where globals are looked up by a sandbox, as under jest.
const { imul } = Math;

const rotl = (x: number, r: number): number => (x << r) | (x >>> (32 - r));
const fmix = (x: number): number => {
  let h = x;
  h = imul(h ^ (h >>> 16), 0x85ebca6b);
  h = imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
};

/**
 * MurmurHash3_x86_128 (Austin Appleby, public domain) of the concatenation of `parts`, each preceded by its length
 * so that ("ab","c") and ("a","bc") differ. `out` is reused when given.
 */
export function hash128(parts: readonly Uint8Array[], out: Hash128 = new Uint32Array(4)): Hash128 {
  out.fill(0);
  for (const part of parts) murmur3(part, out);
  return out;
}

/** One MurmurHash3_x86_128 round over `data`, seeded with the four words in `state`, which it replaces. */
function murmur3(data: Uint8Array, state: Hash128): void {
  const c1 = 0x239b961b;
  const c2 = 0xab0e9789;
  const c3 = 0x38b34ae5;
  const c4 = 0xa1e38b93;
  let h1 = state[0] as number;
  let h2 = state[1] as number;
  let h3 = state[2] as number;
  let h4 = state[3] as number;
  const length = data.length;
  const word = (i: number): number =>
    (data[i] as number) |
    ((data[i + 1] as number) << 8) |
    ((data[i + 2] as number) << 16) |
    ((data[i + 3] as number) << 24);
  let i = 0;
  for (; i + 16 <= length; i += 16) {
    h1 ^= imul(rotl(imul(word(i), c1), 15), c2);
    h1 = (imul(rotl(h1, 19) + h2, 5) + 0x561ccd1b) | 0;
    h2 ^= imul(rotl(imul(word(i + 4), c2), 16), c3);
    h2 = (imul(rotl(h2, 17) + h3, 5) + 0x0bcaa747) | 0;
    h3 ^= imul(rotl(imul(word(i + 8), c3), 17), c4);
    h3 = (imul(rotl(h3, 15) + h4, 5) + 0x96cd1c35) | 0;
    h4 ^= imul(rotl(imul(word(i + 12), c4), 18), c1);
    h4 = (imul(rotl(h4, 13) + h1, 5) + 0x32ac3b17) | 0;
  }
  const tail = [0, 0, 0, 0];
  for (let at = i; at < length; at++) tail[(at - i) >> 2]! |= (data[at] as number) << (((at - i) & 3) * 8);
  const rest = length - i;
  if (rest > 12) h4 ^= imul(rotl(imul(tail[3]!, c4), 18), c1);
  if (rest > 8) h3 ^= imul(rotl(imul(tail[2]!, c3), 17), c4);
  if (rest > 4) h2 ^= imul(rotl(imul(tail[1]!, c2), 16), c3);
  if (rest > 0) h1 ^= imul(rotl(imul(tail[0]!, c1), 15), c2);
  h1 ^= length;
  h2 ^= length;
  h3 ^= length;
  h4 ^= length;
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = (h2 + h1) | 0;
  h3 = (h3 + h1) | 0;
  h4 = (h4 + h1) | 0;
  h1 = fmix(h1);
  h2 = fmix(h2);
  h3 = fmix(h3);
  h4 = fmix(h4);
  h1 = (h1 + h2 + h3 + h4) | 0;
  state[0] = h1;
  state[1] = (h2 + h1) | 0;
  state[2] = (h3 + h1) | 0;
  state[3] = (h4 + h1) | 0;
}
