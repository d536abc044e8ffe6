/** Of a key in the message of an error. */
export const keyShownBytesMax = 64;

/** A key as errors quote it: what is not printable ASCII as `\xNN`, and no more than its first bytes. */
export function shownKey(key: Buffer): string {
  let shown = '';
  for (const byte of key.subarray(0, keyShownBytesMax))
    if (byte === 0x27 || byte === 0x5c) shown += `\\${String.fromCharCode(byte)}`;
    else if (byte >= 0x20 && byte <= 0x7e) shown += String.fromCharCode(byte);
    else shown += `\\x${byte.toString(16).padStart(2, '0')}`;
  return key.length > keyShownBytesMax ? `'${shown}'… of ${key.length} bytes` : `'${shown}'`;
}

/** What is said of one key of a command. */
export function ofKey(failure: { readonly text: string }, key: Buffer): string {
  return `${failure.text} (key ${shownKey(key)})`;
}
