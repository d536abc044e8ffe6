/** A well framed record whose schema nobody here knows. */
export function unknownSchemaBytes(): Buffer {
  return Buffer.concat([Buffer.from([0xc3, 0x01]), Buffer.from('0102030405060708', 'hex'), Buffer.from([0, 0, 2, 65])]);
}
