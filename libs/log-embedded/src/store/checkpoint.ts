import { messageOf } from '@levee/kernel';
import { crc32c } from '@node-rs/crc32';
import { readU53, writeU53 } from '../slot';
import { type LogFiles, readCopy, Unreadable } from './log-files';
import { checkpointName } from './names';

/**
 * Everything small that the store knows at one moment: the values by key, and which runs hold which entries. What came
 * later is in the journals from `nextJournal` on. In two copies. Little endian: 0 magic · 4 format · 8 number · 16
 * sequence · 24 next journal · 32 next run · 40 count · 44 for each value: key length u16, value length u32, key, value;
 * last four bytes: CRC-32C of everything before.
 */
export interface Checkpoint {
  readonly number: number;
  /** Of the last frame that is in here. */
  readonly sequence: number;
  readonly nextJournal: number;
  /** Numbers of runs from here on were never given. */
  readonly nextRun: number;
  readonly values: ReadonlyMap<string, Buffer>;
}

const magic = 0x434c564c;
const format = 1;
const headBytes = 44;
const copies = ['a', 'b'] as const;

export async function writeCheckpoint(files: LogFiles, checkpoint: Checkpoint): Promise<void> {
  const bytes = encodeCheckpoint(checkpoint);
  for (const copy of copies) await files.write(checkpointName(checkpoint.number, copy), bytes);
}

/** From either copy. Fails when the disk cannot read one, and the other is not whole: no older one is in its place. */
export async function readCheckpoint(
  files: LogFiles,
  number: number,
): Promise<{ readonly checkpoint: Checkpoint | undefined; readonly troubles: readonly string[] }> {
  const troubles: string[] = [];
  let checkpoint: Checkpoint | undefined;
  let unread: Unreadable | undefined;
  for (const copy of copies) {
    const name = checkpointName(number, copy);
    const bytes = await readCopy(files, name);
    if (bytes instanceof Unreadable) {
      unread = bytes;
      troubles.push(`${name} cannot be read (${messageOf(bytes.cause)})`);
      continue;
    }
    const read = bytes === undefined ? undefined : decodeCheckpoint(bytes);
    if (read === undefined || read.number !== number)
      troubles.push(`${name} is ${bytes === undefined ? 'missing' : 'damaged'}`);
    else checkpoint ??= read;
  }
  if (checkpoint === undefined && unread !== undefined) throw unread.cause;
  return { checkpoint, troubles };
}

function encodeCheckpoint({ number, sequence, nextJournal, nextRun, values }: Checkpoint): Buffer {
  let length = headBytes + 4;
  for (const [key, value] of values) length += 6 + key.length + value.length;
  const bytes = Buffer.allocUnsafe(length);
  bytes.writeUInt32LE(magic, 0);
  bytes.writeUInt32LE(format, 4);
  writeU53(bytes, number, 8);
  writeU53(bytes, sequence, 16);
  writeU53(bytes, nextJournal, 24);
  writeU53(bytes, nextRun, 32);
  bytes.writeUInt32LE(values.size, 40);
  let at = headBytes;
  for (const [key, value] of values) {
    bytes.writeUInt16LE(key.length, at);
    bytes.writeUInt32LE(value.length, at + 2);
    bytes.write(key, at + 6, 'latin1');
    bytes.set(value, at + 6 + key.length);
    at += 6 + key.length + value.length;
  }
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, at)), at);
  return bytes;
}

function decodeCheckpoint(bytes: Buffer): Checkpoint | undefined {
  const end = bytes.length - 4;
  if (end < headBytes || crc32c(bytes.subarray(0, end)) !== bytes.readUInt32LE(end)) return undefined;
  if (bytes.readUInt32LE(0) !== magic || bytes.readUInt32LE(4) !== format) return undefined;
  const values = new Map<string, Buffer>();
  for (let at = headBytes; at < end;) {
    const keyEnd = at + 6 + bytes.readUInt16LE(at);
    const valueEnd = keyEnd + bytes.readUInt32LE(at + 2);
    values.set(bytes.toString('latin1', at + 6, keyEnd), Buffer.from(bytes.subarray(keyEnd, valueEnd)));
    at = valueEnd;
  }
  if (values.size !== bytes.readUInt32LE(40)) return undefined;
  return {
    number: readU53(bytes, 8),
    sequence: readU53(bytes, 16),
    nextJournal: readU53(bytes, 24),
    nextRun: readU53(bytes, 32),
    values,
  };
}
