/** Values of one kind as bytes. Both directions may throw: the caller gets a CodecError. */
export interface Codec<V> {
  /** For messages. */
  readonly name: string;
  encode(value: V): Uint8Array;
  /** The bytes are the caller's to keep. */
  decode(bytes: Buffer): V;
}

/** As they are. */
export const bytes: Codec<Uint8Array> & { decode(bytes: Buffer): Buffer } = {
  name: 'bytes',
  encode: (value) => value,
  // A view would keep everything in memory that came with it.
  decode: (value) => Buffer.from(value),
};

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const loneSurrogate = /\p{Surrogate}/u;

/** Throws TypeError for a text with half a pair of surrogates: in UTF-8 it would be another text, and equal to others. */
export function utf8Bytes(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length !== text.length && loneSurrogate.test(text))
    throw new TypeError(`${JSON.stringify(text.slice(0, 64))} has half a pair of surrogates, which UTF-8 cannot say`);
  return bytes;
}

/** Texts; bytes that are no UTF-8, and texts that UTF-8 cannot say, are an error. */
export const utf8: Codec<string> = {
  name: 'utf8',
  encode: utf8Bytes,
  decode: (value) => strictUtf8.decode(value),
};

/** JSON; `check` may look at what was read, and throw. */
export function json<V = unknown>(check?: (value: unknown) => V): Codec<V> {
  return {
    name: 'json',
    encode: (value) => {
      const text = JSON.stringify(value) as string | undefined;
      if (text === undefined) throw new TypeError('undefined and functions are no JSON');
      return Buffer.from(text, 'utf8');
    },
    decode: (value) => {
      const read: unknown = JSON.parse(strictUtf8.decode(value));
      return check ? check(read) : (read as V);
    },
  };
}
