import fc from 'fast-check';
import { ReplyParser, RespError, RespMap, RespPush, type RespReply } from './reply-parser';
import { ReplyWriter } from './reply-writer';

function parse(bytes: Buffer, step = bytes.length || 1): { replies: RespReply[]; failure: string | undefined } {
  const replies: RespReply[] = [];
  const parser = new ReplyParser((reply) => replies.push(reply));
  for (let at = 0; at < bytes.length; at += step) parser.push(bytes.subarray(at, at + step));
  return { replies, failure: parser.failure };
}

describe('ReplyWriter and ReplyParser', () => {
  const shapes: readonly (readonly [name: string, build: (w: ReplyWriter) => void, resp2: string, resp3: string])[] = [
    ['simple', (w) => w.simple('OK'), '+OK\r\n', '+OK\r\n'],
    ['an error whose text has line ends', (w) => w.error('ERR a\r\nb'), '-ERR a b\r\n', '-ERR a b\r\n'],
    ['integer', (w) => w.integer(-7), ':-7\r\n', ':-7\r\n'],
    ['text in UTF-8', (w) => w.text('é'), '$2\r\né\r\n', '$2\r\né\r\n'],
    ['null', (w) => w.null(), '$-1\r\n', '_\r\n'],
    ['null array', (w) => w.nullArray(), '*-1\r\n', '_\r\n'],
    ['map', (w) => w.map(1).text('a').integer(1), '*2\r\n$1\r\na\r\n:1\r\n', '%1\r\n$1\r\na\r\n:1\r\n'],
    ['set', (w) => w.set(1).text('a'), '*1\r\n$1\r\na\r\n', '~1\r\n$1\r\na\r\n'],
    ['push', (w) => w.push(1).text('a'), '*1\r\n$1\r\na\r\n', '>1\r\n$1\r\na\r\n'],
    ['boolean', (w) => w.boolean(true), ':1\r\n', '#t\r\n'],
    ['double', (w) => w.double(1.5), '$3\r\n1.5\r\n', ',1.5\r\n'],
    ['infinity', (w) => w.double(-Infinity), '$4\r\n-inf\r\n', ',-inf\r\n'],
    ['verbatim', (w) => w.verbatim('txt', 'hi'), '$2\r\nhi\r\n', '=6\r\ntxt:hi\r\n'],
  ];

  it.each(shapes)('%s', (_name, build, resp2, resp3) => {
    for (const [protocol, expected] of [[2, resp2] as const, [3, resp3] as const]) {
      const writer = new ReplyWriter(protocol, 1);
      build(writer);
      const bytes = writer.finish();
      expect(bytes.toString('utf8')).toBe(expected);
      expect(parse(bytes).failure).toBeUndefined();
      expect(parse(bytes, 1)).toEqual(parse(bytes));
    }
  });

  it('reads every type of RESP3, nested, in any split', () => {
    const bytes = Buffer.from(
      '*6\r\n%1\r\n+k\r\n*2\r\n:1\r\n_\r\n~1\r\n#f\r\n,2.5\r\n(123456789012345678901\r\n!5\r\nERR x\r\n*0\r\n>1\r\n+hi\r\n:9007199254740993\r\n',
    );
    const expected: RespReply[] = [
      [new RespMap(['k', [1, null]]), [false], 2.5, 123456789012345678901n, new RespError('ERR x'), []],
      new RespPush(['hi']),
      9007199254740993n,
    ];
    for (const step of [1, 2, 3, 7, bytes.length]) expect(parse(bytes, step).replies).toEqual(expected);
  });

  it.each([
    ['?\r\n', 'no reply begins'],
    ['*9999999\r\n', 'members'],
    ['*1\r\n'.repeat(9), 'nested deeper'],
    ['$99999999999\r\n', 'bytes'],
    ['$1\r\nabc', 'no CRLF'],
    [':1x\r\n', 'no integer'],
    ['+a\rb', 'CR without LF'],
    ['+'.padEnd(70_000, 'a'), 'a line of more than'],
  ])('refuses %j', (sent, why) => {
    expect(parse(Buffer.from(sent)).failure).toContain(why);
  });

  it('never throws on hostile bytes, whatever the split', () => {
    const fragment = fc.oneof(
      fc.constantFrom('*', '$', '%', '>', '\r\n', '-1', '2', '999999999', '_\r\n', ':1\r\n', '*2\r\n', '$3\r\nabc\r\n'),
      fc.string({ unit: 'binary', maxLength: 6 }),
    );
    fc.assert(
      fc.property(fc.array(fragment, { maxLength: 30 }), fc.integer({ min: 1, max: 9 }), (fragments, step) => {
        const sent = Buffer.from(fragments.join(''), 'latin1');
        expect(parse(sent, step)).toEqual(parse(sent));
      }),
      { numRuns: 2000 },
    );
  });
});
