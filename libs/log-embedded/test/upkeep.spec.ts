import { CrashDisk } from '@levee/crash-level';
import { asOffset, asPartition, failureCode, type Logger } from '@levee/kernel';
import type { LogRecord } from '@levee/log';
import { EmbeddedLog } from '@levee/log-embedded';
import { eventually } from '../../../test/support/deadline';
import type { LogDatabase } from '../src/store/level-store';
import { entryKey } from '../src/keys';

const p0 = asPartition(0);
const compacted = { 'cleanup.policy': 'compact', 'segment.ms': '1', 'min.cleanable.dirty.ratio': '0' };
const record = (key: string, value: string): LogRecord => ({ key: Buffer.from(key), value: Buffer.from(value) });
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('cleaning beside damage', () => {
  it('a damaged entry is named, and the topics behind it are cleaned all the same', async () => {
    const disk = new CrashDisk();
    const open = (cleanEveryMs: number, logger?: Logger): Promise<EmbeddedLog> => {
      const db = disk.open() as unknown as LogDatabase;
      return EmbeddedLog.open({ db, cleanEveryMs, ...(logger === undefined ? {} : { logger }) });
    };
    let log = await open(0);
    for (const name of ['a', 'b', 'c']) await log.ensureTopics([{ name, partitions: 1, settings: compacted }]);
    for (let n = 0; n < 10; n++) for (const name of ['a', 'b', 'c']) await log.append(name, p0, [record('k', `${n}`)]);
    await log.close();
    disk.damage(entryKey(1, 0, 4), (bytes) => bytes.fill(0, 70));
    const said: string[] = [];
    const say = (fields: object, message: string): void => void said.push(`${message} ${JSON.stringify(fields)}`);
    log = await open(10, { debug: () => undefined, info: () => undefined, warn: say, error: say });
    const kept = async (name: string): Promise<number> => {
      let count = 0;
      for await (const batch of log.tail(name, p0, { nextOffset: asOffset(5), leaderEpoch: -1 })) {
        count += batch.records.length;
        if (batch.nextOffset >= batch.endOffset) return count;
      }
      return -1;
    };
    await eventually('b and c are cleaned', async () => (await kept('b')) === 1 && (await kept('c')) === 1);
    expect((await log.examine(['a', 'b', 'c'])).damage).toMatchObject([
      { topic: 'a', partition: 0, fromOffset: 4, toOffset: 5 },
    ]);
    expect(said.filter((line) => line.includes('lost or damaged'))).toHaveLength(1);
    await log.passOver('a', p0, { fromOffset: asOffset(4), toOffset: asOffset(5) });
    await eventually('a is cleaned', async () => (await kept('a')) === 1);
    await log.close();
  });
});

describe('offsetAt', () => {
  it('answers right when the cleaner replaces entries between any two of its looks', async () => {
    let struck = 0;
    for (let look = 1; look <= 12; look++) {
      const db = new CrashDisk().open() as unknown as LogDatabase;
      let nowMs = 1000;
      const clock = { nowMs: () => nowMs, monotonicMs: () => performance.now() };
      const log = await EmbeddedLog.open({ db, cleanEveryMs: 0, clock });
      await log.ensureTopics([{ name: 't', partitions: 1, settings: compacted }]);
      for (let n = 0; n < 30; n++) {
        nowMs += 10;
        await log.append('t', p0, [record(`k${n}`, 'v')]);
      }
      nowMs += 1000;
      const iterator = db.iterator.bind(db) as (...args: unknown[]) => { close: () => Promise<void> };
      let looks = 0;
      Object.assign(db, {
        iterator: (...args: unknown[]) => {
          const opened = iterator(...args);
          const close = opened.close.bind(opened);
          return Object.assign(opened, {
            close: async () => {
              await close();
              if (++looks !== look) return;
              await log.compact('t');
              struck++;
            },
          });
        },
      });
      // Nothing is superseded, so every record stays where its time puts it.
      expect(await log.offsetAt('t', p0, 1000 + 18 * 10)).toBe(17);
      await log.close();
    }
    expect(struck).toBeGreaterThan(5);
  });
});

describe('an append that cannot be encoded', () => {
  it('fails alone, and what waits after it is written', async () => {
    const db = new CrashDisk().open() as unknown as LogDatabase;
    const log = await EmbeddedLog.open({ db, cleanEveryMs: 0 });
    await log.ensureTopics([{ name: 't', partitions: 2, settings: {} }]);
    const growing = [record('k', 'a')];
    const bad = log.append('t', p0, growing).then(
      () => 'ok',
      (error: unknown) => failureCode(error),
    );
    const besides = log.append('t', asPartition(1), [record('k', 'b')]);
    // The caller changes what it has handed over: more bytes than were counted.
    growing.push(record('k', 'x'.repeat(1000)));
    expect(await bad).toBe('LOG_UNAVAILABLE');
    expect((await besides).baseOffset).toBe(0);
    // And when there is nothing else to write.
    const lone = [record('k', 'a')];
    const alone = log.append('t', p0, lone).catch((error: unknown) => failureCode(error));
    lone.push(record('k', 'x'.repeat(1000)));
    expect(await alone).toBe('LOG_UNAVAILABLE');
    expect((await log.append('t', p0, [record('k', 'c')])).baseOffset).toBe(0);
    expect(log.stats().queuedBytes).toBe(0);
    await log.close();
  });

  it.each([
    ['a header name of 70,000 bytes', [{ key: 'h'.repeat(70_000), value: Buffer.alloc(0) }]],
    ['70,000 headers', Array.from({ length: 70_000 }, () => ({ key: '', value: Buffer.alloc(0) }))],
  ])('is refused at once: %s', async (_what, headers) => {
    const db = new CrashDisk().open() as unknown as LogDatabase;
    const log = await EmbeddedLog.open({ db, cleanEveryMs: 0 });
    await log.ensureTopics([{ name: 't', partitions: 1, settings: {} }]);
    await expect(log.append('t', p0, [{ ...record('k', 'v'), headers }])).rejects.toMatchObject({ code: 'TOO_LARGE' });
    expect((await log.append('t', p0, [record('k', 'c')])).baseOffset).toBe(0);
    await log.close();
  });
});

describe('a tail that fails', () => {
  it('is let go of, also when it finds out while it looks again', async () => {
    const disk = new CrashDisk();
    const first = await EmbeddedLog.open({ db: disk.open() as unknown as LogDatabase, cleanEveryMs: 0 });
    await first.ensureTopics([{ name: 't', partitions: 1, settings: {} }]);
    for (let n = 0; n < 4; n++) await first.append('t', p0, [record('k', `${n}`)]);
    await first.close();
    const db = disk.open() as unknown as LogDatabase;
    const second = await EmbeddedLog.open({ db, cleanEveryMs: 0 });
    Object.assign(db, {
      iterator: () => {
        throw new Error('input/output error');
      },
    });
    const tail = second.tail('t', p0, { nextOffset: asOffset(1), leaderEpoch: -1 })[Symbol.asyncIterator]();
    const next = tail.next().catch((error: unknown) => failureCode(error));
    await turn();
    Reflect.deleteProperty(db, 'iterator');
    // Before the tail looks again, the start moves past it.
    await second.deleteRecordsBefore('t', p0, asOffset(3));
    expect(await next).toBe('OFFSET_OUT_OF_RANGE');
    expect(second.stats().tails).toBe(0);
    expect(await tail.next()).toEqual({ done: true, value: undefined });
    await second.close();
  });
});
