import { CrashDisk } from '@levee/crash-level';
import { asOffset, asPartition, failureCode } from '@levee/kernel';
import { logLimits, systemTimers } from '@levee/log';
import { EmbeddedLog } from '@levee/log-embedded';
import { FileStore } from '../src/store/file-store';
import type { LogDatabase } from '../src/store/level-store';
import type { LogFiles } from '../src/store/log-files';
import { CrashFiles } from './crash-files';

const p0 = asPartition(0);
const value = (text: string): { key: Buffer; value: Buffer } => ({ key: Buffer.from('k'), value: Buffer.from(text) });

/** A database whose writes can be made to fail, before or after they happened, or to hang. */
function moodyDatabase(): { db: LogDatabase; next: (mood: 'refuse' | 'fail-after' | 'hang') => () => void } {
  const db = new CrashDisk().open() as unknown as LogDatabase;
  const batch = db.batch.bind(db) as (...args: unknown[]) => Promise<void>;
  let mood: string | undefined;
  let release = (): void => undefined;
  Object.assign(db, {
    batch: async (...args: unknown[]) => {
      const now = mood;
      mood = undefined;
      if (now === 'refuse') throw new Error('no space left on device');
      if (now === 'hang') await new Promise<void>((resolve) => (release = resolve));
      await batch(...args);
      if (now === 'fail-after') throw new Error('input/output error');
    },
  });
  return { db, next: (wanted) => ((mood = wanted), () => release()) };
}

