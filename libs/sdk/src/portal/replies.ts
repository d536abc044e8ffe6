import { RespMap, type RespReply } from '@levee/wire';

/** A map, which RESP2 gives as an array of pairs. */
export function factsOf(reply: RespReply): ReadonlyMap<string, RespReply> {
  const entries = reply instanceof RespMap ? reply.entries : Array.isArray(reply) ? reply : [];
  const facts = new Map<string, RespReply>();
  for (let i = 0; i + 1 < entries.length; i += 2) facts.set(textOf(entries[i]), entries[i + 1] as RespReply);
  return facts;
}

export function textOf(reply: RespReply | undefined): string {
  if (Buffer.isBuffer(reply)) return reply.toString('utf8');
  return typeof reply === 'string' || typeof reply === 'number' ? String(reply) : '';
}
