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
  const gone = goneOf(reply);
  const all = open(gone);
  const end = (): void => void all.return(undefined).catch(() => undefined);
  if (gone.aborted) end();
  else gone.addEventListener('abort', end, { once: true });
  const first = await all.next();
  const lines = async function* (): AsyncGenerator<string> {
    if (first.done !== true) yield `${JSON.stringify(first.value)}\n`;
    for await (const each of all) yield `${JSON.stringify(each)}\n`;
  };
  await reply.status(200).header('content-type', 'application/x-ndjson').send(Readable.from(lines()));
}

/** Aborted when the asker is gone, also when he went while a guard was waited for: `close` is not told again. */
export function goneOf({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  if (raw.destroyed) gone.abort();
  else raw.once('close', () => gone.abort());
  return gone.signal;
}
