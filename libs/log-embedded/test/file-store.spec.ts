import { asOffset, asPartition, failureCode, type Timers } from '@levee/kernel';
import { systemTimers } from '@levee/log';
import { EmbeddedLog, embeddedLimits } from '@levee/log-embedded';
import { eventually } from '../../../test/support/deadline';
import { dice, full, seed } from '../../../test/support/seed';
import { encodeFreshEntry } from '../src/entry';
import { entryKey } from '../src/keys';
import { FileStore } from '../src/store/file-store';
import { encodeFrame } from '../src/store/journal-frames';
import type { AppendFile, LogFiles } from '../src/store/log-files';
import { put } from '../src/store/log-store';
import { CrashFiles } from './crash-files';

const p0 = asPartition(0);
const limits = { journalBytes: 4000, rejournalBytes: 1000 };
const record = (key: string, value: string | Buffer): { key: Buffer; value: Buffer } => ({
  key: Buffer.from(key),
  value: Buffer.from(value as string),
});

const storeOn = (files: LogFiles, isNew: boolean): FileStore => new FileStore(files, { isNew, limits });

async function values(log: EmbeddedLog, topic = 't'): Promise<Map<number, string>> {
  const [{ endOffset } = { endOffset: 0 }] = await log.offsets(topic);
  const found = new Map<number, string>();
  for (let from = 0; from < endOffset;) {
    try {
      for await (const batch of log.tail(topic, p0, { nextOffset: asOffset(from), leaderEpoch: -1 })) {
        for (const { offset, value } of batch.records) found.set(offset, `${value?.toString('latin1')}`);
        from = batch.nextOffset;
        if (batch.nextOffset >= batch.endOffset) break;
      }
    } catch (error) {
      if (failureCode(error) !== 'RECORD_CORRUPT') throw error;
      from = (error as { details: { to: number } }).details.to;
    }
  }
  return found;
}

describe('a value that looks like a part of the log', () => {
  const forgedRecord = [record('forged', 'forged')];
  const bytes = 9 + 'forged'.length * 2;
  const entry = (baseOffset: number): Buffer =>
    encodeFreshEntry({ chainIn: 0, epoch: 1, baseOffset, timestampMs: 1, bytes, groups: [forgedRecord] });
  const framed = (inner: Buffer): Buffer => {
    const head = Buffer.alloc(8);
    head.writeUInt32LE(inner.length, 0);
    return Buffer.concat([head, inner]);
  };

  it('is not taken for one when the entry or the frame around it is damaged', async () => {
    const files = new CrashFiles();
    let log = await EmbeddedLog.open({ store: storeOn(files.mount(), true), cleanEveryMs: 0 });
    await log.ensureTopics([{ name: 't', partitions: 1, settings: {} }]);
    const hostile = [3, 4, 5].flatMap((offset) => [
      framed(entry(offset)),
      ...[7, 8, 9, 10, 11].flatMap((sequence) =>
        encodeFrame(0, sequence, [put(entryKey(1, 0, offset), entry(offset))]),
      ),
    ]);
    for (let n = 0; n < 3; n++) await log.append('t', p0, [record('k', `${n}`)]);
    await log.append('t', p0, [record('k', Buffer.concat(hostile))]);
    for (let n = 4; n < 40; n++) await log.append('t', p0, [record('k', `${n}`.padEnd(200, '.'))]);
    await log.close();
    const names = files.names().filter((name) => /^(run|journal)/.test(name));
    let struck = 0;
    for (const name of names) {
      const damaged = files.copy();
      const looksFor = Buffer.from('forged');
      damaged.damage(name, (content) => {
        const at = content.indexOf(looksFor);
        if (at < 0) return content;
        struck++;
        // The head of the entry or frame around the forged ones, not them.
        const from = Math.max(32, at - 150);
        return content.fill(0xee, from, at - 100);
      });
      log = await EmbeddedLog.open({ store: storeOn(damaged.mount(), false), cleanEveryMs: 0 });
      for (const [offset, value] of await values(log)) {
        expect([name, offset, value]).not.toEqual([name, offset, 'forged']);
        if (offset !== 3) expect(value.replaceAll('.', '')).toBe(`${offset}`);
      }
      await log.close();
    }
    expect(struck).toBeGreaterThan(0);
  });
});

