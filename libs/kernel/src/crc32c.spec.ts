import { crc32c } from './crc32c';

const bytes = (length: number, at: (i: number) => number): Uint8Array => Uint8Array.from({ length }, (_, i) => at(i));

describe('CRC-32C', () => {
  // RFC 3720 (iSCSI), appendix B.4, and the check value of the algorithm.
  it.each([
    ['the digits 1 to 9', new TextEncoder().encode('123456789'), 0xe3069283],
    ['32 bytes of zero', bytes(32, () => 0), 0x8a9136aa],
    ['32 bytes of ff', bytes(32, () => 0xff), 0x62a8ab43],
    ['32 bytes rising from 0', bytes(32, (i) => i), 0x46dd794e],
    ['32 bytes falling to 0', bytes(32, (i) => 31 - i), 0x113fdb5c],
    ['nothing', bytes(0, () => 0), 0],
  ])('of %s', (_what, input, crc) => {
    expect(crc32c(input)).toBe(crc);
  });

  it('continues from the CRC of what came before', () => {
    const whole = bytes(100, (i) => (i * 37) & 0xff);
    for (const cut of [0, 1, 50, 99, 100])
      expect(crc32c(whole.subarray(cut), crc32c(whole.subarray(0, cut)))).toBe(crc32c(whole));
  });
});
