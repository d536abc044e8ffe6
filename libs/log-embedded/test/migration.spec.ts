import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { asOffset, asPartition } from '@levee/kernel';
import { EmbeddedLog } from '@levee/log-embedded';
import { entryKey } from '../src/keys';
import type { LogDatabase } from '../src/store/level-store';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

const buffers = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const;
const level = (location: string): LogDatabase =>
  new ClassicLevel<Buffer, Buffer>(join(location, 'entries'), {
    ...buffers,
    compression: false,
  }) as unknown as LogDatabase;
const p0 = asPartition(0);
const record = (key: string, value: string | null): { key: Buffer; value: Buffer | null } => ({
  key: Buffer.from(key),
  value: value === null ? null : Buffer.from(value),
});

/** A folder as versions before files of our own left it: LevelDB in `entries`, and the owner's file. */
async function oldFolder(): Promise<string> {
  const location = mkdtempSync(join(tmpdir(), 'levee-log-'));
  folders.push(location);
  const log = await EmbeddedLog.open({ db: level(location), cleanEveryMs: 0 });
  await log.ensureTopics([
    { name: 'binlog', partitions: 2, settings: { 'cleanup.policy': 'compact' } },
    { name: 'journal', partitions: 1, settings: { 'retention.ms': '-1' } },
    { name: 'gone', partitions: 1, settings: {} },
  ]);
  for (let n = 0; n < 40; n++) await log.append('binlog', asPartition(n % 2), [record(`k${n % 9}`, `v${n}`)]);
  await log.compact('binlog');
  for (let n = 40; n < 60; n++)
    await log.append('binlog', asPartition(n % 2), [record(`k${n % 9}`, n % 4 ? `v${n}` : null)]);
  for (let n = 0; n < 10; n++) await log.append('journal', p0, [record('j', `${n}`)]);
  await log.append('gone', p0, [record('g', 'g')]);
  await log.deleteTopics(['gone']);
  await log.deleteRecordsBefore('journal', p0, asOffset(3));
  await (await log.fencedWriter('master')).append('journal', p0, [record('w', 'fenced')]);
  await log.close();
  writeFileSync(join(location, 'owner.json'), JSON.stringify({ pid: 1, openedAtMs: 0, doors: {}, epoch: 5 }));
  return location;
}

async function contentOf(log: EmbeddedLog): Promise<unknown> {
  const content: unknown[] = [await log.describeTopics()];
  for (const { name } of await log.describeTopics())
    for (const { partition, startOffset, endOffset } of await log.offsets(name)) {
      content.push([name, partition, startOffset, endOffset]);
      for await (const batch of log.tail(name, partition, { nextOffset: startOffset, leaderEpoch: -1 })) {
        for (const { offset, timestampMs, key, value } of batch.records)
          content.push([offset, timestampMs, key?.toString(), value?.toString() ?? null]);
        if (batch.nextOffset >= batch.endOffset) break;
      }
    }
  return content;
}

const open = (location: string): Promise<EmbeddedLog> => EmbeddedLog.open({ location, cleanEveryMs: 0 });

describe('a folder of an older version', () => {
  it('is brought over with everything in it, once', async () => {
    const location = await oldFolder();
    const old = await EmbeddedLog.open({ db: level(location), cleanEveryMs: 0 });
    const before = await contentOf(old);
    const { epoch } = old.stats();
    await old.close();
    for (let n = 1; n <= 2; n++) {
      const log = await open(location);
      expect(await contentOf(log)).toEqual(before);
      expect((await log.examine(['binlog', 'journal'])).damage).toEqual([]);
      expect(log.stats().epoch).toBeGreaterThan(Math.max(epoch, 5));
      expect((await log.fencedWriter('master')).epoch).toBe(n);
      expect(statSync(join(location, 'entries')).isFile()).toBe(true);
      await log.close();
    }
    const log = await open(location);
    const [{ endOffset } = { endOffset: -1 }] = await log.offsets('binlog');
    expect(await log.append('binlog', p0, [record('k', 'new')])).toEqual({ baseOffset: endOffset });
    await log.compact('binlog');
    await log.close();
  });

  it('that was cut short while it was brought over is brought over from the start', async () => {
    const location = await oldFolder();
    const old = await EmbeddedLog.open({ db: level(location), cleanEveryMs: 0 });
    const before = await contentOf(old);
    await old.close();
    writeFileSync(join(location, 'run-000000000001'), Buffer.alloc(100, 1));
    writeFileSync(join(location, 'run-000000000007'), Buffer.alloc(100, 1));
    writeFileSync(join(location, 'journal-000000000001.a'), Buffer.alloc(7));
    const log = await open(location);
    expect(await contentOf(log)).toEqual(before);
    await log.close();
  });

  it('is refused by the older version from then on: no empty log begins beside the one in use', async () => {
    const fresh = mkdtempSync(join(tmpdir(), 'levee-log-'));
    folders.push(fresh);
    for (const location of [await oldFolder(), fresh]) {
      await (await open(location)).close();
      const before = readdirSync(location).sort();
      // Older versions make their database where there is none.
      await expect(level(location).open()).rejects.toThrow();
      expect(readdirSync(location).sort()).toEqual(before);
      rmSync(join(location, 'entries'));
      await (await open(location)).close();
      expect(readdirSync(location).sort()).toEqual(expect.arrayContaining(['entries']));
    }
  });

  it('whose CURRENT is missing is refused, and nothing in it is changed', async () => {
    const location = await oldFolder();
    rmSync(join(location, 'entries', 'CURRENT'));
    const before = readdirSync(join(location, 'entries')).sort();
    await expect(open(location)).rejects.toThrow(/entries\/CURRENT is missing. Nothing was changed/);
    expect(readdirSync(join(location, 'entries')).sort()).toEqual(before);
  });

  it('keeps what was damaged in it a named hole', async () => {
    const location = await oldFolder();
    const db = level(location);
    await db.open();
    const key = entryKey(2, 0, 5);
    const value = Buffer.from((await db.get(key, buffers)) as Buffer);
    value[70] = (value[70] as number) ^ 1;
    await db.put(key, value, buffers);
    await db.close();
    const log = await open(location);
    expect((await log.examine(['binlog', 'journal'])).damage).toMatchObject([
      { topic: 'journal', partition: 0, fromOffset: 5, toOffset: 6 },
    ]);
    await log.close();
  });
});
