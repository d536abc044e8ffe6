/** Encodes one command as an array of bulks. Long Buffers are not copied: the result is what to write, in order. */
export function encodeCommand(args: readonly (string | Buffer)[]): Buffer[] {
  const pieces: Buffer[] = [];
  let small = `*${args.length}\r\n`;
  for (const arg of args) {
    if (typeof arg === 'string') {
      small += `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`;
      continue;
    }
    pieces.push(Buffer.from(`${small}$${arg.length}\r\n`), arg);
    small = '\r\n';
  }
  pieces.push(Buffer.from(small));
  return pieces;
}
