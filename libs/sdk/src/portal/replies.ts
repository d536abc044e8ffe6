import { RespError, RespMap, type RespReply } from '@levee/wire';

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

// What portals answer with. Anything else comes from who is no portal, or from one whose replies are out of step.

/** `partition:offset`. */
export type PositionReply = string;
/**
 * The value (null: there is none), the position that this rests on, when it expires in ms since 1970 (0: never); without
 * a value the time by which there is none (0: of a portal that does not say it).
 */
export type EntryReply = [value: Buffer | null, position: PositionReply, expiresAtMs: number];
/**
 * Where to go on (null: that was all), and the time by which no other key is there; then four facts a key: key, position, expiry, value (null
 * where only keys were asked for).
 */
export type PageReply = [next: Buffer | null, clockMs: number, ...facts: RespReply[]];
/** Positions to go on from; then five facts a change: key, value (null: deleted), position behind it, its time, its expiry. */
export type ChangesReply = [positions: RespReply[], ...facts: RespReply[]];

const positionPattern = /^\d{1,10}:\d{1,16}$/;
const isTime = (reply: RespReply | undefined): boolean => Number.isSafeInteger(reply) && (reply as number) >= 0;
const isSaid = (reply: RespReply | undefined): boolean =>
  reply === null || Buffer.isBuffer(reply) || reply instanceof RespError;

export const isPosition = (reply: RespReply | undefined): reply is PositionReply =>
  typeof reply === 'string' && positionPattern.test(reply);

export function isEntry(reply: RespReply): reply is EntryReply {
  if (!Array.isArray(reply) || reply.length !== 3) return false;
  const [value, position, expiresAtMs] = reply;
  return (value === null || Buffer.isBuffer(value)) && isPosition(position) && isTime(expiresAtMs);
}

/** Of a page that begins at `from`: it leads on, so that a scan has an end. */
export const isPageFrom =
  (from: Buffer) =>
  (reply: RespReply): reply is PageReply => {
    if (!Array.isArray(reply) || reply.length % 4 !== 2) return false;
    const [next, clockMs] = reply;
    if (next !== null && !(Buffer.isBuffer(next) && next.compare(from) > 0)) return false;
    if (!isTime(clockMs)) return false;
    for (let i = 2; i < reply.length; i += 4)
      if (!(Buffer.isBuffer(reply[i]) && isPosition(reply[i + 1]) && isTime(reply[i + 2]) && isSaid(reply[i + 3])))
        return false;
    return true;
  };

export function isChanges(reply: RespReply): reply is ChangesReply {
  if (!Array.isArray(reply) || reply.length % 5 !== 1) return false;
  const [positions] = reply;
  if (!Array.isArray(positions) || !positions.every((each) => isPosition(textOf(each)))) return false;
  for (let i = 1; i < reply.length; i += 5) {
    const [key, said, position, ...times] = reply.slice(i, i + 5);
    if (!(Buffer.isBuffer(key) && isSaid(said) && isPosition(position) && times.every(isTime))) return false;
  }
  return true;
}

/** The log, and its positions. */
export const isPositions = (reply: RespReply): reply is RespReply[] =>
  Array.isArray(reply) &&
  reply.length > 1 &&
  textOf(reply[0]) !== '' &&
  reply.slice(1).every((each) => isPosition(textOf(each)));

export const isCount = (reply: RespReply): reply is number => isTime(reply);
export const isMap = (reply: RespReply): boolean => reply instanceof RespMap || Array.isArray(reply);
export const isText = (reply: RespReply): boolean => Buffer.isBuffer(reply) || typeof reply === 'string';
