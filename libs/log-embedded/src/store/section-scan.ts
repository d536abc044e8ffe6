import { readHead } from '../entry';
import type { LogFiles } from './log-files';
import type { FoundEntry } from './log-store';
import { runName } from './names';
import { floorIndex } from './partition-entries';
import { checkOf, framedBytes, type Section } from './runs';

export interface ScannedEntry extends FoundEntry {
  readonly next: number;
}

const chunkBytes = 256 * 1024;
const entryBytesMin = 64;

/** Reads the entries of a section in order. What is damaged is left out: reading goes on at the next whole entry. */
export class SectionScan {
  private position: number;
  private expected: number;
  private readonly end: number;

  constructor(
    private readonly files: LogFiles,
    private readonly section: Section,
    private readonly indexes: SectionIndexes,
    fromOffset: number,
  ) {
    const known = indexes.floor(section, fromOffset);
    this.position = known?.position ?? section.position;
    this.expected = known?.base ?? section.from;
    this.end = section.position + section.bytes;
  }

  /** Some more entries; none at the end. */
  async more(): Promise<readonly ScannedEntry[]> {
    let wanted = chunkBytes;
    while (this.position < this.end) {
      const asked = Math.min(wanted, this.end - this.position);
      const chunk = await this.read(this.position, asked);
      const { entries, cut } = this.parse(chunk);
      if (entries.length > 0) return entries;
      if (cut !== undefined && cut > asked && chunk.length === asked) wanted = cut;
      else await this.findNext();
    }
    return [];
  }

  private async read(position: number, length: number): Promise<Buffer> {
    const bytes = await this.files.readAt(runName(this.section.run), position, length).catch((error: unknown) => {
      // A place that the disk cannot read is damage like any other; no open file left is not.
      if ((error as NodeJS.ErrnoException).code === 'EIO') return undefined;
      throw error;
    });
    return bytes ?? Buffer.alloc(0);
  }

  /** `cut`: the bytes that the first entry needs, when the chunk has not all of it. */
  private parse(chunk: Buffer): { readonly entries: ScannedEntry[]; readonly cut?: number } {
    const entries: ScannedEntry[] = [];
    let at = 0;
    while (at + framedBytes <= chunk.length) {
      const size = framedBytes + chunk.readUInt32LE(at);
      if (size < framedBytes + entryBytesMin || this.position + size > this.end) break;
      if (at + size > chunk.length) return entries.length > 0 ? { entries } : { entries, cut: size };
      const entry = this.entryAt(chunk, at, size);
      if (entry === undefined) break;
      entries.push(entry);
      at += size;
    }
    return { entries };
  }

  private entryAt(chunk: Buffer, at: number, size: number): ScannedEntry | undefined {
    const bytes = chunk.subarray(at + framedBytes, at + size);
    if (chunk.readUInt32LE(at + 4) !== checkOf(bytes.length, bytes, this.section.salt)) return undefined;
    const head = readHead(bytes);
    if (typeof head === 'string' || head.baseOffset < this.expected || head.nextOffset > this.section.to)
      return undefined;
    this.indexes.note(this.section, head.baseOffset, this.position);
    this.position += size;
    this.expected = head.nextOffset;
    return { base: head.baseOffset, next: head.nextOffset, bytes, head };
  }

  /** Looks for the next whole entry behind a damaged place: anything that has a length, a head and a CRC that agree. */
  private async findNext(): Promise<void> {
    const from = this.position + 1;
    const rest = from < this.end ? await this.read(from, this.end - from) : Buffer.alloc(0);
    for (let at = 0; at + framedBytes + entryBytesMin <= rest.length; at++) {
      const entryAt = at + framedBytes;
      // Magic and two zeros first: they rule out nearly everything at once.
      if (rest[entryAt + 4] !== 1 || rest[entryAt + 6] !== 0 || rest[entryAt + 7] !== 0) continue;
      const length = rest.readUInt32LE(at);
      if (length < entryBytesMin || entryAt + length > rest.length) continue;
      const entry = rest.subarray(entryAt, entryAt + length);
      if (rest.readUInt32LE(at + 4) !== checkOf(length, entry, this.section.salt)) continue;
      const head = readHead(entry);
      if (typeof head === 'string' || head.baseOffset < this.expected || head.nextOffset > this.section.to) continue;
      this.position = from + at;
      return;
    }
    this.position = this.end;
  }
}

/** Distance of two known places in a section. */
const indexEveryBytes = 64 * 1024;
const sectionsMax = 1024;

/** Remembers where entries were found, so that the next search need not begin at the start of their section. */
export class SectionIndexes {
  private readonly bySection = new Map<Section, Array<{ readonly base: number; readonly position: number }>>();

  note(section: Section, base: number, position: number): void {
    const known = this.bySection.get(section);
    if (known === undefined) {
      this.bySection.set(section, [{ base, position }]);
      if (this.bySection.size > sectionsMax) {
        const [oldest] = this.bySection.keys();
        if (oldest !== undefined) this.bySection.delete(oldest);
      }
      return;
    }
    const last = known.at(-1);
    if (last === undefined || position >= last.position + indexEveryBytes) known.push({ base, position });
  }

  floor(section: Section, offset: number): { readonly base: number; readonly position: number } | undefined {
    const known = this.bySection.get(section);
    return known?.[floorIndex(known, ({ base }) => base, offset)];
  }
}