async function values(log: EmbeddedLog): Promise<string[]> {
  const read: string[] = [];
  for await (const batch of log.tail('t', p0, { nextOffset: asOffset(0), leaderEpoch: -1 })) {
    for (const record of batch.records) read.push(`${record.value?.toString()}`);
    if (batch.nextOffset >= batch.endOffset) break;
  }
  return read;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 10_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error('not within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const codeOf = (work: Promise<unknown>): Promise<string | undefined> =>
  work.then(
    () => 'ok',
    (error: unknown) => failureCode(error),
  );

describe('a write that fails', () => {
  it.each([
    ['refuse', ['before', 'after']],
    ['fail-after', ['before', 'unknown', 'after']],
  ] as const)('%s: its outcome is unknown, the log opens again by itself and holds %j', async (mood, expected) => {
    const { db, next } = moodyDatabase();
    const log = await EmbeddedLog.open({ db, cleanEveryMs: 0 });
    await log.ensureTopics([{ name: 't', partitions: 1, settings: {} }]);
    await log.append('t', p0, [value('before')]);
    const epoch = log.stats().epoch;
    next(mood);
    expect(await codeOf(log.append('t', p0, [value('unknown')]))).toBe('OUTCOME_UNKNOWN');
    await until(async () => (await codeOf(log.append('t', p0, [value('after')]))) === 'ok');
    expect(log.stats().epoch).toBe(epoch + 1);
    expect(await values(log)).toEqual(expected);
    await log.close();
  });

  it('until the log is open again appends fail definitely and are never written', async () => {
    const { db, next } = moodyDatabase();
    const log = await EmbeddedLog.open({ db, cleanEveryMs: 0 });
    await log.ensureTopics([{ name: 't', partitions: 1, settings: {} }]);
    const release = next('hang');
    const hanging = codeOf(log.append('t', p0, [value('hanging')]));
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    const behind = codeOf(log.append('t', p0, [value('behind')]));
    next('refuse');
    release();
    expect(await hanging).toBe('ok');
    expect(await behind).toBe('OUTCOME_UNKNOWN');
    expect(await codeOf(log.append('t', p0, [value('refused')]))).toBe('LOG_UNAVAILABLE');
    await until(async () => (await codeOf(log.append('t', p0, [value('after')]))) === 'ok');
    expect(await values(log)).toEqual(['hanging', 'after']);
    await log.close();
  });

  it('of a topic or a writer is said to be, and mends by itself in the same way', async () => {
    const { db, next } = moodyDatabase();
    const log = await EmbeddedLog.open({ db, cleanEveryMs: 0 });
    const specs = [{ name: 't', partitions: 1, settings: {} }];
    for (const attempt of [() => log.ensureTopics(specs), () => log.fencedWriter('w'), () => log.deleteTopics(['t'])]) {
      next('fail-after');
      expect(await codeOf(attempt())).toBe('LOG_UNAVAILABLE');
      await until(async () => (await codeOf(attempt())) === 'ok');
    }
    expect(await log.describeTopics()).toEqual([]);
    await log.close();
  });

  it('a log that is closed while it is opened again lets go of its folder behind that', async () => {
    const files = new CrashFiles().mount();
    let mood: 'fine' | 'refuses' | 'hangs' = 'fine';
    let release: (() => void) | undefined;
    let closed = false;
    const changedAfter: string[] = [];
    const changing = (name: string): void => void (closed && changedAfter.push(name));
    const bent: LogFiles = {
      ...files,
      create: async (name, options) => {
        changing(name);
        const file = await files.create(name, options);
        const append = (pieces: readonly Buffer[]): Promise<void> => {
          if (mood !== 'refuses') return file.append(pieces);
          mood = 'hangs';
          return Promise.reject(new Error('input/output error'));
        };
        return { ...file, append };
      },
      write: async (name, bytes) => {
        if (mood === 'hangs') await new Promise<void>((resolve) => (release = resolve));
        changing(name);
        return files.write(name, bytes);
      },
      remove: (name) => {
        changing(name);
        return files.remove(name);
      },
    };
    const log = await EmbeddedLog.open({ store: new FileStore(bent, { isNew: true }), cleanEveryMs: 0 });
    await log.ensureTopics([{ name: 't', partitions: 1, settings: {} }]);
    mood = 'refuses';
    expect(await codeOf(log.append('t', p0, [value('unknown')]))).toBe('OUTCOME_UNKNOWN');
    await until(() => Promise.resolve(release !== undefined));
    const closing = log.close().then(() => (closed = true));
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    mood = 'fine';
    release?.();
    await closing;
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(changedAfter).toEqual([]);
  });

  it('tails wait through it and go on', async () => {
    const { db, next } = moodyDatabase();
    const log = await EmbeddedLog.open({ db, cleanEveryMs: 0 });
    await log.ensureTopics([{ name: 't', partitions: 1, settings: {} }]);
    const seen: string[] = [];
    const reading = (async () => {
      for await (const batch of log.tail('t', p0, { nextOffset: asOffset(0), leaderEpoch: -1 }, { idleMs: 20 }))
        for (const record of batch.records) seen.push(`${record.value?.toString()}`);
    })();
    await log.append('t', p0, [value('before')]);
    next('refuse');
    await codeOf(log.append('t', p0, [value('lost')]));
    await until(async () => (await codeOf(log.append('t', p0, [value('after')]))) === 'ok');
    await until(async () => seen.includes('after'));
    await log.close();
    await reading;
    expect(seen).toEqual(['before', 'after']);
  });

  it('a write without an answer is said to be unknown after appendDeadlineMs, not waited for', async () => {
    const { db, next } = moodyDatabase();
    const due: Array<() => void> = [];
    const timers = {
      after: (delayMs: number, action: () => void) => {
        if (delayMs !== logLimits.appendDeadlineMs) return systemTimers.after(delayMs, action);
        due.push(action);
        return () => undefined;
      },
    };
    const log = await EmbeddedLog.open({ db, cleanEveryMs: 0, timers });
    await log.ensureTopics([{ name: 't', partitions: 1, settings: {} }]);
    const release = next('hang');
    const hanging = codeOf(log.append('t', p0, [value('late')]));
    await until(() => Promise.resolve(due.length > 0));
    due[0]?.();
    expect(await hanging).toBe('OUTCOME_UNKNOWN');
    expect(await codeOf(log.append('t', p0, [value('refused')]))).toBe('LOG_UNAVAILABLE');
    release();
    await until(async () => (await codeOf(log.append('t', p0, [value('after')]))) === 'ok');
    expect(await values(log)).toEqual(['late', 'after']);
    await log.close();
  });
});
