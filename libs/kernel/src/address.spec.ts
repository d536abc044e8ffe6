import { addressText, parseAddress, splitAddress } from './address';

describe('addresses', () => {
  it.each([
    ['127.0.0.1:9092', { host: '127.0.0.1', port: 9092 }],
    ['broker-1.example.com:9092', { host: 'broker-1.example.com', port: 9092 }],
    ['[::1]:9092', { host: '::1', port: 9092 }],
    ['[fe80::1%eth0]:1', { host: 'fe80::1%eth0', port: 1 }],
    ['[::ffff:127.0.0.1]:65535', { host: '::ffff:127.0.0.1', port: 65_535 }],
  ])('%s', (text, address) => {
    expect(parseAddress(text)).toEqual(address);
    expect(splitAddress(text)).toEqual(address);
    expect(addressText(address)).toBe(text);
  });

  it.each([
    '::1',
    '::1:9092',
    '[::1]',
    '[::1]9092',
    '[127.0.0.1]:1',
    'host',
    'host:',
    ':9092',
    'host:65536',
    'a b:1',
    '',
  ])("'%s' is none", (text) => expect(parseAddress(text)).toBeUndefined());

  it('of a process that wrote no brackets', () => {
    expect(splitAddress('::1:7400')).toEqual({ host: '::1', port: 7400 });
  });
});
