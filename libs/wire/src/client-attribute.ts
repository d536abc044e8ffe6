/** Of the name of a client, of its library and of that library's version: every connection keeps them. */
export const attributeBytesMax = 256;

/** Why a connection does not take this as `what` ("Client names", as Redis says): it stands in lines of CLIENT LIST. */
export function attributeProblem(what: string, value: Buffer): string | undefined {
  if (value.length > attributeBytesMax)
    return `ERR ${what} cannot be longer than ${attributeBytesMax} bytes; this has ${value.length}`;
  for (const byte of value)
    if (byte < 0x21 || byte > 0x7e) return `ERR ${what} cannot contain spaces, newlines or special characters.`;
  return undefined;
}
