/**
 * Keys of the log's database. Big-endian numbers, so that LevelDB's order is the log's order:
 * `r topic partition offset` entries · `s topic partition slot` end of a partition · `a topic partition slot` its
 * start · `e topic partition epoch` first offset of a leader epoch · `t name 0 slot` topics · `w id 0 slot` fenced
 * writers · `m name 0 slot` counters. `topic` and `partition` are uint32; a topic's number is never used again.
 */
const letter = { entry: 0x72, end: 0x73, start: 0x61, epoch: 0x65, topic: 0x74, writer: 0x77, meta: 0x6d } as const;

/** Length of the keys of `r`: letter, topic, partition, offset. */
const entryKeyLength = 17;

export function entryKey(topic: number, partition: number, offset: number): Buffer {
  const key = partitionKey(letter.entry, topic, partition, entryKeyLength);
  key.writeUInt32BE(Math.floor(offset / 2 ** 32), 9);
  key.writeUInt32BE(offset >>> 0, 13);
  return key;
}

export function offsetOfEntryKey(key: Buffer): number {
  return key.readUInt32BE(9) * 2 ** 32 + key.readUInt32BE(13);
}

export const isEntryKey = (key: Buffer): boolean => key[0] === letter.entry && key.length === entryKeyLength;

/** Topic and partition in an `r`, `s`, `a` or `e` key. */
export const placeOfKey = (key: Buffer): { readonly topic: number; readonly partition: number } => ({
  topic: key.readUInt32BE(1),
  partition: key.readUInt32BE(5),
});

/** Above every entry of the partition. */
export function entryKeyAfter(topic: number, partition: number): Buffer {
  return partitionKey(letter.entry, topic, partition + 1, entryKeyLength).fill(0, 9);
}

export function endKey(topic: number, partition: number, slot: number): Buffer {
  const key = partitionKey(letter.end, topic, partition, 10);
  key[9] = slot;
  return key;
}

export function startKey(topic: number, partition: number, slot: number): Buffer {
  const key = partitionKey(letter.start, topic, partition, 10);
  key[9] = slot;
  return key;
}

export function epochKey(topic: number, partition: number, epoch: number): Buffer {
  const key = partitionKey(letter.epoch, topic, partition, 13);
  key.writeUInt32BE(epoch, 9);
  return key;
}

export const epochOfKey = (key: Buffer): number => key.readUInt32BE(9);

export const topicKey = (name: string, slot: number): Buffer => namedKey(letter.topic, name, slot);
export const writerKey = (id: string, slot: number): Buffer => namedKey(letter.writer, id, slot);
export const metaKey = (name: string, slot: number): Buffer => namedKey(letter.meta, name, slot);

/** The name in a `t`, `w` or `m` key. */
export const nameOfKey = (key: Buffer): string => key.toString('utf8', 1, key.length - 2);

export interface KeyRange {
  readonly gte: Buffer;
  readonly lt: Buffer;
}

const all = (first: number): KeyRange => ({ gte: Buffer.from([first]), lt: Buffer.from([first + 1]) });
export const topicKeys = all(letter.topic);
export const startKeys = all(letter.start);

export function epochKeys(topic: number, partition: number): KeyRange {
  return {
    gte: partitionKey(letter.epoch, topic, partition, 9),
    lt: partitionKey(letter.epoch, topic, partition + 1, 9),
  };
}

/** Everything a topic's partitions own, one range per letter. */
export function rangesOfTopic(topic: number): KeyRange[] {
  return [letter.entry, letter.end, letter.start, letter.epoch].map((first) => ({
    gte: partitionKey(first, topic, 0, 9),
    lt: partitionKey(first, topic + 1, 0, 9),
  }));
}

function partitionKey(first: number, topic: number, partition: number, length: number): Buffer {
  const key = Buffer.allocUnsafe(length);
  key[0] = first;
  key.writeUInt32BE(topic, 1);
  key.writeUInt32BE(partition, 5);
  return key;
}

function namedKey(first: number, name: string, slot: number): Buffer {
  return Buffer.concat([Buffer.from([first]), Buffer.from(name), Buffer.from([0, slot])]);
}
