import type { Key, ScanOptions } from '../api';
import { utf8Bytes } from '../codecs/codec';

/** The bytes stay the caller's: they must not change before the call is over. Throws TypeError for a text that has none. */
export function keyBytesOf(key: Key): Buffer {
  if (typeof key === 'string') return utf8Bytes(key);
  return Buffer.isBuffer(key) ? key : Buffer.from(key.buffer, key.byteOffset, key.byteLength);
}

/** The text of a key whose bytes are its characters: no other has as many of both. */
export const asciiOf = (key: Key, { length }: Buffer): string | undefined =>
  typeof key === 'string' && key.length === length ? key : undefined;

/** `[from, to)`; an empty `to` is no end. */
export function boundsOf({ prefix, from, to }: ScanOptions): { readonly from: Buffer; readonly to: Buffer } {
  let first = keyBytesOf(from ?? '');
  let end = keyBytesOf(to ?? '');
  if (prefix !== undefined) {
    const begin = keyBytesOf(prefix);
    const stop = prefixEnd(begin);
    if (first.compare(begin) < 0) first = begin;
    if (stop.length > 0 && (end.length === 0 || end.compare(stop) > 0)) end = stop;
  }
  return { from: first, to: end };
}

/** The first key behind all that begin with it; empty: there is none. */
function prefixEnd(prefix: Buffer): Buffer {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length--;
  const end = Buffer.from(prefix.subarray(0, length));
  if (length > 0) end[length - 1] = (end[length - 1] as number) + 1;
  return end;
}
