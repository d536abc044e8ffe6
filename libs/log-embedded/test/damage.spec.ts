import { CrashDisk } from '@levee/crash-level';
import { asOffset, asPartition, failureCode } from '@levee/kernel';
import { EmbeddedLog } from '@levee/log-embedded';
import type { LogDatabase } from '../src/store/level-store';
import { endKey, entryKey, topicKey } from '../src/keys';

const p0 = asPartition(0);
const topicNumber = 1;

async function open(disk: CrashDisk): Promise<EmbeddedLog> {
  return EmbeddedLog.open({ db: disk.open() as unknown as LogDatabase, cleanEveryMs: 0 });
}

/** A disk with the topic `t` and one entry for each value. */
async function written(values: readonly string[]): Promise<CrashDisk> {
  const disk = new CrashDisk();
  const log = await open(disk);
  await log.ensureTopics([{ name: 't', partitions: 1, settings: { 'cleanup.policy': 'compact' } }]);
  for (const value of values) await log.append('t', p0, [{ key: Buffer.from('k'), value: Buffer.from(value) }]);
  await log.close();
  return disk;
}

async function read(log: EmbeddedLog, from = 0): Promise<string[]> {
  const seen: string[] = [];
  try {
    const options = { bytesMax: 1 };
    for await (const batch of log.tail('t', p0, { nextOffset: asOffset(from), leaderEpoch: -1 }, options)) {
      for (const r of batch.records) seen.push(`${r.value?.toString()}`);
      if (batch.nextOffset >= batch.endOffset) break;
    }
  } catch (error) {
    seen.push(`${failureCode(error)} ${/offset \d+/.exec((error as Error).message)?.[0]}`);
  }
  return seen;
}

const stored = (disk: CrashDisk, key: Buffer): Buffer => {
  const found = disk.contents().find(([name]) => name.equals(key));
  if (found === undefined) throw new Error('nothing there');
  return found[1];
};

describe('damage to what was confirmed', () => {
  it('an entry exchanged for a whole one of another history is found by the chain', async () => {
    const disk = await written(['a', 'b', 'c', 'd']);
    const other = await written(['x', 'y', 'z', 'w']);
    const key = entryKey(topicNumber, 0, 2);
    const foreign = stored(other, key);
    disk.damage(key, () => foreign);
    const log = await open(disk);
    expect(await read(log)).toEqual(['a', 'b', 'RECORD_CORRUPT offset 2']);
    await log.close();
  });

  it('one damaged slot of the end costs nothing, not even the last entry', async () => {
    for (const slot of [0, 1]) {
      const disk = await written(['a', 'b', 'c']);
      disk.damage(endKey(topicNumber, 0, slot), (bytes) => bytes.fill(1, 13));
      const log = await open(disk);
      expect(await read(log)).toEqual(['a', 'b', 'c']);
      expect(await log.append('t', p0, [{ key: Buffer.from('k'), value: Buffer.from('d') }])).toEqual({
        baseOffset: 3,
      });
      await log.close();
    }
  });

  it('both slots of the end lost: the chain of entries gives it back', async () => {
    const disk = await written(['a', 'b', 'c']);
    for (const slot of [0, 1]) disk.damage(endKey(topicNumber, 0, slot), () => undefined);
    const log = await open(disk);
    expect(await read(log)).toEqual(['a', 'b', 'c']);
    await log.close();
  });

  it('both slots of the end lost after the start has moved: nothing that is left is lost', async () => {
    const disk = await written(['a', 'b', 'c', 'd']);
    let log = await open(disk);
    await log.compact('t');
    await log.append('t', p0, [{ key: Buffer.from('k'), value: Buffer.from('e') }]);
    await log.deleteRecordsBefore('t', p0, asOffset(2));
    await log.close();
    for (const slot of [0, 1]) disk.damage(endKey(topicNumber, 0, slot), () => undefined);
    log = await open(disk);
    expect(await log.offsets('t')).toMatchObject([{ partition: 0, startOffset: 2, endOffset: 5 }]);
    expect(await read(log, 2)).toEqual(['d', 'e']);
    await log.close();
  });

  it('the newest entry exchanged is found, also by a reader who begins there', async () => {
    const disk = await written(['a', 'b', 'c']);
    const foreign = stored(await written(['x', 'y', 'z']), entryKey(topicNumber, 0, 2));
    disk.damage(entryKey(topicNumber, 0, 2), () => foreign);
    const log = await open(disk);
    expect(await read(log, 2)).toEqual(['RECORD_CORRUPT offset 2']);
    await log.close();
  });

  it('one damaged copy of a topic costs nothing; both are said, not taken for a missing topic', async () => {
    const disk = await written(['a']);
    disk.damage(topicKey('t', 0), (bytes) => bytes.fill(0, 20));
    const log = await open(disk);
    expect(await read(log)).toEqual(['a']);
    await log.close();
    disk.damage(topicKey('t', 1), (bytes) => bytes.fill(0, 20));
    await expect(open(disk)).rejects.toThrow(/both copies of the description of topic t are damaged/);
  });

  it('cleaning stops at damage and drops nothing', async () => {
    const disk = await written(['a', 'b', 'c', 'd']);
    disk.damage(entryKey(topicNumber, 0, 1), (bytes) => bytes.fill(0, 66));
    const log = await open(disk);
    await expect(log.compact('t')).rejects.toMatchObject({ code: 'RECORD_CORRUPT' });
    expect(await read(log)).toEqual(['a', 'RECORD_CORRUPT offset 1']);
    expect(await read(log, 2)).toEqual(['c', 'd']);
    await log.close();
  });

  it('a cleaned stretch is held to the chain as well', async () => {
    const disk = await written(['a', 'b', 'c']);
    let log = await open(disk);
    await log.compact('t');
    await log.append('t', p0, [{ key: Buffer.from('other'), value: Buffer.from('d') }]);
    await log.close();
    const before = stored(disk, entryKey(topicNumber, 0, 0));
    const other = await written(['x', 'y', 'z']);
    log = await open(other);
    await log.compact('t');
    await log.close();
    const foreign = stored(other, entryKey(topicNumber, 0, 0));
    expect(foreign.length).toBe(before.length);
    disk.damage(entryKey(topicNumber, 0, 0), () => foreign);
    log = await open(disk);
    expect((await read(log)).at(-1)).toBe('RECORD_CORRUPT offset 3');
    await log.close();
  });
});
