import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { asOffset, asPartition, failureCode } from '@levee/kernel';
import type { LogDamage, StoredRecord } from '@levee/log';
import { EmbeddedLog } from '@levee/log-embedded';
import { tell } from '../../../test/support/counts';
import { dice, full, seed } from '../../../test/support/seed';

const trials = full ? 1000 : 36;
const fileLimits = { journalBytes: 24 * 1024, rejournalBytes: 8 * 1024 };
const compacted = { 'cleanup.policy': 'compact', 'segment.ms': '1', 'min.cleanable.dirty.ratio': '0' };
const folders: string[] = [];

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'levee-log-'));
  folders.push(folder);
  return folder;
}

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

const open = (location: string): Promise<EmbeddedLog> => EmbeddedLog.open({ location, cleanEveryMs: 0, fileLimits });

type Partitions = Map<string, { readonly start: number; readonly end: number; readonly records: Map<number, string> }>;

const textOf = ({ key, value }: StoredRecord): string => `${key?.toString()}=${value?.toString() ?? 'deleted'}`;

/** Everything that can be read of every partition; from behind every stretch that cannot be, reading goes on. */
async function contentOf(log: EmbeddedLog): Promise<{ partitions: Partitions; failed: LogDamage[] }> {
  const partitions: Partitions = new Map();
  const failed: LogDamage[] = [];
  for (const { name } of await log.describeTopics())
    for (const { partition, startOffset, endOffset } of await log.offsets(name)) {
      const records = new Map<number, string>();
      for (let from: number = startOffset; from < endOffset;) {
        try {
          for await (const batch of log.tail(name, partition, { nextOffset: asOffset(from), leaderEpoch: -1 })) {
            for (const record of batch.records) records.set(record.offset, textOf(record));
            from = batch.nextOffset;
            if (batch.nextOffset >= batch.endOffset) break;
          }
        } catch (error) {
          if (failureCode(error) !== 'RECORD_CORRUPT') throw error;
          const { details } = error as { details: { from: number; to: number } };
          const [fromOffset, toOffset] = [asOffset(details.from), asOffset(details.to)];
          failed.push({ topic: name, partition, fromOffset, toOffset, what: 'read' });
          if (details.to <= from) throw new Error(`${details.to} is not behind ${from}`, { cause: error });
          from = details.to;
        }
      }
      partitions.set(`${name}/${partition}`, { start: startOffset, end: endOffset, records });
    }
  return { partitions, failed };
}

