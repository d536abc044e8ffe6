import { messageOf } from '@levee/kernel';
import {
  encodeFrame,
  encodeJournalHead,
  type Frame,
  framesOf,
  type JournalHead,
  journalHeadBytes,
  type JournalWrite,
  readJournalHead,
} from './journal-frames';
import { type AppendFile, type LogFiles, readCopy, Unreadable } from './log-files';
import { journalName } from './names';
import { newSalt } from './salt';

const copies = ['a', 'b'] as const;

/**
 * A journal in two copies, each synced before a write is confirmed: whatever happens to one of them, the other has
 * every confirmed frame. A frame that only one copy has was not confirmed to anybody; it may be kept.
 */
export class MirroredJournal {
  private constructor(
    readonly number: number,
    private readonly files: readonly AppendFile[],
    private readonly salt: number,
  ) {}

  bytes = 0;

  static async create(files: LogFiles, number: number, firstSequence: number): Promise<MirroredJournal> {
    const opened: AppendFile[] = [];
    try {
      for (const copy of copies) opened.push(await files.create(journalName(number, copy), { synced: true }));
      const salt = newSalt();
      const head = encodeJournalHead({ number, firstSequence, salt });
      await Promise.all(opened.map((file) => file.append([head])));
      return new MirroredJournal(number, opened, salt);
    } catch (error) {
      for (const file of opened) await file.close().catch(() => undefined);
      for (const copy of copies) await files.remove(journalName(number, copy)).catch(() => undefined);
      throw error;
    }
  }

  /** Durable in both copies when it resolves. */
  async append(sequence: number, writes: readonly JournalWrite[]): Promise<void> {
    const pieces = encodeFrame(this.salt, sequence, writes);
    for (const piece of pieces) this.bytes += piece.length;
    const [a, b] = this.files as readonly [AppendFile, AppendFile];
    // Both have let go before anybody hears of a failure.
    const [first, second] = await Promise.allSettled([a.append(pieces), b.append(pieces)]);
    if (first.status === 'rejected') throw first.reason;
    if (second.status === 'rejected') throw second.reason;
  }

  async close(): Promise<void> {
    for (const file of this.files) await file.close();
  }
}

export interface ReadJournal {
  readonly number: number;
  /** `undefined`: neither copy has a head, since nothing was written to it yet, or {@link beheaded}. */
  readonly firstSequence: number | undefined;
  /** The heads of both copies are damaged, and there is more in them: without the salt no frame can be told. */
  readonly beheaded: boolean;
  /** What either copy has, in order. */
  readonly frames: readonly Frame[];
  /** What is wrong with one copy, for people. */
  readonly troubles: readonly string[];
}

/** `undefined` when there is neither copy. Fails when the disk cannot read one, and the other is not whole. */
export async function readJournal(files: LogFiles, number: number): Promise<ReadJournal | undefined> {
  const troubles: string[] = [];
  const found: Array<{ readonly name: string; readonly bytes: Buffer; readonly head: JournalHead | undefined }> = [];
  let unread: Unreadable | undefined;
  for (const copy of copies) {
    const name = journalName(number, copy);
    const bytes = await readCopy(files, name);
    if (bytes instanceof Unreadable) {
      unread = bytes;
      continue;
    }
    const head = bytes === undefined ? undefined : readJournalHead(bytes);
    if (bytes === undefined) troubles.push(`${name} is missing`);
    else if (head?.number !== number) troubles.push(`the head of ${name} is damaged`);
    if (bytes !== undefined) found.push({ name, bytes, head: head?.number === number ? head : undefined });
  }
  const head = found.find((each) => each.head !== undefined)?.head;
  const frames = new Map<number, Frame>();
  for (const { name, bytes } of head === undefined ? [] : found) {
    let last = (head as JournalHead).firstSequence - 1;
    for (const frame of framesOf(bytes, (head as JournalHead).salt)) {
      if (frame.sequence !== last + 1) troubles.push(`${name} lacks what lies between ${last} and ${frame.sequence}`);
      last = frame.sequence;
      frames.set(frame.sequence, frame);
    }
  }
  if (unread !== undefined) {
    if (head === undefined || troubles.length > 0) throw unread.cause;
    troubles.push(`a copy of journal ${number} cannot be read (${messageOf(unread.cause)})`);
  }
  if (found.length === 0) return undefined;
  const sorted = [...frames.values()].sort((x, y) => x.sequence - y.sequence);
  // [safety] Nothing is written behind a head that is not durable in both: a power cut leaves no more than a head.
  const beheaded = head === undefined && found.some(({ bytes }) => bytes.length > journalHeadBytes);
  return { number, firstSequence: head?.firstSequence, beheaded, frames: sorted, troubles };
}
