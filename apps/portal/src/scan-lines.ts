import type { ScanVisits } from '@levee/client';
import { printable } from '@levee/codec';
import { doorCode, Failure, messageOf } from '@levee/kernel';
import type { ValueDecoder } from '@levee/portal';
import type { RangeItem } from '@levee/wire';

/** Decoded values are JSON in the line, or one string, `jsonText`, of which every reader keeps all digits. */
export interface Decode {
  readonly decoder: ValueDecoder;
  readonly as: 'json' | 'jsonText';
}

export interface ScanAnswer {
  readonly limit: number;
  readonly keysOnly: boolean;
  readonly visits: ScanVisits | undefined;
  /** `undefined`: values are said as they are. */
  readonly decode: Decode | undefined;
}

/** One JSON object a line; the last one says where to go on, or what ended the scan. */
export async function* scanLines(
  first: IteratorResult<RangeItem, void>,
  rest: AsyncGenerator<RangeItem, void, undefined>,
  { limit, keysOnly, visits, decode }: ScanAnswer,
): AsyncGenerator<Buffer> {
  let text = '';
  let count = 0;
  let last: Buffer | undefined;
  try {
    for (let next = first; !next.done; next = await rest.next()) {
      const isPlain = decode === undefined || keysOnly;
      const line = isPlain ? JSON.stringify(entryOf(next.value, keysOnly)) : await decodedLine(next.value, decode);
      text += `${line}\n`;
      last = next.value.key;
      count++;
      if (text.length > lineBufferChars) {
        yield Buffer.from(text);
        text = '';
      }
    }
    const more = count >= limit && last ? `1${Buffer.concat([last, Buffer.alloc(1)]).toString('base64url')}` : null;
    const end = { cursor: more, ...(visits === undefined ? {} : { visited: visits.all() }) };
    yield Buffer.from(`${text}${JSON.stringify(end)}\n`);
  } catch (error) {
    // The status is sent already: the error is the last line.
    const code = error instanceof Failure ? doorCode(error.code) : 'INTERNAL';
    yield Buffer.from(`${text}${JSON.stringify({ code, message: messageOf(error) })}\n`);
  }
}

const lineBufferChars = 64 * 1024;

async function decodedLine(item: RangeItem, { decoder, as }: Decode): Promise<string> {
  if (item.error !== undefined) return JSON.stringify(entryOf(item, false));
  const decoded = await decoder.decode(item.value);
  if ('problem' in decoded) return JSON.stringify({ ...entryOf(item, false), notDecoded: decoded.problem });
  const { json, schemaId } = decoded;
  const facts = { ...entryOf(item, true), offset: item.offset, schemaId };
  if (as === 'jsonText') return JSON.stringify({ ...facts, jsonText: json });
  // As it is, so that numbers keep their digits; a line may end between its values, never inside them.
  return `${JSON.stringify(facts).slice(0, -1)},"json":${json.replace(/[\r\n]+/g, ' ')}}`;
}

function entryOf(item: RangeItem, keysOnly: boolean): object {
  const { key, value, expiresAtMs, offset, error } = item;
  const shownKey = printable(key) === undefined ? { keyBase64: key.toString('base64') } : { key: key.toString('utf8') };
  if (error !== undefined) return { ...shownKey, error };
  const expiry = expiresAtMs === null ? {} : { expiresAtMs };
  if (keysOnly) return { ...shownKey, ...expiry };
  const text = printable(value);
  return {
    ...shownKey,
    ...(text === undefined ? { valueBase64: value.toString('base64') } : { value: text }),
    ...expiry,
    offset,
  };
}