describe('both copies damaged', () => {
  const made = async (): Promise<CrashFiles> => {
    const files = new CrashFiles();
    const log = await EmbeddedLog.open({ store: storeOn(files.mount(), true), cleanEveryMs: 0 });
    await log.ensureTopics([{ name: 't', partitions: 1, settings: {} }]);
    for (let n = 0; n < 8; n++) await log.append('t', p0, [record('k', `value ${n}`)]);
    await log.close();
    return files;
  };

  it.each(['checkpoint', 'journal'])('lost %s: the log is refused, and nothing is changed', async (kind) => {
    const files = await made();
    for (const name of files.names()) if (name.startsWith(kind)) files.damage(name, () => undefined);
    const before = files.names();
    const opened = EmbeddedLog.open({ store: storeOn(files.mount(), false), cleanEveryMs: 0 });
    await expect(opened).rejects.toThrow(/Nothing was changed/);
    expect(files.names()).toEqual(before);
  });

  /** [safety] It may be readable again in a moment. */
  it.each([
    ['neither copy of the checkpoint', /^checkpoint/, undefined],
    ['neither copy of the journal', /^journal/, undefined],
    ['a copy of the checkpoint, and the other is damaged', /^checkpoint.*a$/, /^checkpoint.*b$/],
    ['a copy of the journal, and the other lacks something', /^journal.*b$/, /^journal.*a$/],
    ['a copy of the journal, and the other is missing', /^journal.*a$/, undefined],
  ])(
    'the disk can read %s: the log is refused, nothing is changed, and it has all afterwards',
    async (what, unreadable, struck) => {
      const files = await made();
      const whole = files.copy();
      for (const name of files.names()) {
        // Not in the last frame of a journal: of that the file itself tells nothing.
        if (struck?.test(name) === true) files.damage(name, (bytes) => bytes.fill(0xee, 40, 46));
        if (what.endsWith('missing') && /^journal.*b$/.test(name)) files.damage(name, () => undefined);
      }
      const before = files.copy();
      const mounted = files.mount();
      const read = (name: string): Promise<Buffer | undefined> =>
        unreadable.test(name)
          ? Promise.reject(Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' }))
          : mounted.read(name);
      const opened = EmbeddedLog.open({ store: storeOn({ ...mounted, read }, false), cleanEveryMs: 0 });
      await expect(opened).rejects.toThrow('EIO');
      expect(files.names().map((name) => [name, files.content(name)])).toEqual(
        before.names().map((name) => [name, before.content(name)]),
      );
      for (const each of what.endsWith('missing') ? [files, whole] : [whole]) {
        const log = await EmbeddedLog.open({ store: storeOn(each.mount(), false), cleanEveryMs: 0 });
        expect((await values(log)).size).toBe(8);
        await log.close();
      }
    },
  );

  it('the heads of the journal: the log is refused, nothing is changed, and with one put back it has everything', async () => {
    const files = await made();
    const whole = files.copy();
    for (const name of files.names())
      if (name.startsWith('journal')) files.damage(name, (bytes) => bytes.fill(bytes[24]! ^ 0x41, 24, 25));
    const before = files.copy();
    const opened = EmbeddedLog.open({ store: storeOn(files.mount(), false), cleanEveryMs: 0 });
    await expect(opened).rejects.toThrow(/heads of both copies of journal 1 .*Nothing was changed/s);
    expect(files.names().map((name) => [name, files.content(name)])).toEqual(
      before.names().map((name) => [name, before.content(name)]),
    );
    const [journal] = files.names().filter((name) => name.startsWith('journal'));
    files.damage(journal!, () => whole.content(journal!));
    const log = await EmbeddedLog.open({ store: storeOn(files.mount(), false), cleanEveryMs: 0 });
    expect((await values(log)).size).toBe(8);
    await log.close();
  });

  it('a journal that was begun and never written to is none', async () => {
    const files = await made();
    for (const copy of ['a', 'b']) {
      const file = await files.mount().create(`journal-000000000002.${copy}`, { synced: true });
      await file.append([Buffer.alloc(copy === 'a' ? 32 : 7)]);
    }
    const log = await EmbeddedLog.open({ store: storeOn(files.mount(), false), cleanEveryMs: 0 });
    expect((await values(log)).size).toBe(8);
    await log.close();
  });

  it('the same frame in the middle of both: what it held is named', async () => {
    const files = await made();
    for (const name of files.names())
      if (name.startsWith('journal'))
        files.damage(name, (bytes) => {
          const at = bytes.indexOf('value 4');
          expect(at).toBeGreaterThan(0);
          bytes[at] = 0;
          return bytes;
        });
    const log = await EmbeddedLog.open({ store: storeOn(files.mount(), false), cleanEveryMs: 0 });
    expect((await log.examine(['t'])).damage).toMatchObject([{ topic: 't', partition: 0, fromOffset: 4, toOffset: 5 }]);
    expect([...(await values(log)).keys()]).toEqual([0, 1, 2, 3, 5, 6, 7]);
    await log.close();
  });
});

/** Fails some calls, before or after they happened, as a full or dying disk does. */
class FailingFiles implements LogFiles {
  failed = 0;
  constructor(
    private readonly inner: LogFiles,
    private readonly fails: () => 'before' | 'after' | undefined,
  ) {}

  list = (): ReturnType<LogFiles['list']> => this.inner.list();
  read = (name: string): Promise<Buffer | undefined> => this.inner.read(name);
  readAt = (name: string, position: number, length: number): Promise<Buffer | undefined> =>
    this.inner.readAt(name, position, length);
  remove = (name: string): Promise<void> => this.may(() => this.inner.remove(name));
  close = (): Promise<void> => this.inner.close();
  write = (name: string, bytes: Buffer): Promise<void> => this.may(() => this.inner.write(name, bytes));
  create = async (name: string, options: { readonly synced: boolean }): Promise<AppendFile> => {
    const file = await this.may(() => this.inner.create(name, options));
    return {
      append: (pieces) => this.may(() => file.append(pieces)),
      sync: () => this.may(() => file.sync()),
      close: () => file.close(),
    };
  };

  private async may<T>(work: () => Promise<T>): Promise<T> {
    const mood = this.fails();
    if (mood !== undefined) this.failed++;
    if (mood === 'before') throw new Error('no space left on device');
    const result = await work();
    if (mood === 'after') throw new Error('input/output error');
    return result;
  }
}

/** Tries to open again soon; every other delay is as it is, so that no deadline depends on how fast the machine is. */
const timers: Timers = {
  after: (delayMs, action) => systemTimers.after(delayMs === embeddedLimits.reopenMs ? 10 : delayMs, action),
};
const compacted = { 'cleanup.policy': 'compact', 'segment.ms': '1', 'min.cleanable.dirty.ratio': '0' };

const opensAgain = (log: EmbeddedLog): Promise<unknown> =>
  eventually('the log opens again', () => log.append('t', p0, [record('last', 'last')]), 10_000, 5);

describe('a cleaning whose change is on disk although its write failed', () => {
  it('keeps the runs that it wrote', async () => {
    const disk = new CrashFiles();
    let fails = false;
    // The first synced append after the cleaning's runs are whole tells an error when it is done.
    let synced = 0;
    const files = new FailingFiles(disk.mount(), () => (fails && synced++ === 0 ? 'after' : undefined));
    const log = await EmbeddedLog.open({ store: storeOn(files, true), cleanEveryMs: 0, timers });
    await log.ensureTopics([{ name: 't', partitions: 1, settings: compacted }]);
    for (let n = 0; n < 30; n++) await log.append('t', p0, [record(`k${n % 3}`, `${n}`)]);
    const { create } = files;
    files.create = async (name, options) => {
      const file = await create(name, options);
      if (!name.startsWith('run')) return file;
      return { ...file, close: () => file.close().then(() => void (fails = true)) };
    };
    await expect(log.compact('t')).rejects.toThrow();
    await log.append('t', p0, [record('k0', 'more')]).catch(() => undefined);
    await opensAgain(log);
    expect(files.failed).toBe(1);
    expect((await log.examine(['t'])).damage).toEqual([]);
    expect([...(await values(log)).values()]).toEqual(expect.arrayContaining(['28', '29', 'last']));
    await log.close();
  });
});

describe('a cleaning beside which a write fails', () => {
  it('does not come to count after the log was opened again, when its runs may be gone', async () => {
    let fails = false;
    const files = new FailingFiles(new CrashFiles().mount(), () => (fails ? 'before' : undefined));
    const log = await EmbeddedLog.open({ store: storeOn(files, true), cleanEveryMs: 0, timers });
    await log.ensureTopics([{ name: 't', partitions: 1, settings: compacted }]);
    for (let n = 0; n < 30; n++) await log.append('t', p0, [record(`k${n % 3}`, `${n}`)]);
    let finish = (): void => undefined;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    let syncing = false;
    const { create } = files;
    files.create = async (name, options) => {
      const file = await create(name, options);
      if (!name.startsWith('run')) return file;
      files.create = create;
      return { ...file, sync: () => ((syncing = true), finished.then(() => file.sync())) };
    };
    const cleaned = log.compact('t').then(
      () => 'cleaned',
      (error: unknown) => failureCode(error),
    );
    await eventually('the run of the cleaning is synced', () => syncing, 10_000, 1);
    fails = true;
    await expect(log.append('t', p0, [record('k0', 'lost')])).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    fails = false;
    await opensAgain(log);
    finish();
    expect(await cleaned).toBe('LOG_UNAVAILABLE');
    const kept = [...(await values(log)).values()];
    expect(kept).toEqual(expect.arrayContaining(['27', '28', '29', 'last']));
    await log.compact('t');
    expect([...(await values(log)).values()]).toEqual(expect.arrayContaining(['27', '28', '29', 'last']));
    expect((await log.examine(['t'])).damage).toEqual([]);
    await log.close();
  });
});

describe('a disk whose calls fail now and then', () => {
  it(`loses nothing acknowledged, and the log goes on by itself; seed ${seed}`, async () => {
    const rounds = full ? 60 : 6;
    let failed = 0;
    for (let round = 0; round < rounds; round++) {
      const roll = dice(seed * 1000 + round);
      let calm = true;
      const files = new FailingFiles(new CrashFiles().mount(), () => {
        if (calm || roll() > 0.06) return undefined;
        return roll() < 0.5 ? 'before' : 'after';
      });
      const log = await EmbeddedLog.open({ store: storeOn(files, true), cleanEveryMs: 0, timers });
      await log.ensureTopics([{ name: 't', partitions: 1, settings: compacted }]);
      const acknowledged = new Map<number, string>();
      const definite = new Set<string>();
      calm = false;
      for (let n = 0; n < 150; n++) {
        const value = `${n}-`.padEnd(150, 'x');
        await log.append('t', p0, [record(`k${n % 20}`, value)]).then(
          ({ baseOffset }) => acknowledged.set(baseOffset, value),
          async (error: unknown) => {
            if (failureCode(error) !== 'OUTCOME_UNKNOWN') definite.add(value);
            await new Promise((resolve) => setTimeout(resolve, 3));
          },
        );
        if (n % 40 === 39) await log.compact('t').catch(() => undefined);
      }
      calm = true;
      await opensAgain(log);
      const judge = async (from: EmbeddedLog): Promise<void> => {
        const found = await values(from);
        const newest = new Map<string, number>();
        const keyOf = (value: string): number => Number(value.split('-')[0]) % 20;
        for (const [offset, value] of found) newest.set(`${keyOf(value)}`, offset);
        for (const [offset, value] of acknowledged)
          if (found.has(offset)) expect([seed, round, offset, found.get(offset)]).toEqual([seed, round, offset, value]);
          else expect(newest.get(`${keyOf(value)}`) ?? -1).toBeGreaterThan(offset);
        for (const value of found.values()) expect(definite.has(value)).toBe(false);
        expect((await from.examine(['t'])).damage).toEqual([]);
      };
      await judge(log);
      await log.close();
      const again = await EmbeddedLog.open({ store: storeOn(files, false), cleanEveryMs: 0 });
      await judge(again);
      await again.close();
      expect(acknowledged.size).toBeGreaterThan(20);
      failed += files.failed;
    }
    expect(failed).toBeGreaterThan(rounds * 3);
  }, 600_000);
});
