import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';

/**
 * Answers with what `open` gives, one JSON object a line. The first is waited for before the head is written, so that
 * what is refused has a status. A reader that hangs up, whenever that is, aborts the signal and ends the generator.
 */
export async function sendJsonLines(
  reply: FastifyReply,
  open: (signal: AbortSignal) => AsyncGenerator<object>,
): Promise<void> {
  const gone = new AbortController();
  const all = open(gone.signal);
  reply.raw.once('close', () => {
    gone.abort();
    void all.return(undefined).catch(() => undefined);
  });
  const first = await all.next();
  const lines = async function* (): AsyncGenerator<string> {
    if (first.done !== true) yield `${JSON.stringify(first.value)}\n`;
    for await (const each of all) yield `${JSON.stringify(each)}\n`;
  };
  await reply.status(200).header('content-type', 'application/x-ndjson').send(Readable.from(lines()));
}
