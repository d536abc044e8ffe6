import type { AvroRecord, AvroType } from '@levee/events';

/**
 * Avro's "Parsing Canonical Form" of a schema: full names, no docs, defaults, or attributes of our own.
 * Hence two versions that differ only in a `values` list have the same fingerprint, and the registry refuses the
 * second: a list that grows needs a version that also differs in a field.
 */
export function canonicalForm(schema: AvroRecord): string {
  return canonical(schema, '', new Set());
}

function canonical(type: AvroType, namespace: string, defined: Set<string>): string {
  if (typeof type === 'string') return `"${type}"`;
  if (isUnion(type)) return `[${type.map((branch) => canonical(branch, namespace, defined)).join(',')}]`;
  switch (type.type) {
    case 'string':
      return '"string"';
    case 'array':
      return `{"type":"array","items":${canonical(type.items, namespace, defined)}}`;
    case 'record': {
      const within = type.namespace ?? namespace;
      const name = within === '' ? type.name : `${within}.${type.name}`;
      if (defined.has(name)) return `"${name}"`;
      defined.add(name);
      const fields = type.fields.map((f) => `{"name":"${f.name}","type":${canonical(f.type, within, defined)}}`);
      return `{"name":"${name}","type":"record","fields":[${fields.join(',')}]}`;
    }
  }
}

const isUnion = (type: AvroType): type is readonly ['null', AvroType] => Array.isArray(type);

const empty = 0xc15d213aa4d7a795n;

const table = (() => {
  const entries: bigint[] = [];
  for (let n = 0n; n < 256n; n++) {
    let c = n;
    for (let bit = 0; bit < 8; bit++) c = (c >> 1n) ^ (c & 1n ? empty : 0n);
    entries.push(c);
  }
  return entries;
})();

/** CRC-64-AVRO (Avro specification, "Schema Fingerprints"), unsigned 64 bit. Slow: for schemas, not for data. */
export function crc64Avro(bytes: Uint8Array): bigint {
  let c = empty;
  for (const byte of bytes) c = (c >> 8n) ^ (table[Number(c & 0xffn) ^ byte] as bigint);
  return c;
}

/** CRC-64-AVRO of the canonical form. */
export function fingerprint(schema: AvroRecord): bigint {
  return crc64Avro(Buffer.from(canonicalForm(schema)));
}

/** 16 hexadecimal digits, most significant first, as the Avro specification prints it. */
export function fingerprintHex(print: bigint): string {
  return print.toString(16).padStart(16, '0');
}
