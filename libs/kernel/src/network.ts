/**
 * The network that an address counts as, of so many bits: whoever has one address of IPv6 has all of its /64. Of IPv4, and of
 * IPv4 in IPv6, it is the address alone.
 */
export function networkOf(address: string, bits: 32 | 48 | 64 = 64): string {
  if (!address.includes(':') || address.includes('.')) return address;
  const [before = '', after] = address.split('::') as [string, string?];
  const [head = [], tail = []] = [before, after ?? ''].map((part) => part.split(':').filter((group) => group !== ''));
  const zeros = after === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  const groups = [...head, ...Array.from({ length: zeros }, () => '0'), ...tail];
  return `${groups.slice(0, bits / 16).join(':')}::/${bits}`;
}
