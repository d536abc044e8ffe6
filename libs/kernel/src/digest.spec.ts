import fc from 'fast-check';
import { Digest, hash128 } from './digest';

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const member = fc.uint8Array({ maxLength: 40 }).map((bytes) => hash128([bytes]));
const digestOf = (hashes: readonly Uint32Array[]): Digest => hashes.reduce((sum, hash) => sum.add(hash), new Digest());

describe('a digest of a set', () => {
  it('of nothing is 32 zeros', () => {
    expect(new Digest().toHex()).toBe('0'.repeat(32));
  });

  it('does not depend on order', () => {
    fc.assert(
      fc.property(fc.array(member, { maxLength: 20 }), (hashes) => {
        expect(digestOf(hashes).toHex()).toBe(digestOf([...hashes].reverse()).toHex());
      }),
    );
  });

  it('forgets a member that is taken out', () => {
    fc.assert(
      fc.property(fc.array(member, { maxLength: 20 }), member, (hashes, extra) => {
        expect(
          digestOf([...hashes, extra])
            .subtract(extra)
            .equals(digestOf(hashes)),
        ).toBe(true);
      }),
    );
  });

  it('of two sets merged is the digest of their union', () => {
    fc.assert(
      fc.property(fc.array(member), fc.array(member), (left, right) => {
        expect(digestOf(left).merge(digestOf(right)).toHex()).toBe(digestOf([...left, ...right]).toHex());
      }),
    );
  });

  it('carries and borrows over all 128 bits', () => {
    const one = Uint32Array.of(1, 0, 0, 0);
    const top = Digest.fromHex('f'.repeat(32));
    expect(top.copy().add(one).toHex()).toBe('0'.repeat(32));
    expect(new Digest().subtract(one).toHex()).toBe('f'.repeat(32));
    expect(top.toHex()).toBe('f'.repeat(32));
  });

  it('survives its hexadecimal form', () => {
    fc.assert(
      fc.property(fc.array(member), (hashes) => {
        const digest = digestOf(hashes);
        expect(Digest.fromHex(digest.toHex()).equals(digest)).toBe(true);
      }),
    );
  });

  it.each(['', 'g'.repeat(32), '0'.repeat(31), 'A'.repeat(32)])('is not read from %p', (text) => {
    expect(() => Digest.fromHex(text)).toThrow(RangeError);
  });
});

describe('hash128', () => {
  // MurmurHash3_x86_128 with seed 0, as published with other implementations.
  it.each([
    ['', '00000000000000000000000000000000'],
    ['The quick brown fox jumps over the lazy dog', '2f1583c3ecee2c675d7bf66ce5e91d2c'],
    ["I will not buy this tobacconist's, it is scratched.", '9b5b7ba2ef3f7866889adeaf00f3f98e'],
  ])('of %p is the reference value', (text, hex) => {
    const words = [...hash128([ascii(text)])];
    expect(words.map((word) => word.toString(16).padStart(8, '0')).join('')).toBe(hex);
  });

  it('tells where one part ends and the next begins', () => {
    const hex = (parts: string[]): string => new Digest().add(hash128(parts.map(ascii))).toHex();
    expect(new Set([hex(['ab', 'c']), hex(['a', 'bc']), hex(['abc']), hex(['abc', ''])]).size).toBe(4);
  });

  it('changes in about half of its bits when one bit of the input changes', () => {
    const input = ascii('levee levee levee levee levee');
    const before = hash128([input]).slice();
    let changed = 0;
    for (let bit = 0; bit < input.length * 8; bit++) {
      const flipped = input.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      const after = hash128([flipped]);
      for (let i = 0; i < 4; i++) {
        for (let x = ((before[i] as number) ^ (after[i] as number)) >>> 0; x !== 0; x = (x & (x - 1)) >>> 0) changed++;
      }
    }
    expect(changed / (input.length * 8 * 128)).toBeGreaterThan(0.45);
    expect(changed / (input.length * 8 * 128)).toBeLessThan(0.55);
  });
});