/** A folder with a past: topics of every kind, several runs, cleanings, retention, a deleted topic, restarts. */
async function folderWithAPast(): Promise<string> {
  const location = newFolder();
  let log = await open(location);
  await log.ensureTopics([
    { name: 'binlog', partitions: 3, settings: compacted },
    { name: 'journal', partitions: 1, settings: { 'retention.ms': '-1' } },
    { name: 'short', partitions: 1, settings: {} },
    { name: 'gone', partitions: 2, settings: {} },
    { name: 'empty', partitions: 1, settings: {} },
  ]);
  const append = (topic: string, partition: number, key: string, value: string | null): Promise<unknown> =>
    log.append(topic, asPartition(partition), [
      { key: Buffer.from(key), value: value === null ? null : Buffer.from(value) },
    ]);
  for (let round = 0; round < 6; round++) {
    for (let n = 0; n < 60; n++) {
      await Promise.all([0, 1, 2].map((p) => append('binlog', p, `k${(n * 7 + p) % 25}`, `v${round}-${n}`.repeat(12))));
      if (n % 5 === 0) await append('binlog', n % 3, `k${n % 25}`, null);
      if (n % 3 === 0) await append('journal', 0, `j${round}`, `${n}`.repeat(40));
      if (n % 6 === 0) await append('short', 0, `s${n}`, 's');
      if (n % 6 === 0 && round < 3) await append('gone', n % 2, 'g', `${n}`);
    }
    if (round === 2) await log.compact('binlog');
    if (round === 3) await log.deleteTopics(['gone']);
    if (round === 4) {
      const [{ endOffset } = { endOffset: 0 }] = await log.offsets('short');
      await log.deleteRecordsBefore('short', asPartition(0), asOffset(endOffset - 4));
      await (
        await log.fencedWriter('master')
      ).append('journal', asPartition(0), [{ key: Buffer.from('w'), value: Buffer.from('fenced') }]);
    }
    if (round % 2 === 1 || round === 4) {
      await log.close();
      log = await open(location);
    }
  }
  await log.close();
  return location;
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

const kinds = ['one byte', 'cut', 'zeroed', 'lost', 'a zeroed block', 'grown'] as const;

/** One damage to one file. */
function damage(folder: string, name: string, kind: (typeof kinds)[number], roll: () => number): string {
  const path = join(folder, name);
  const bytes = readFileSync(path);
  const at = Math.floor(roll() * bytes.length);
  if (kind === 'lost') rmSync(path);
  else if (kind === 'cut') writeFileSync(path, bytes.subarray(0, at));
  else if (kind === 'zeroed') writeFileSync(path, Buffer.alloc(bytes.length));
  else if (kind === 'grown') writeFileSync(path, Buffer.concat([bytes, Buffer.alloc(1 + at, 0xa5)]));
  else if (kind === 'a zeroed block') writeFileSync(path, bytes.fill(0, at, Math.min(bytes.length, at + 512)));
  else if (bytes.length > 0) {
    bytes[at] = (bytes[at] as number) ^ (1 << Math.floor(roll() * 8));
    writeFileSync(path, bytes);
  }
  return `${kind} at ${at} of ${bytes.length} in ${name}`;
}

const covers = (damages: readonly LogDamage[], place: string, offset: number): boolean =>
  damages.some((d) => `${d.topic}/${d.partition}` === place && d.fromOffset <= offset && offset < d.toOffset);

/** Holds a log that was damaged to what it held before. Resolves with the number of records that are missing, named. */
async function judge(log: EmbeddedLog, before: Partitions, what: string): Promise<number> {
  const { partitions, failed } = await contentOf(log);
  const topics = [...new Set([...before.keys()].map((place) => place.split('/')[0] as string))];
  const { damage: told } = await log.examine(topics);
  const wrong: string[] = [];
  let missing = 0;
  if ([...partitions.keys()].sort().join() !== [...before.keys()].sort().join()) wrong.push('other partitions');
  for (const [place, was] of before) {
    const now = partitions.get(place);
    if (now === undefined) continue;
    if (now.end !== was.end || now.start !== was.start)
      wrong.push(`${place} is ${now.start}..${now.end}, not ${was.start}..${was.end}`);
    for (const [offset, text] of now.records)
      if (was.records.get(offset) !== text)
        wrong.push(`${place} has ${text} at ${offset}, not ${was.records.get(offset)}`);
    for (const offset of was.records.keys()) {
      if (now.records.has(offset)) continue;
      missing++;
      if (!covers(told, place, offset)) wrong.push(`${place} lacks ${offset}, and examine does not say so`);
      if (!covers(failed, place, offset)) wrong.push(`${place} lacks ${offset}, and reading did not fail there`);
    }
  }
  if (missing === 0 && told.length > 0) wrong.push(`nothing is missing, and ${JSON.stringify(told)} is told`);
  expect({ seed, what, wrong: wrong.slice(0, 5) }).toEqual({ seed, what, wrong: [] });
  return missing;
}

describe('one damaged, cut, zeroed, grown or lost file', () => {
  it(`costs nothing, or what it costs is named; ${trials} times, seed ${seed}`, async () => {
    const past = await folderWithAPast();
    const sound = await open(past);
    const { partitions: before, failed } = await contentOf(sound);
    await sound.close();
    expect(failed).toEqual([]);
    const files = filesIn(past);
    expect(files.filter((name) => name.startsWith('run-')).length).toBeGreaterThan(2);
    const roll = dice();
    let struck = 0;
    const costly = new Map<string, number>();
    for (let trial = 0; trial < trials; trial++) {
      const location = newFolder();
      cpSync(past, location, { recursive: true });
      // Every file and every kind comes in turn, whatever the dice say.
      const name = files[trial % files.length] as string;
      const kind = kinds[Math.floor(trial / files.length + trial) % kinds.length] as (typeof kinds)[number];
      const what = damage(location, name, kind, roll);
      if (!isSame(join(past, name), join(location, name))) struck++;
      let log = await open(location);
      const missing = await judge(log, before, what);
      if (missing > 0) {
        const group = name.replace(/-\d+/, '');
        costly.set(group, (costly.get(group) ?? 0) + 1);
      }
      const ends = new Map([...before].map(([place, { end }]) => [place, end]));
      for (const [place, end] of ends) {
        const [topic, partition] = place.split('/') as [string, string];
        const record = { key: Buffer.from('later'), value: Buffer.from('x') };
        const { baseOffset } = await log.append(topic, asPartition(Number(partition)), [record]);
        expect([what, place, baseOffset]).toEqual([what, place, end]);
      }
      await log.close();
      log = await open(location);
      for (const { topic, partition, fromOffset, toOffset } of (await log.examine([...topicsOf(before)])).damage)
        await log.passOver(topic, partition, { fromOffset, toOffset });
      expect([what, (await contentOf(log)).failed]).toEqual([what, []]);
      await log.compact('binlog');
      expect([what, (await contentOf(log)).failed]).toEqual([what, []]);
      await log.close();
      rmSync(location, { recursive: true, force: true });
    }
    expect(struck).toBeGreaterThan(trials * 0.7);
    // Journals and checkpoints have two copies; only runs can cost anything.
    expect([...costly.keys()].filter((group) => group !== 'run')).toEqual([]);
    expect(costly.size).toBe(1);
    tell({ scenario: 'embedded log: one damage to one file', repetitions: trials, failures: 0 });
  }, 1_800_000);
});

const topicsOf = (partitions: Partitions): Set<string> =>
  new Set([...partitions.keys()].map((place) => place.split('/')[0] as string));

function isSame(a: string, b: string): boolean {
  try {
    return statSync(a).size === statSync(b).size && readFileSync(a).equals(readFileSync(b));
  } catch {
    return false;
  }
}
