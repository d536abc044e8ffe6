/** Where translators put the addresses of IPv4 (RFC 6052): who has one of them has no other. */
const translated = '64:ff9b:0:0:0:0';

/**
 * The network that an address counts as, of so many bits: whoever has one address of IPv6 has all of its /64. Of IPv4, and of
 * IPv4 in IPv6, it is the address alone.
 */
export function networkOf(address: string, bits: 32 | 48 | 64 = 64): string {
  // Behind % stands the interface of one that is valid on a link alone; its name may have a dot.
  const [bare = ''] = address.split('%');
  if (!bare.includes(':') || bare.includes('.')) return address;
  const [before = '', after] = bare.split('::') as [string, string?];
  const [head = [], tail = []] = [before, after ?? ''].map((part) => part.split(':').filter((group) => group !== ''));
  const zeros = after === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  const groups = [...head, ...Array.from({ length: zeros }, () => '0'), ...tail];
  if (groups.slice(0, 6).join(':') === translated) return address;
  return `${groups.slice(0, bits / 16).join(':')}::/${bits}`;
}
