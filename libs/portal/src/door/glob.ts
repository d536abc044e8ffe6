/** Longest pattern. Keys have at most 1 KiB; the rest is room for classes and escapes. */
export const globBytesMax = 4_096;

const star = 0x2a;
const question = 0x3f;
const open = 0x5b;
const close = 0x5d;
const caret = 0x5e;
const dash = 0x2d;
const backslash = 0x5c;

/** Which bytes one element of a pattern matches: one of them, or those of a set of 256 flags. */
type Element = number | Uint8Array;

/**
 * Redis' glob, made ready once: `*`, `?`, `[a-z]`, `[^a]`, `\x`, over bytes. What stands between two stars is looked for
 * where it comes first, since nothing is won by a later place; each search goes over the bytes once and keeps in a word
 * of bits how far each begun match is (Baeza-Yates and Gonnet, "A new approach to text searching", 1992). So a match
 * costs the length of the bytes times one step per 32 elements of the longest piece, whatever the pattern.
 */
export class Glob {
  /** Bytes that every match has at least. */
  private readonly bytesMin: number;
  private readonly isExact: boolean;
  private readonly head: readonly Element[];
  private readonly pieces: readonly Piece[];
  private readonly tail: readonly Element[];

  /** `subjectBytesMax`: nothing longer is ever matched, so that what asks for more is not made ready. */
  constructor(pattern: Uint8Array, subjectBytesMax = globBytesMax) {
    const parts = partsOf(pattern);
    this.bytesMin = parts.reduce((sum, part) => sum + part.length, 0);
    this.isExact = parts.length === 1;
    this.head = parts[0] ?? [];
    this.tail = this.isExact ? [] : (parts.at(-1) ?? []);
    const inner = parts.slice(1, -1).filter((part) => part.length > 0);
    this.pieces = this.bytesMin > subjectBytesMax ? [] : inner.map((part) => new Piece(part));
  }

  matches(bytes: Uint8Array): boolean {
    if (bytes.length < this.bytesMin || (this.isExact && bytes.length !== this.bytesMin)) return false;
    if (!standsAt(this.head, bytes, 0)) return false;
    const end = bytes.length - this.tail.length;
    let at = this.head.length;
    for (const piece of this.pieces) {
      at = piece.endIn(bytes, at, end);
      if (at < 0) return false;
    }
    return standsAt(this.tail, bytes, end);
  }
}

export function globMatches(pattern: Uint8Array, bytes: Uint8Array): boolean {
  return new Glob(pattern, bytes.length).matches(bytes);
}

function standsAt(elements: readonly Element[], bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < elements.length; i++)
    if (!matchesByte(elements[i] as Element, bytes[at + i] as number)) return false;
  return true;
}

const matchesByte = (element: Element, byte: number): boolean =>
  typeof element === 'number' ? element === byte : element[byte] === 1;

/** The elements between two stars. */
class Piece {
  /** Words of bits for one byte: bit i is set when element i matches it. */
  private readonly words: number;
  private readonly bits: Int32Array;
  private readonly begun: Int32Array;

  constructor(private readonly elements: readonly Element[]) {
    this.words = (elements.length + 31) >>> 5;
    this.begun = new Int32Array(this.words);
    this.bits = new Int32Array(typeof elements[0] === 'number' && elements.length === 1 ? 0 : 256 * this.words);
    if (this.bits.length === 0) return;
    elements.forEach((element, i) => {
      const [word, bit] = [i >>> 5, 1 << (i & 31)];
      if (typeof element === 'number') this.set(element, word, bit);
      else for (let byte = 0; byte < 256; byte++) if (element[byte] === 1) this.set(byte, word, bit);
    });
  }

  /** The place after its first match in `bytes[from, to)`, else -1. */
  endIn(bytes: Uint8Array, from: number, to: number): number {
    const { elements, words, bits, begun } = this;
    if (bits.length === 0) {
      const at = bytes.indexOf(elements[0] as number, from);
      return at >= 0 && at < to ? at + 1 : -1;
    }
    begun.fill(0);
    const lastWord = words - 1;
    const lastBit = 1 << ((elements.length - 1) & 31);
    for (let at = from; at < to; at++) {
      const row = (bytes[at] as number) * words;
      let carry = 1;
      for (let word = 0; word < words; word++) {
        const before = begun[word] as number;
        begun[word] = ((before << 1) | carry) & (bits[row + word] as number);
        carry = before >>> 31;
      }
      if (((begun[lastWord] as number) & lastBit) !== 0) return at + 1;
    }
    return -1;
  }

  private set(byte: number, word: number, bit: number): void {
    const at = byte * this.words + word;
    this.bits[at] = (this.bits[at] as number) | bit;
  }
}

/** What stands before, between and after the stars. */
function partsOf(pattern: Uint8Array): Element[][] {
  let part: Element[] = [];
  const parts = [part];
  for (let p = 0; p < pattern.length;) {
    const c = pattern[p] as number;
    if (c === star) {
      parts.push((part = []));
      p++;
    } else if (c === open) {
      const { set, next } = classAt(pattern, p);
      part.push(set);
      p = next;
    } else if (c === backslash && p + 1 < pattern.length) {
      part.push(pattern[p + 1] as number);
      p += 2;
    } else {
      part.push(c === question ? anyByte : c);
      p++;
    }
  }
  return parts;
}

const anyByte = new Uint8Array(256).fill(1);

/** A class that nothing closes goes on to the end. */
function classAt(pattern: Uint8Array, start: number): { readonly set: Uint8Array; readonly next: number } {
  let p = start + 1;
  const negated = pattern[p] === caret;
  if (negated) p++;
  const set = new Uint8Array(256);
  for (; p < pattern.length && pattern[p] !== close; p++) {
    if (pattern[p] === backslash && p + 1 < pattern.length) p++;
    const low = pattern[p] as number;
    if (pattern[p + 1] === dash && p + 2 < pattern.length && pattern[p + 2] !== close) {
      const high = pattern[p + 2] as number;
      set.fill(1, Math.min(low, high), Math.max(low, high) + 1);
      p += 2;
    } else set[low] = 1;
  }
  if (negated) for (let byte = 0; byte < 256; byte++) set[byte] = set[byte] === 1 ? 0 : 1;
  return { set, next: Math.min(p + 1, pattern.length) };
}

/** The bytes every match begins with. */
export function literalPrefix(pattern: Uint8Array): Buffer {
  let end = 0;
  while (end < pattern.length && ![star, question, open, backslash].includes(pattern[end] as number)) end++;
  return Buffer.from(pattern.subarray(0, end));
}
