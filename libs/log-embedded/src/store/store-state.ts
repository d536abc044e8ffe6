import { entryKey, isEntryKey, offsetOfEntryKey, placeOfKey, startKeys, topicKeys } from '../keys';
import { decodeStart } from '../registers';
import { newestSlot } from '../slot';
import { decodeTopic } from '../topic';
import type { JournalWrite } from './journal-frames';
import type { Place } from './log-store';
import { heldEntry, PartitionEntries } from './partition-entries';
import { decodeRun, type Run, runOfKey } from './runs';

/** What the store holds, as a fold of its checkpoint and the journal frames behind it. */
export class StoreState {
  readonly values = new Map<string, Buffer>();
  readonly runs = new Map<number, Run>();
  private readonly partitions = new Map<string, PartitionEntries & { readonly place: Place }>();
  private sortedKeys: string[] | undefined;

  apply(write: JournalWrite): void {
    const { key } = write;
    if (write.type === 'clear') return this.clear(key, write.value);
    if (isEntryKey(key)) {
      const entries = this.entriesOf(placeOfKey(key));
      if (write.type === 'put') entries.put(heldEntry(offsetOfEntryKey(key), write.value));
      else entries.remove(offsetOfEntryKey(key));
      return;
    }
    const run = runOfKey(key);
    if (run !== undefined) {
      if (write.type === 'put') this.install(decodeRun(run, write.value));
      else this.retire(run);
      return;
    }
    const name = key.toString('latin1');
    if (write.type === 'del') {
      if (this.values.delete(name)) this.sortedKeys = undefined;
    } else {
      if (!this.values.has(name)) this.sortedKeys = undefined;
      this.values.set(name, write.value);
    }
  }

  install(run: Run): void {
    this.runs.set(run.number, run);
    for (const section of run.sections)
      this.entriesOf(section).install({ section, from: section.from, to: section.to });
  }

  entriesOf({ topic, partition }: Place): PartitionEntries {
    const name = `${topic}/${partition}`;
    let known = this.partitions.get(name);
    if (known === undefined) {
      known = Object.assign(new PartitionEntries(), { place: { topic, partition } });
      this.partitions.set(name, known);
    }
    return known;
  }

  *places(): Iterable<readonly [Place, PartitionEntries]> {
    for (const entries of this.partitions.values()) yield [entries.place, entries];
  }

  /** Values with keys in `[gte, lt)`, in order. */
  valuesIn(gte: Buffer, lt: Buffer): Array<[Buffer, Buffer]> {
    const sorted = (this.sortedKeys ??= [...this.values.keys()].sort());
    const [from, to] = [gte.toString('latin1'), lt.toString('latin1')];
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sorted[middle] as string) < from) low = middle + 1;
      else high = middle;
    }
    const found: Array<[Buffer, Buffer]> = [];
    for (let at = low; at < sorted.length && (sorted[at] as string) < to; at++) {
      const name = sorted[at] as string;
      found.push([Buffer.from(name, 'latin1'), this.values.get(name) as Buffer]);
    }
    return found;
  }

  /** Whether `clear` of this range would change anything. */
  hasAny(gte: Buffer, lt: Buffer): boolean {
    if (this.valuesIn(gte, lt).length > 0) return true;
    for (const [place, { held, extents }] of this.places()) {
      const [from, to] = [boundIn(place, gte), boundIn(place, lt)];
      if (held.some(({ base }) => base >= from && base < to)) return true;
      if (extents.some((extent) => extent.from < to && extent.to > from)) return true;
    }
    return false;
  }

  private retire(number: number): void {
    const run = this.runs.get(number);
    this.runs.delete(number);
    for (const section of run?.sections ?? []) this.entriesOf(section).forget(number);
  }

  private clear(gte: Buffer, lt: Buffer): void {
    for (const [key] of this.valuesIn(gte, lt)) this.values.delete(key.toString('latin1'));
    this.sortedKeys = undefined;
    for (const [place, entries] of this.places()) {
      const [from, to] = [boundIn(place, gte), boundIn(place, lt)];
      if (from >= to) continue;
      entries.hide(from, to);
    }
  }
}

/** The first offset of a partition whose entry key is not below `key`; Infinity when all are. */
function boundIn({ topic, partition }: Place, key: Buffer): number {
  const first = entryKey(topic, partition, 0);
  if (Buffer.compare(key, first) <= 0) return 0;
  return key.length === first.length && key.subarray(0, 9).equals(first.subarray(0, 9))
    ? offsetOfEntryKey(key)
    : Infinity;
}

/** Numbers of the topics that there are. */
export function topicNumbersIn(state: StoreState): Set<number> {
  const numbers = new Set<number>();
  for (const [, value] of state.valuesIn(topicKeys.gte, topicKeys.lt)) {
    const slot = newestSlot(value);
    if (slot !== undefined) numbers.add(decodeTopic(slot.payload).number);
  }
  return numbers;
}

/** First offset of the partitions whose start has moved, by `topic/partition`. */
export function startsIn(state: StoreState): Map<string, number> {
  const starts = new Map<string, number>();
  for (const [key, value] of state.valuesIn(startKeys.gte, startKeys.lt)) {
    const { topic, partition } = placeOfKey(key);
    const slot = newestSlot(value);
    const name = `${topic}/${partition}`;
    if (slot !== undefined) starts.set(name, Math.max(starts.get(name) ?? 0, decodeStart(slot).start));
  }
  return starts;
}
