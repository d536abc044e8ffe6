import { encode, encodePut, printable, viewRecord } from '@levee/codec';
import { samples } from './samples';

const put = (value: Buffer): Buffer => encodePut(Buffer.from('k'), value, null);

describe('a record as people see it', () => {
  it('text stays text', () => {
    expect(viewRecord({ key: Buffer.from('größe'), value: put(Buffer.from('zwölf\n')) })).toMatchObject({
      key: 'größe',
      record: 'Put',
      version: 1,
      value: { expiresAtMs: null, value: 'zwölf\n' },
    });
  });

  it('what is not printable is base64', () => {
    expect(viewRecord({ key: Buffer.from([0, 255]), value: put(Buffer.from([7])) })).toMatchObject({
      keyBase64: 'AP8=',
      value: { value: { base64: 'Bw==' } },
    });
  });

  it('a tombstone is null', () => {
    expect(viewRecord({ key: Buffer.from('k'), value: null })).toEqual({ key: 'k', value: null });
  });

  it('garbage is shown as it is, with the reason', () => {
    expect(viewRecord({ key: null, value: Buffer.from('hello, no record') })).toEqual({
      key: null,
      valueBase64: Buffer.from('hello, no record').toString('base64'),
      problem: { code: 'BAD_FRAME', message: 'begins with 68656c6c6f2c206e, not with c301 and a fingerprint' },
    });
  });

  it("a Put in Confluent's framing is a Put", () => {
    const value = Buffer.concat([Buffer.from('0000000009', 'hex'), put(Buffer.from('v')).subarray(10)]);
    expect(viewRecord({ key: Buffer.from('k'), value })).toMatchObject({ record: 'Put', value: { value: 'v' } });
  });

  it('the events inside a decision are records too', () => {
    const [decision] = samples.Decision;
    const [unit] = samples.UnitState;
    const value = encode('Decision', { ...decision!, events: [encode('UnitState', unit!), Buffer.from('x')] });
    expect(viewRecord({ key: null, value })).toMatchObject({
      record: 'Decision',
      value: { seq: 1, events: [{ record: 'UnitState', value: { unitId: 'n1/u03' } }, { valueBase64: 'eA==' }] },
    });
  });

  it.each([
    ['text', Buffer.from('a b\tc\n'), 'a b\tc\n'],
    ['a zero byte', Buffer.from([0x61, 0]), undefined],
    ['an escape character', Buffer.from([0x1b, 0x5b]), undefined],
    ['broken UTF-8', Buffer.from([0xc3]), undefined],
    ['nothing', Buffer.alloc(0), ''],
  ])('printable: %s', (_, bytes, text) => {
    expect(printable(bytes)).toBe(text);
  });
});
