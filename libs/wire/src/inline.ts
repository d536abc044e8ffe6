const escapes: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, b: 8, a: 7 };

/**
 * Splits an inline command as Redis does: blanks separate; "…" knows \n \r \t \b \a \xHH and \<any>; '…' knows \';
 * a closing quote must be followed by a blank. `undefined` when quotes do not balance.
 */
export function splitInline(line: Buffer): Buffer[] | undefined {
  const args: Buffer[] = [];
  let at = 0;
  while (at < line.length) {
    if (isBlank(line[at] as number)) {
      at++;
      continue;
    }
    const word: number[] = [];
    let quote = 0;
    for (; at < line.length; at++) {
      const byte = line[at] as number;
      if (quote === 0) {
        if (isBlank(byte)) break;
        if (byte === 0x22 || byte === 0x27) quote = byte;
        else word.push(byte);
      } else if (byte === 0x5c && at + 1 < line.length) at = escaped(line, at, quote, word);
      else if (byte === quote) {
        if (at + 1 < line.length && !isBlank(line[at + 1] as number)) return undefined;
        quote = 0;
      } else word.push(byte);
    }
    if (quote !== 0) return undefined;
    args.push(Buffer.from(word));
  }
  return args;
}

/** Appends what the backslash at `at` stands for; returns the place of its last byte. */
function escaped(line: Buffer, at: number, quote: number, word: number[]): number {
  const next = line[at + 1] as number;
  if (quote === 0x27) {
    word.push(...(next === 0x27 ? [0x27] : [0x5c, next]));
    return at + 1;
  }
  const hex = line.toString('latin1', at + 2, at + 4);
  if (next === 0x78 && /^[0-9a-fA-F]{2}$/.test(hex)) {
    word.push(parseInt(hex, 16));
    return at + 3;
  }
  word.push(escapes[String.fromCharCode(next)] ?? next);
  return at + 1;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || (byte >= 9 && byte <= 13) || byte === 0;
}
