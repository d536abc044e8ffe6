import { Failure } from '@levee/kernel';

/** Text of the body of an answer; a body of more than `bytesMax` is not read on and fails with LIMIT. */
export async function boundedBody({ body }: Pick<Response, 'body'>, bytesMax: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of (body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += piece.length;
    if (bytes > bytesMax) throw new Failure('LIMIT', `more than ${bytesMax} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}
