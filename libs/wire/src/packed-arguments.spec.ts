import fc from 'fast-check';
import { PackedArguments } from './packed-arguments';
import { RequestParser, requestLimits, viewsMax } from './request-parser';

const encoded = (args: readonly string[]): Buffer =>
  Buffer.from(`*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`, 'latin1');
const named = (count: number): string[] => Array.from({ length: count }, (_, i) => (i % 7 === 0 ? '' : `k${i}`));

/** Each command, as texts, and whether it came as places. */
function parsed(pieces: readonly Buffer[]): { readonly args: string[]; readonly isPacked: boolean }[] {
  const commands: { readonly args: string[]; readonly isPacked: boolean }[] = [];
  const add = (args: readonly Buffer[], isPacked: boolean): boolean =>
    commands.push({ args: args.map((arg) => arg.toString('latin1')), isPacked }) > 0;
  const parser = new RequestParser(
    (args) => add(args, false),
    requestLimits,
    () => false,
    (args) => add(args.views(), true),
  );
  for (const piece of pieces) parser.push(piece);
  expect(parser.failure).toBeUndefined();
  return commands;
}

describe('arguments of which there are very many', () => {
  it.each([
    ['as many as there are views of', viewsMax, false],
    ['one more', viewsMax + 1, true],
    ['as many as a command may have', 65_536, true],
  ] as const)('come as places: %s', (_, count, isPacked) => {
    const args = named(count);
    expect(parsed([encoded(args), encoded(['PING'])])).toEqual([
      { args, isPacked },
      { args: ['PING'], isPacked: false },
    ]);
  });

  it('are the same however the bytes are split, small and large ones', () => {
    const args = [...named(viewsMax), 'x'.repeat(200_000), ...named(10), 'y'.repeat(70_000), 'z'];
    const bytes = Buffer.concat([encoded(args), encoded(['PING'])]);
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 30 }), (cuts) => {
        const places = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        // Each piece in memory of its own, as a socket gives it.
        const pieces = places.slice(1).map((end, i) => Buffer.from(bytes.subarray(places[i], end)));
        expect(parsed(pieces)).toEqual([
          { args, isPacked: true },
          { args: ['PING'], isPacked: false },
        ]);
      }),
      { numRuns: 30 },
    );
  });

  it('are views whenever the reader does not ask for places', () => {
    let got: readonly Buffer[] = [];
    const parser = new RequestParser((args) => ((got = args), true));
    parser.push(encoded(named(5_000)));
    expect(got.map(String)).toEqual(named(5_000));
  });

  it('reserve no more than twice what has arrived, and are counted with it', () => {
    const parser = new RequestParser(
      () => true,
      requestLimits,
      () => false,
      () => true,
    );
    parser.push(Buffer.from('*65536\r\n'));
    expect(parser.bufferedBytes).toBeLessThan(16 * 1024);
    for (let i = 0; i < 60_000; i++) parser.push(Buffer.from('$1\r\nk\r\n'));
    expect(parser.bufferedBytes).toBeGreaterThan(60_000 * 13);
    expect(parser.bufferedBytes).toBeLessThan(60_000 * 32);
    for (let i = 0; i < 5_536; i++) parser.push(Buffer.from('$1\r\nk\r\n'));
    expect([parser.completed, parser.bufferedBytes]).toEqual([1, 0]);
    expect(parser.requestBytes).toBeGreaterThanOrEqual(65_536 * 13);
  });

  it('have none behind the last, nor before the first', () => {
    const args = new PackedArguments();
    for (const key of ['a', 'b']) args.add(Buffer.from(`.${key}.`), 1, 2);
    expect([-1, 0, 1, 2].map((i) => args.at(i)?.toString())).toEqual([undefined, 'a', 'b', undefined]);
    expect(args.views(1).map(String)).toEqual(['a']);
    expect(args.views(9).map(String)).toEqual(['a', 'b']);
  });
});
