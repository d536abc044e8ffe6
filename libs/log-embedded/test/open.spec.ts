import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asOffset, asPartition, failureCode } from '@levee/kernel';
import type { LogPosition } from '@levee/log';
import { EmbeddedLog, holdsLog } from '@levee/log-embedded';

const p0 = asPartition(0);
const folders: string[] = [];

function folder(): string {
  const location = mkdtempSync(join(tmpdir(), 'levee-log-'));
  folders.push(location);
  return location;
}

afterAll(() => {
  for (const location of folders) rmSync(location, { recursive: true, force: true });
});

const openFolder = (location: string): Promise<EmbeddedLog> => EmbeddedLog.open({ location, cleanEveryMs: 0 });
const record = (n: number): { key: Buffer; value: Buffer } => ({
  key: Buffer.from(`k${n}`),
  value: Buffer.from(`v${n}`),
});

/** Offset and value of everything from `from` on, then how it ended. */
async function read(
  log: EmbeddedLog,
  from: LogPosition,
): Promise<{ seen: Map<number, string>; ended: string; epoch: number }> {
  const seen = new Map<number, string>();
  let epoch = -1;
  try {
    for await (const batch of log.tail('t', p0, from)) {
      for (const r of batch.records) seen.set(r.offset, `${r.value?.toString()}`);
      epoch = batch.leaderEpoch;
      if (batch.nextOffset >= batch.endOffset) break;
    }
    return { seen, ended: 'end', epoch };
  } catch (error) {
    return { seen, ended: failureCode(error) ?? String(error), epoch };
  }
}

describe('a folder', () => {
  it('is made when it is missing, and keeps everything', async () => {
    const location = join(folder(), 'deep', 'below');
    const first = await openFolder(location);
    expect(first.description).toBe(`embedded ${location}`);
    await first.ensureTopics([{ name: 't', partitions: 1, settings: {} }]);
    await Promise.all(Array.from({ length: 1000 }, (_, n) => first.append('t', p0, [record(n)])));
    await first.close();
    const second = await openFolder(location);
    const { seen, ended } = await read(second, { nextOffset: asOffset(0), leaderEpoch: -1 });
    expect([seen.size, ended]).toEqual([1000, 'end']);
    await second.close();
  });

  it('says whether a log was ever in it, whatever is left of that', async () => {
    const location = folder();
    expect([await holdsLog(location), await holdsLog(join(location, 'none'))]).toEqual([false, false]);
    writeFileSync(join(location, 'syslog'), 'of somebody else');
    expect(await holdsLog(location)).toBe(false);
    const log = await openFolder(location);
    await log.close();
    for (const name of readdirSync(location).sort()) {
      expect([name, await holdsLog(location)]).toEqual([name, true]);
      if (readdirSync(location).length > 3) rmSync(join(location, name), { recursive: true });
    }
  });

  it('has one owner: a second opener is refused, naming process, doors and the mend', async () => {
    const location = folder();
    const doors = { resp: '127.0.0.1:7379', http: 'http://127.0.0.1:7380' };
    const first = await EmbeddedLog.open({ location, doors });
    const refused = EmbeddedLog.open({ location });
    await expect(refused).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    await expect(refused).rejects.toThrow(
      `the log in ${location} is open in process ${process.pid} (resp 127.0.0.1:7379, http http://127.0.0.1:7380): ` +
        'use that one, stop it first, or choose another folder',
    );
    await first.close();
    await (await EmbeddedLog.open({ location })).close();
  });

  it('whose owner died without a goodbye opens: the lock decides, not what the file says', async () => {
    const location = folder();
    await (await openFolder(location)).close();
    writeFileSync(join(location, 'owner.json'), JSON.stringify({ pid: 1, openedAtMs: 0, doors: {}, epoch: 41 }));
    const log = await openFolder(location);
    expect(log.stats().epoch).toBeGreaterThan(41);
    await log.close();
  });

  it('that cannot be opened says which and why', async () => {
    const location = join(folder(), 'file');
    writeFileSync(location, 'not a folder');
    await expect(openFolder(location)).rejects.toThrow(`cannot make the folder of the log, ${location}: `);
    await expect(openFolder(location)).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
  });

  it('every opening is a higher leader epoch, also by the owner`s file alone', async () => {
    const location = folder();
    const epochs: number[] = [];
    for (let n = 0; n < 3; n++) {
      const log = await openFolder(location);
      epochs.push(log.stats().epoch);
      await log.close();
      if (n === 1) rmSync(join(location, 'owner.json'));
    }
    expect(epochs).toEqual([...new Set(epochs)].sort((a, b) => a - b));
  });

  it.each([
    ['its owner`s file is whole', () => undefined],
    ['its owner`s file is damaged', (location: string) => writeFileSync(join(location, 'owner.json'), '\0\0')],
    ['its owner`s file is empty', (location: string) => writeFileSync(join(location, 'owner.json'), '')],
  ])('that was in use is never taken for a new one: %s', async (_what, change) => {
    const location = folder();
    const log = await openFolder(location);
    await log.ensureTopics([{ name: 't', partitions: 1, settings: {} }]);
    await log.append('t', p0, [record(1)]);
    await log.close();
    for (const name of readdirSync(location)) if (name.startsWith('checkpoint')) rmSync(join(location, name));
    change(location);
    const before = readdirSync(location).sort();
    const refused = openFolder(location);
    await expect(refused).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    await expect(refused).rejects.toThrow(/was in use, and its checkpoints are missing. Nothing was changed/);
    expect(readdirSync(location).sort()).toEqual(before);
  });

  // Address 0 of a process can be opened, and not read: EIO, as a disk says it.
  it.each([/^owner/, /^checkpoint.*a$/, /^checkpoint.*b$/, /^journal.*a$/, /^journal.*b$/])(
    'opens with everything when the disk cannot read %s',
    async (pattern) => {
      if (!existsSync('/proc/self/mem')) return;
      const location = folder();
      let log = await openFolder(location);
      await log.ensureTopics([{ name: 't', partitions: 1, settings: {} }]);
      for (let n = 0; n < 3; n++) await log.append('t', p0, [record(n)]);
      await log.close();
      const names = readdirSync(location).filter((name) => pattern.test(name));
      expect(names.length).toBe(1);
      for (const name of names) {
        rmSync(join(location, name));
        symlinkSync('/proc/self/mem', join(location, name));
      }
      log = await openFolder(location);
      const { seen, ended } = await read(log, { nextOffset: asOffset(0), leaderEpoch: -1 });
      expect([[...seen.values()], ended]).toEqual([['v0', 'v1', 'v2'], 'end']);
      await log.close();
    },
  );

  it('whose making was cut short is made', async () => {
    const location = folder();
    const owner = { pid: 1, openedAtMs: 0, doors: {}, epoch: 0, isNew: true };
    writeFileSync(join(location, 'owner.json'), JSON.stringify(owner));
    writeFileSync(join(location, 'journal-000000000001.a'), Buffer.alloc(10));
    const log = await openFolder(location);
    expect(await log.describeTopics()).toEqual([]);
    await log.close();
  });

  it('any of whose lock`s files is damaged opens all the same, and is still locked', async () => {
    const location = folder();
    await (await openFolder(location)).close();
    for (const name of readdirSync(join(location, 'lock'))) {
      writeFileSync(join(location, 'lock', name), Buffer.alloc(40, 0xff));
      const log = await openFolder(location);
      await expect(openFolder(location)).rejects.toThrow(/is open in process/);
      await log.close();
    }
  });
});

