import { networkOf } from './network';

describe('the network that an address counts as', () => {
  it.each<[string, 32 | 48 | 64, string]>([
    ['10.0.0.1', 64, '10.0.0.1'],
    ['::ffff:10.0.0.1', 64, '::ffff:10.0.0.1'],
    ['2001:db8:1:2:3:4:5:6', 64, '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', 64, '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', 48, '2001:db8:1::/48'],
    ['2001:db8:1:2::9', 32, '2001:db8::/32'],
    ['::1', 64, '0:0:0:0::/64'],
    ['fe80::1%eth0', 64, 'fe80:0:0:0::/64'],
    ['fe80::', 32, 'fe80:0::/32'],
    ['1::2:3:4:5:6:7', 64, '1:0:2:3::/64'],
    ['?', 64, '?'],
  ])('%s of %i bits: %s', (address, bits, expected) => expect(networkOf(address, bits)).toBe(expected));
});
