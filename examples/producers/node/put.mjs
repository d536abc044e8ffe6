// A binlog record's value, docs/binlog.md, written and read with avsc; and the fold that turns records into a table.
import { readFileSync } from 'node:fs';
import avro from 'avsc';

const type = avro.Type.forSchema({
  type: 'record',
  name: 'Put',
  namespace: 'levee',
  fields: [
    { name: 'expiresAtMs', type: ['null', 'long'], default: null },
    { name: 'crc', type: ['null', 'int'], default: null },
    { name: 'value', type: 'bytes' },
  ],
});
const frame = Buffer.from('c30173555d3059ee5513', 'hex');
const reserved = Buffer.from('\0levee\0');

/** `crc` may be left out, as here: then nobody checks it. */
export function encodePut(value, expiresAtMs = null, crc = null) {
  return Buffer.concat([frame, type.toBuffer({ expiresAtMs, crc, value })]);
}

/** The body begins behind the frame, or behind the five bytes of a Confluent serializer. */
export function decodePut(record) {
  if (record.subarray(0, frame.length).equals(frame)) return type.fromBuffer(record.subarray(frame.length));
  if (record[0] === 0) return type.fromBuffer(record.subarray(5));
  throw new Error('no Put');
}

/** What a reader of a binlog knows: the newest value of each key. */
export class Table {
  entries = new Map();

  apply(key, record) {
    if (key === null || key === undefined) return;
    if (key.subarray(0, reserved.length).equals(reserved)) return;
    this.entries.delete(key.toString());
    if (record === null || record === undefined) return;
    try {
      const { value, expiresAtMs } = decodePut(record);
      if (expiresAtMs === null || expiresAtMs > Date.now()) this.entries.set(key.toString(), { value, expiresAtMs });
    } catch (error) {
      console.error(`${key}: ${error.message}`);
    }
  }

  print() {
    for (const [key, { value, expiresAtMs }] of [...this.entries].sort(([a], [b]) => (a < b ? -1 : 1)))
      console.log(`${key}\t${value}\t${expiresAtMs ?? 'never'}`);
  }
}

/** A hundred orders, every tenth of which expires in an hour; `null` deletes the seventh. */
export function orders(name) {
  const hourAhead = Date.now() + 3_600_000;
  const puts = Array.from({ length: 100 }, (_, i) => ({
    key: Buffer.from(`${name}:order:${i}`),
    value: encodePut(Buffer.from(`${i} apples`), i % 10 === 0 ? hourAhead : null),
  }));
  return [...puts, { key: Buffer.from(`${name}:order:7`), value: null }];
}

/** Compares this file, and the client's partitioner, with test/golden/binlog.json. */
export function check(file, partitionOf) {
  const { records, keys, bad } = JSON.parse(readFileSync(file, 'utf8'));
  const same = (what, got, wanted) => {
    if (got !== wanted) throw new Error(`${what}: ${got} is not ${wanted}`);
  };
  for (const { what, framing, valueHex, expiresAtMs, crc, recordHex } of records) {
    const value = Buffer.from(valueHex, 'hex');
    if (framing === 'single-object') same(what, encodePut(value, expiresAtMs, crc).toString('hex'), recordHex);
    const read = decodePut(Buffer.from(recordHex, 'hex'));
    same(what, [read.value.toString('hex'), read.expiresAtMs].join(), [valueHex, expiresAtMs].join());
  }
  for (const { what, reason, keyHex, recordHex } of bad) {
    if (keyHex === null || reason === 'badCrc') continue;
    let taken = true;
    try {
      decodePut(Buffer.from(recordHex, 'hex'));
    } catch {
      taken = false;
    }
    if (taken) throw new Error(`${what} was taken for a Put`);
  }
  const hashed = keys.filter(({ algorithm }) => algorithm === 'murmur2');
  for (const { keyHex, partitions, partition } of hashed)
    same(`partition of ${keyHex}`, partitionOf(Buffer.from(keyHex, 'hex'), partitions), partition);
  console.log(`${records.length} records and ${hashed.length} keys are as they should be`);
}