describe('topics', () => {
  it('what cannot be is refused by name', async () => {
    const location = folder();
    const log = await openFolder(location);
    const specs: Array<[Record<string, string>, RegExp]> = [
      [{ 'message.timestamp.type': 'CreateTime' }, /topic x: message.timestamp.type is always LogAppendTime/],
      [{ 'retention.bytes': '1000' }, /topic x: retention.bytes is always -1/],
      [{ 'cleanup.policy': 'shred' }, /cleanup.policy is compact, delete or compact,delete, not shred/],
      [{ 'retention.ms': 'soon' }, /retention.ms is a whole number from -1 on, not soon/],
    ];
    for (const [settings, message] of specs)
      await expect(log.ensureTopics([{ name: 'x', partitions: 1, settings }])).rejects.toThrow(message);
    await expect(log.ensureTopics([{ name: 'a/b', partitions: 1, settings: {} }])).rejects.toThrow(/a topic name has/);
    await expect(log.ensureTopics([{ name: 'x', partitions: 0, settings: {} }])).rejects.toThrow(/1 to 4096/);
    await log.close();
  });

  it('a misconfigured one is mended with alterTopic, as its failure says', async () => {
    const location = folder();
    const log = await openFolder(location);
    await log.ensureTopics([{ name: 't', partitions: 1, settings: {} }]);
    const wanted = [{ name: 't', partitions: 1, settings: { 'retention.ms': '1000' } }];
    await expect(log.ensureTopics(wanted)).rejects.toThrow(/alterTopic\('t', \{ 'retention.ms': '1000' \}\)/);
    await log.alterTopic('t', { 'retention.ms': '1000' });
    await log.ensureTopics(wanted);
    await log.close();
  });
});
