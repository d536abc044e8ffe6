/** Why a name is not valid, as a text for the caller, or `undefined` when it is. */
export function namespaceNameProblem(name: string): string | undefined {
  if (name.length > namespaceNameLengthMax)
    return `a namespace name has at most ${namespaceNameLengthMax} characters, this one has ${name.length}`;
  if (/^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*$/.test(name)) return undefined;
  return `'${name}' is no namespace name: use segments of [a-z][a-z0-9-]* joined by dots, as in shop.orders`;
}

/** Kafka allows 249 characters for a topic; the rest is for the prefix and the re-creation number. */
export const namespaceNameLengthMax = 180;

/** Binlog keys beginning with these bytes (00 "levee" 00) are Levee's own: genesis, barriers, fences. */
export const reservedKeyPrefix: Uint8Array = Uint8Array.of(0, 0x6c, 0x65, 0x76, 0x65, 0x65, 0);

/** True for keys that users may neither write nor read (DESIGN section 3). */
export function isReservedKey(key: Uint8Array): boolean {
  if (key.length < reservedKeyPrefix.length) return false;
  for (let i = 0; i < reservedKeyPrefix.length; i++) if (key[i] !== reservedKeyPrefix[i]) return false;
  return true;
}
