/**
 * The lines of a stream of bytes, without their ends; the last one may lack its own. `undefined` stands for a line of
 * more than `lineBytesMax` bytes and is the last thing that comes.
 */
export async function* splitLines(
  chunks: AsyncIterable<Buffer>,
  lineBytesMax: number,
): AsyncGenerator<string | undefined> {
  let begun: Buffer[] = [];
  let begunBytes = 0;
  const finish = (): string => {
    const line = Buffer.concat(begun).toString('utf8');
    begun = [];
    begunBytes = 0;
    return line;
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(lineEnd); end >= 0; end = chunk.indexOf(lineEnd, start)) {
      begun.push(chunk.subarray(start, end));
      yield finish();
      start = end + 1;
    }
    begun.push(chunk.subarray(start));
    begunBytes += chunk.length - start;
    if (begunBytes > lineBytesMax) {
      yield undefined;
      return;
    }
  }
  if (begunBytes > 0) yield finish();
}

const lineEnd = 0x0a;
