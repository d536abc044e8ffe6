/**
 * Redis' glob: `*`, `?`, `[a-z]`, `[^a]`, `\x`, over bytes. On a mismatch only the last `*` is tried further, so that
 * the worst pattern costs length times length, never more.
 */
export function globMatches(pattern: Uint8Array, bytes: Uint8Array): boolean {
  let p = 0;
  let b = 0;
  let starAt = -1;
  let resumeAt = 0;
  while (b < bytes.length) {
    if (p < pattern.length && pattern[p] === star) {
      starAt = p++;
      resumeAt = b;
      continue;
    }
    const next = p < pattern.length ? matchOne(pattern, p, bytes[b] as number) : -1;
    if (next >= 0) {
      p = next;
      b++;
    } else if (starAt >= 0) {
      p = starAt + 1;
      b = ++resumeAt;
    } else return false;
  }
  while (p < pattern.length && pattern[p] === star) p++;
  return p === pattern.length;
}

const star = 0x2a;
const question = 0x3f;
const open = 0x5b;
const close = 0x5d;
const caret = 0x5e;
const dash = 0x2d;
const backslash = 0x5c;

/** The place after the element at `p` when it matches `byte`, else -1. */
function matchOne(pattern: Uint8Array, p: number, byte: number): number {
  const c = pattern[p] as number;
  if (c === question) return p + 1;
  if (c === open) return matchClass(pattern, p, byte);
  if (c === backslash && p + 1 < pattern.length) return pattern[p + 1] === byte ? p + 2 : -1;
  return c === byte ? p + 1 : -1;
}

function matchClass(pattern: Uint8Array, start: number, byte: number): number {
  let p = start + 1;
  const negated = pattern[p] === caret;
  if (negated) p++;
  let found = false;
  for (; p < pattern.length && pattern[p] !== close; p++) {
    if (pattern[p] === backslash && p + 1 < pattern.length) p++;
    const low = pattern[p] as number;
    if (pattern[p + 1] === dash && p + 2 < pattern.length && pattern[p + 2] !== close) {
      const high = pattern[p + 2] as number;
      found ||= byte >= Math.min(low, high) && byte <= Math.max(low, high);
      p += 2;
    } else found ||= byte === low;
  }
  return found !== negated ? Math.min(p + 1, pattern.length) : -1;
}

/** The bytes every match begins with. */
export function literalPrefix(pattern: Uint8Array): Buffer {
  let end = 0;
  while (end < pattern.length && ![star, question, open, backslash].includes(pattern[end] as number)) end++;
  return Buffer.from(pattern.subarray(0, end));
}
