import { crc32c } from '@node-rs/crc32';
import { readU53, writeU53 } from '../slot';
import type { AppendFile, LogFiles } from './log-files';
import type { Place } from './log-store';
import { runName } from './names';
import { newSalt } from './salt';

/**
 * A run is a file of entries, written once and never changed: partition after partition, in offset order, each entry
 * behind its length (u32) and a check (u32): the CRC-32C, begun with the run's salt, of the length and the entry's own CRC.
 * So no value that looks like an entry is taken for one when the entry around it is damaged. Which stretches of which partitions it holds is told by a value in checkpoint and journal,
 * not by the file: so a lost or cut file is known with everything that it held.
 */
export interface Section extends Place {
  readonly run: number;
  readonly from: number;
  readonly to: number;
  readonly position: number;
  readonly bytes: number;
  readonly salt: number;
}

export interface Run {
  readonly number: number;
  /** Of two runs that hold the same offsets the one with the higher order counts. */
  readonly order: number;
  readonly bytes: number;
  readonly salt: number;
  readonly sections: readonly Section[];
}

const letter = 0x66;
const runHeadBytes = 24;
const sectionBytes = 40;

export function runKey(number: number): Buffer {
  const key = Buffer.alloc(9, letter);
  writeU53(key, number, 1);
  return key;
}

/** The number in a run's key; `undefined` for any other key. */
export const runOfKey = (key: Buffer): number | undefined =>
  key[0] === letter && key.length === 9 ? readU53(key, 1) : undefined;

export function encodeRun({ order, bytes, salt, sections }: Run): Buffer {
  const value = Buffer.allocUnsafe(runHeadBytes + sections.length * sectionBytes);
  writeU53(value, order, 0);
  writeU53(value, bytes, 8);
  value.writeUInt32LE(sections.length, 16);
  value.writeUInt32LE(salt, 20);
  let at = runHeadBytes;
  for (const section of sections) {
    value.writeUInt32LE(section.topic, at);
    value.writeUInt32LE(section.partition, at + 4);
    writeU53(value, section.from, at + 8);
    writeU53(value, section.to, at + 16);
    writeU53(value, section.position, at + 24);
    writeU53(value, section.bytes, at + 32);
    at += sectionBytes;
  }
  return value;
}

export function decodeRun(number: number, value: Buffer): Run {
  const sections: Section[] = [];
  const salt = value.readUInt32LE(20);
  for (let n = 0, at = runHeadBytes; n < value.readUInt32LE(16); n++, at += sectionBytes)
    sections.push({
      run: number,
      topic: value.readUInt32LE(at),
      partition: value.readUInt32LE(at + 4),
      from: readU53(value, at + 8),
      to: readU53(value, at + 16),
      position: readU53(value, at + 24),
      bytes: readU53(value, at + 32),
      salt,
    });
  return { number, order: readU53(value, 0), bytes: readU53(value, 8), salt, sections };
}

/** What the values of a checkpoint tell of runs. */
export function addRuns(values: Map<string, Buffer>, runs: Iterable<Run>): void {
  for (const run of runs) values.set(runKey(run.number).toString('latin1'), encodeRun(run));
}

/** In front of an entry. */
export const framedBytes = 8;

const checked = Buffer.alloc(8);

/** What stands between the length of an entry and the entry. */
export function checkOf(length: number, entry: Buffer, salt: number): number {
  checked.writeUInt32LE(length, 0);
  checked.writeUInt32LE(entry.length < 4 ? 0 : entry.readUInt32LE(0), 4);
  return crc32c(checked, salt);
}

/** Pieces written at once. */
const writtenBytes = 1024 * 1024;

/** Writes one run; entries of a partition come one after the other. Its sections grow until it is finished. */
export class RunWriter {
  private readonly sections: Array<{ -readonly [K in keyof Section]: Section[K] }> = [];
  private pieces: Buffer[] = [];
  private waiting = 0;
  bytes = 0;
  private readonly salt = newSalt();

  private constructor(
    readonly number: number,
    private readonly files: LogFiles,
    private readonly file: AppendFile,
  ) {}

  static async create(files: LogFiles, number: number): Promise<RunWriter> {
    return new RunWriter(number, files, await files.create(runName(number), { synced: false }));
  }

  async add({ topic, partition }: Place, entry: { base: number; next: number; bytes: Buffer }): Promise<Section> {
    let last = this.sections.at(-1);
    const size = framedBytes + entry.bytes.length;
    if (last !== undefined && last.topic === topic && last.partition === partition && last.to === entry.base) {
      last.to = entry.next;
      last.bytes += size;
    } else {
      const { base: from, next: to } = entry;
      last = { run: this.number, topic, partition, from, to, position: this.bytes, bytes: size, salt: this.salt };
      this.sections.push(last);
    }
    const frame = Buffer.allocUnsafe(framedBytes);
    frame.writeUInt32LE(entry.bytes.length);
    frame.writeUInt32LE(checkOf(frame.readUInt32LE(0), entry.bytes, this.salt), 4);
    this.pieces.push(frame, entry.bytes);
    this.waiting += size;
    this.bytes += size;
    if (this.waiting >= writtenBytes) await this.write();
    return last;
  }

  /** Durable when it resolves; it counts only once its value is in a journal or checkpoint. */
  async finish(order: number): Promise<Run> {
    await this.write();
    await this.file.sync();
    await this.file.close();
    return { number: this.number, order, bytes: this.bytes, salt: this.salt, sections: this.sections };
  }

  async abandon(): Promise<void> {
    await this.file.close().catch(() => undefined);
    await this.files.remove(runName(this.number)).catch(() => undefined);
  }

  private async write(): Promise<void> {
    const { pieces } = this;
    this.pieces = [];
    this.waiting = 0;
    if (pieces.length > 0) await this.file.append(pieces);
  }
}
