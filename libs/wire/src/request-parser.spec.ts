import fc from 'fast-check';
import { RequestParser, requestLimits } from './request-parser';

/** What a client sends, and what the parser makes of it: each command's arguments, then the failure if any. */
const transcript: readonly (readonly [sent: string, commands: string[][], failure: string | undefined])[] = (
  [
    ['*1\r\n$4\r\nPING\r\n', [['PING']]],
    ['*2\r\n$3\r\nGET\r\n$0\r\n\r\n', [['GET', '']]],
    ['*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n', [['GET', 'a\r\nb']]],
    ['*0\r\n*-1\r\n\r\n*1\r\n$4\r\nPING\r\n', [['PING']]],
    ['PING\r\n', [['PING']]],
    ["  set a \"b c\\n\\x41\"\t'd\\'e'\n", [['set', 'a', 'b c\nA', "d'e"]]],
    ['get "a', []],
    ['get "a\r\n', [], 'unbalanced quotes in request'],
    ['get "a"b\r\n', [], 'unbalanced quotes in request'],
    ['*x\r\n', [], 'invalid multibulk length'],
    ['*99999999999\r\n', [], 'invalid multibulk length'],
    ['*65537\r\n', [], 'invalid multibulk length'],
    ['*12345678901', []],
    [`*${'1'.repeat(65_537)}`, [], 'too big mbulk count string'],
    [`*${'1'.repeat(65_537)}\r\n`, [], 'too big mbulk count string'],
    [`*1\r\n$${'1'.repeat(65_537)}`, [], 'too big bulk count string'],
    [`*1\r\n$${'1'.repeat(60_000)}\r\n`, [], 'invalid bulk length'],
    ['*1\r\n:1\r\n', [], "expected '$', got ':'"],
    ['*1\r\n\u0001', [], "expected '$', got '\\x01'"],
    ['*1\r\n$-1\r\n', [], 'invalid bulk length'],
    ['*1\r\n$x\r\n', [], 'invalid bulk length'],
    ['*1\r\n$16777217\r\n', [], 'invalid bulk length'],
    ['*1\r\n$4\r\nPINGxx', [], 'expected CRLF after a bulk string'],
    ['PING\r\n*1\r\n$a\r\n', [['PING']], 'invalid bulk length'],
    ['a'.repeat(65_537), [], 'too big inline request'],
  ] as (readonly [string, string[][], string?])[]
).map(([sent, commands, failure]) => [sent, commands, failure]);

function parse(sent: Buffer, cuts: readonly number[]): { commands: string[][]; failure: string | undefined } {
  const commands: string[][] = [];
  const parser = new RequestParser((args) => commands.push(args.map((arg) => arg.toString('latin1'))) > 0);
  let from = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    parser.push(sent.subarray(from, cut));
    from = cut;
  }
  parser.push(sent.subarray(from));
  return { commands, failure: parser.failure };
}

