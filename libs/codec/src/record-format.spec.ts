import { encodePut } from './put';
import { HeadedValue, readExpiryHeader, recordFormats, type RecordHeader } from './record-format';

const key = Buffer.from('k');
const bytes = (text: string): Buffer => Buffer.from(text);
const header = (value: string, name = 'levee-expires-at-ms'): RecordHeader => ({ key: name, value: bytes(value) });

describe('how records say a value', () => {
  it('put: an Avro record, with its expiry inside', () => {
    const record = recordFormats.put.encode(key, bytes('v'), 7_000);
    expect(record).toEqual(encodePut(key, bytes('v'), 7_000));
    expect(recordFormats.put.expiryOf(key, { value: record as Buffer, headers: [header('9000')] })).toBe(7_000);
    expect(recordFormats.put.again(record as Buffer, 7_000)).toBe(record);
    expect(recordFormats.put.expiryOf(key, { value: bytes('no Put'), headers: [] })).toBe(0);
  });

  it('raw: the value as it is, with its expiry in a header', () => {
    const value = bytes('v');
    const bare = recordFormats.raw.encode(key, value, null) as Buffer;
    value.fill(0);
    expect(bare.toString()).toBe('v');
    const headed = recordFormats.raw.encode(key, bytes('v'), 7_000);
    expect(headed).toEqual(new HeadedValue(bytes('v'), [header('7000')]));
    expect(recordFormats.raw.again(bytes('v'), 7_000)).toEqual(headed);
    expect(recordFormats.raw.again(bytes('v'), 0)).toEqual(bytes('v'));
    expect(headed.length).toBe(1 + 'levee-expires-at-ms'.length + 4);
    expect(recordFormats.raw.expiryOf(key, headed as HeadedValue)).toBe(7_000);
    expect(recordFormats.raw.expiryOf(key, { value: bytes('v'), headers: [] })).toBe(0);
  });

  it.each<[string, RecordHeader[], number | undefined]>([
    ['no header', [], undefined],
    ['another header', [header('5', 'traceparent')], undefined],
    ['a time', [header('1700000000000')], 1_700_000_000_000],
    ['the last of several', [header('5'), header('6'), header('x', 'other')], 6],
    ['1970, as expired as 1 ms later', [header('0')], 1],
    ['the highest', [header('9007199254740991')], 9_007_199_254_740_991],
    ['too high', [header('9007199254740992')], -1],
    ['too long', [header('00000000000000001')], -1],
    ['nothing', [header('')], -1],
    ['a sign', [header('-5')], -1],
    ['a fraction', [header('5.0')], -1],
    ['a word', [header('never')], -1],
  ])('an expiry of %s', (_what, headers, expected) => {
    expect(readExpiryHeader(headers)).toBe(expected);
  });
});
