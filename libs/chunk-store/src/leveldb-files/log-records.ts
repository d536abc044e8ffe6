import { crc32cNative } from '@levee/codec';
import { maskedCrc } from './byte-reader';

const blockBytes = 32 * 1024;
const headerBytes = 7;
const kinds = { whole: 1, first: 2, middle: 3, last: 4 } as const;

export interface LogRecords {
  readonly records: readonly Buffer[];
  /** The file ends in the middle of a record: whoever wrote it was cut short, or it still writes. */
  readonly torn: boolean;
  /** Records behind a place that cannot be read: where, and what is wrong there. */
  readonly damage: { readonly at: number; readonly what: string } | undefined;
}

interface Fragment {
  readonly kind: number;
  readonly payload: Buffer;
  readonly end: number;
}

/**
 * The records of a write-ahead file or a MANIFEST. A place that cannot be read is damage when anything valid stands
 * behind it, and the torn end of the file when nothing does: LevelDB itself would go on with what is before it either
 * way, without a word.
 */
export function readLogRecords(file: Buffer): LogRecords {
  const records: Buffer[] = [];
  let parts: Buffer[] = [];
  let at = 0;
  while (at < file.length) {
    const left = blockBytes - (at % blockBytes);
    if (left < headerBytes) {
      // The rest of a block, too short for a header, is zeros.
      const rest = file.subarray(at, at + left);
      if (!isZero(rest)) return stopped(at, 'the end of a block is not zeros');
      at += left;
      continue;
    }
    const found = fragmentAt(file, at);
    if (typeof found === 'string') return stopped(at, found);
    const begins = found.kind === kinds.whole || found.kind === kinds.first;
    if (begins !== (parts.length === 0)) return damaged(at, 'a record is without its beginning or its end');
    parts.push(found.payload);
    at = found.end;
    if (found.kind === kinds.whole || found.kind === kinds.last) {
      records.push(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts));
      parts = [];
    }
  }
  return { records, torn: parts.length > 0, damage: undefined };

  function damaged(where: number, what: string): LogRecords {
    return { records, torn: false, damage: { at: where, what } };
  }

  function stopped(where: number, what: string): LogRecords {
    return anythingBehind(file, where) ? damaged(where, what) : { records, torn: true, damage: undefined };
  }
}

function fragmentAt(file: Buffer, at: number): Fragment | string {
  const room = Math.min(blockBytes - (at % blockBytes), file.length - at);
  if (room < headerBytes) return 'a header is cut';
  const length = file.readUInt16LE(at + 4);
  const kind = file[at + 6] as number;
  if (kind < kinds.whole || kind > kinds.last) return `${kind} is no kind of record`;
  const end = at + headerBytes + length;
  if (headerBytes + length > room) return `a record of ${length} bytes goes beyond its block`;
  if (maskedCrc(crc32cNative(file.subarray(at + 6, end))) !== file.readUInt32LE(at)) return 'a checksum does not hold';
  return { kind, payload: file.subarray(at + headerBytes, end), end };
}

/** A place of which the length cannot be trusted: a later record may begin at any byte. */
function anythingBehind(file: Buffer, at: number): boolean {
  const blockEnd = Math.min(file.length, at - (at % blockBytes) + blockBytes);
  for (let from = at + 1; from + headerBytes <= blockEnd; from++)
    if (file[from + 6] !== 0 && typeof fragmentAt(file, from) !== 'string') return true;
  // Blocks begin with a record, so each needs one look.
  for (let from = blockEnd; from + headerBytes <= file.length; from += blockBytes)
    if (typeof fragmentAt(file, from) !== 'string') return true;
  return false;
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}