describe('RequestParser', () => {
  it.each(transcript)('%j', (sent, commands, failure) => {
    const result = parse(Buffer.from(sent, 'latin1'), []);
    expect(result).toEqual({ commands, failure: failure && `ERR Protocol error: ${failure}` });
  });

  it('gives the same commands however the bytes are split', () => {
    const command = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.array(command, { maxLength: 6 }), fc.array(fc.nat(400), { maxLength: 12 }), (commands, cuts) => {
        const sent = Buffer.concat(
          commands.flatMap((args) => [
            Buffer.from(`*${args.length}\r\n`),
            ...args.flatMap((arg) => [Buffer.from(`$${arg.length}\r\n`), Buffer.from(arg), Buffer.from('\r\n')]),
          ]),
        );
        const whole = parse(sent, []);
        expect(whole.commands).toEqual(commands.map((args) => args.map((arg) => Buffer.from(arg).toString('latin1'))));
        expect(
          parse(
            sent,
            cuts.filter((cut) => cut < sent.length),
          ),
        ).toEqual(whole);
      }),
    );
  });

  it('never throws on hostile bytes, and says the same however they are split', () => {
    const fragment = fc.oneof(
      fc.constantFrom(
        '*',
        '$',
        '\r\n',
        '-1',
        '3',
        '999999999',
        '"',
        "'",
        '\\x',
        '\n',
        '\r',
        'GET',
        '*2\r\n$3\r\nGET\r\n',
      ),
      fc.string({ unit: 'binary', maxLength: 8 }),
    );
    fc.assert(
      fc.property(
        fc.array(fragment, { maxLength: 30 }),
        fc.array(fc.nat(300), { maxLength: 20 }),
        (fragments, cuts) => {
          const sent = Buffer.from(fragments.join(''), 'latin1');
          expect(
            parse(
              sent,
              cuts.filter((cut) => cut < sent.length),
            ),
          ).toEqual(parse(sent, []));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('takes a slow drip of a large command in linear time', () => {
    const value = Buffer.alloc(1024 * 1024, 'v');
    const sent = Buffer.concat([
      Buffer.from(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${value.length}\r\n`),
      value,
      Buffer.from('\r\n'),
    ]);
    let got: Buffer[] = [];
    const parser = new RequestParser((args) => ((got = args), true));
    const started = process.cpuUsage();
    for (let at = 0; at < sent.length; at += 16) parser.push(sent.subarray(at, at + 16));
    expect(got[2]?.equals(value)).toBe(true);
    expect(process.cpuUsage(started).user / 1_000).toBeLessThan(2_000);
  });

  it('stops when told to, and resumes where it was', () => {
    const seen: string[] = [];
    const parser = new RequestParser((args) => (seen.push(String(args[0])), false));
    parser.push(Buffer.from('one\r\ntwo\r\nthree\r\n'));
    expect(seen).toEqual(['one']);
    parser.resume();
    parser.push(Buffer.from('four\r\n'));
    expect(seen).toEqual(['one', 'two']);
    for (let i = 0; i < 3; i++) parser.resume();
    expect(seen).toEqual(['one', 'two', 'three', 'four']);
  });

  it('bounds the bytes of one command', () => {
    const parser = new RequestParser(() => true, { ...requestLimits, requestBytesMax: 10 });
    parser.push(Buffer.from('*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\n'));
    expect(parser.failure).toContain('too big request');
  });

  it.each<readonly [what: string, sent: string, failure: string]>([
    ['arguments', '*11\r\n', 'unauthenticated multibulk length: at most 10 arguments'],
    ['one argument', '*2\r\n$3\r\nGET\r\n$16385\r\n', 'unauthenticated bulk length: at most 16384 bytes'],
    ['a command', `*10\r\n${`$16000\r\n${'x'.repeat(16_000)}\r\n`.repeat(4)}$2000\r\n`, 'request: at most 65536 bytes'],
    ['a line', `GET ${'x'.repeat(17_000)}`, 'unauthenticated inline request: at most 16384 bytes'],
  ])('takes less of a stranger: %s', (_, sent, failure) => {
    let isStranger = true;
    const [before, after] = [1, 2].map(
      () =>
        new RequestParser(
          () => true,
          requestLimits,
          () => isStranger,
        ),
    );
    before?.push(Buffer.from(sent));
    expect(before?.failure).toContain(failure);
    isStranger = false;
    after?.push(Buffer.from(sent));
    expect(after?.failure).toBeUndefined();
  });

  it('takes of a stranger what says who he is, and what he sends behind that in one piece', () => {
    let isStranger = true;
    const seen: number[] = [];
    const parser = new RequestParser(
      (args) => {
        isStranger &&= String(args[0]) !== 'AUTH';
        return seen.push(args.length) > 0;
      },
      requestLimits,
      () => isStranger,
    );
    const value = 'v'.repeat(100_000);
    const hello = ['HELLO', '3', 'AUTH', 'user', 'x'.repeat(8_192), 'SETNAME', 'shop'];
    for (const args of [hello, ['AUTH', 'x'.repeat(8_192)], ['SET', 'k', value], ['DEL', ...'abcdefghijklmnop']])
      parser.push(Buffer.from(`*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`));
    expect([parser.failure, seen]).toEqual([undefined, [7, 2, 3, 17]]);
  });
});
