import { Failure } from '@levee/kernel';

/**
 * Keys are bytes, percent-encoded: `/`, NUL and what is no UTF-8 included. A router would decode them as text, so it
 * sees a dash instead, and the key is taken from the URL as it came.
 */
const keyed = /^\/v1\/(kv|where)\/([^/?]*)\/([^?]*)(\?.*)?$/;

/** The URL for the router. */
export function routedUrl(url: string): string {
  const match = keyed.exec(url);
  return match ? `/v1/${match[1]}/${match[2]}/-${match[4] ?? ''}` : url;
}

/** The key in the URL as it came; fails with BAD_REQUEST. */
export function keyOf(originalUrl: string): Buffer {
  const encoded = keyed.exec(originalUrl)?.[3] ?? '';
  if (encoded === '') throw new Failure('BAD_REQUEST', 'a key has at least one byte: /v1/kv/<namespace>/<key>');
  return percentDecode(encoded, 'the key');
}

/** Bytes of one query parameter, `undefined` when it is not there; `+` is a plus. */
export function queryBytes(originalUrl: string, name: string): Buffer | undefined {
  const at = originalUrl.indexOf('?');
  if (at < 0) return undefined;
  for (const pair of originalUrl.slice(at + 1).split('&')) {
    const equals = pair.indexOf('=');
    if ((equals < 0 ? pair : pair.slice(0, equals)) === name)
      return percentDecode(equals < 0 ? '' : pair.slice(equals + 1), name);
  }
  return undefined;
}

function percentDecode(text: string, what: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    let byte = bytes[i] as number;
    if (byte === 0x25) {
      const hex = text.slice(i + 1, i + 3);
      if (!/^[0-9a-fA-F]{2}$/.test(hex))
        throw new Failure(
          'BAD_REQUEST',
          `${what} has a % that two hexadecimal digits do not follow, at character ${i}`,
        );
      byte = parseInt(hex, 16);
      i += 2;
    }
    bytes[length++] = byte;
  }
  return bytes.subarray(0, length);
}
