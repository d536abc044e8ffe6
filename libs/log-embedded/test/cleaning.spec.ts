import fc from 'fast-check';
import { MemoryLevel } from 'memory-level';
import { asOffset, asPartition, type Clock, type Timers } from '@levee/kernel';
import type { StoredRecord } from '@levee/log';
import { EmbeddedLog } from '@levee/log-embedded';
import type { LogDatabase } from '../src/store/level-store';

const p0 = asPartition(0);
const hour = 3_600_000;

class ManualTime implements Clock, Timers {
  now = 1_700_000_000_000;
  private due: Array<{ at: number; action: () => void }> = [];
  nowMs = (): number => this.now;
  monotonicMs = (): number => this.now;
  after = (delayMs: number, action: () => void): (() => void) => {
    const timer = { at: this.now + delayMs, action };
    this.due.push(timer);
    return () => void (this.due = this.due.filter((other) => other !== timer));
  };
  pass(ms: number): void {
    this.now += ms;
    const due = this.due.filter((timer) => timer.at <= this.now);
    this.due = this.due.filter((timer) => timer.at > this.now);
    for (const timer of due) timer.action();
  }
}

const memory = (): LogDatabase =>
  new MemoryLevel<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' }) as unknown as LogDatabase;

async function openAt(
  time: ManualTime,
  settings: Record<string, string>,
  db = memory(),
  cleanEveryMs = 0,
): Promise<EmbeddedLog> {
  const log = await EmbeddedLog.open({ db, clock: time, timers: time, cleanEveryMs });
  await log.ensureTopics([{ name: 't', partitions: 1, settings }]);
  return log;
}

async function read(log: EmbeddedLog, from = 0): Promise<StoredRecord[]> {
  const records: StoredRecord[] = [];
  for await (const batch of log.tail('t', p0, { nextOffset: asOffset(from), leaderEpoch: -1 })) {
    records.push(...batch.records);
    if (batch.nextOffset >= batch.endOffset) break;
  }
  return records;
}

const put = (log: EmbeddedLog, key: string, value: string | null): Promise<unknown> =>
  log.append('t', p0, [{ key: Buffer.from(key), value: value === null ? null : Buffer.from(value) }]);
const offsets = (records: readonly StoredRecord[]): number[] => records.map((r) => Number(r.offset));

async function until(condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 10_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error('not within 10 s');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('cleaning', () => {
  it('retention.ms drops what is older from the start, by itself; readers below are out of range', async () => {
    const time = new ManualTime();
    const log = await openAt(time, { 'retention.ms': `${hour}` }, memory(), 1000);
    await put(log, 'a', '0');
    await put(log, 'a', '1');
    time.pass(hour / 2);
    await put(log, 'a', '2');
    time.pass(hour / 2 + 1);
    await until(async () => (await log.offsets('t'))[0]?.startOffset === 2);
    expect(offsets(await read(log, 2))).toEqual([2]);
    await expect(read(log, 1)).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' });
    time.pass(hour);
    await until(async () => (await log.offsets('t'))[0]?.startOffset === 3);
    expect(await read(log, 3)).toEqual([]);
    await put(log, 'a', '3');
    expect(offsets(await read(log, 3))).toEqual([3]);
    await log.close();
  });

  it('retention.ms=-1 keeps everything', async () => {
    const time = new ManualTime();
    const log = await openAt(time, { 'retention.ms': '-1' }, memory(), 1000);
    await put(log, 'a', '0');
    time.pass(100_000 * hour);
    await put(log, 'a', '1');
    expect(await log.compact('t')).toBe(0);
    expect(offsets(await read(log))).toEqual([0, 1]);
    await log.close();
  });

  it('a compacted topic is cleaned in the background once records are old and dirty enough', async () => {
    const time = new ManualTime();
    const settings = { 'cleanup.policy': 'compact', 'segment.ms': '1000', 'min.compaction.lag.ms': '5000' };
    const log = await openAt(time, settings, memory(), 1000);
    for (let n = 0; n < 10; n++) await put(log, 'same', `${n}`);
    time.pass(2000);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await read(log)).toHaveLength(10);
    time.pass(4000);
    await until(async () => (await read(log)).length === 1);
    expect(offsets(await read(log))).toEqual([9]);
    await log.close();
  });

  it('without a nudge the newest stretch is left alone (segment.ms, segment.bytes)', async () => {
    const time = new ManualTime();
    const log = await openAt(time, { 'cleanup.policy': 'compact' }, memory(), 1000);
    for (let n = 0; n < 10; n++) await put(log, 'same', `${n}`);
    for (let n = 0; n < 5; n++) {
      time.pass(hour);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(await read(log)).toHaveLength(10);
    await log.close();
  });

  it('a tombstone goes in the second cleaning, delete.retention.ms after the first, also over a restart', async () => {
    const time = new ManualTime();
    const settings = { 'cleanup.policy': 'compact', 'delete.retention.ms': `${hour}` };
    const db = memory();
    let log = await openAt(time, settings, db);
    await put(log, 'gone', 'v');
    await put(log, 'gone', null);
    await put(log, 'kept', 'v');
    time.pass(10 * hour);
    await log.compact('t');
    expect(offsets(await read(log))).toEqual([1, 2]);
    await log.close();
    log = await openAt(time, settings, db);
    time.pass(hour - 1);
    await log.compact('t');
    expect(offsets(await read(log))).toEqual([1, 2]);
    time.pass(1);
    await log.compact('t');
    expect(offsets(await read(log))).toEqual([2]);
    await log.close();
  });

  it('many small entries become few', async () => {
    const time = new ManualTime();
    const db = memory();
    const log = await openAt(time, { 'cleanup.policy': 'compact' }, db);
    for (let n = 0; n < 300; n++) await put(log, `key-${n}`, 'v');
    const count = async (): Promise<number> =>
      (await db.keys({ gte: Buffer.from('r'), lt: Buffer.from('s'), keyEncoding: 'buffer' }).all()).length;
    expect(await count()).toBe(300);
    await log.compact('t');
    expect(await count()).toBe(1);
    expect(await read(log)).toHaveLength(300);
    expect(offsets(await read(log, 150))[0]).toBe(150);
    await log.close();
  });

  it('any mix of writes, deletes, cleanings, restarts and time leaves the last record of every key, in order', async () => {
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.tuple(fc.constant('put'), fc.nat(6)) },
      { weight: 3, arbitrary: fc.tuple(fc.constant('delete'), fc.nat(6)) },
      { weight: 3, arbitrary: fc.tuple(fc.constant('clean'), fc.constant(0)) },
      { weight: 1, arbitrary: fc.tuple(fc.constant('reopen'), fc.constant(0)) },
      { weight: 2, arbitrary: fc.tuple(fc.constant('pass'), fc.integer({ min: 1, max: 3 * hour })) },
      { weight: 1, arbitrary: fc.tuple(fc.constant('trim'), fc.nat(20)) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const time = new ManualTime();
        const settings = { 'cleanup.policy': 'compact', 'delete.retention.ms': `${hour}` };
        const db = memory();
        let log = await openAt(time, settings, db);
        const last = new Map<string, { offset: number; value: string | null }>();
        let offset = 0;
        let start = 0;
        for (const [kind, n] of steps) {
          const key = `k${n}`;
          if (kind === 'put' || kind === 'delete') {
            const value = kind === 'put' ? `v${offset}` : null;
            await put(log, key, value);
            last.set(key, { offset: offset++, value });
          } else if (kind === 'clean') await log.compact('t');
          else if (kind === 'pass') time.pass(n);
          else if (kind === 'trim')
            start = await log.deleteRecordsBefore('t', p0, asOffset(Math.min(offset, Math.max(start, n))));
          else {
            await log.close();
            log = await openAt(time, settings, db);
          }
          const all = await read(log, start);
          const found = offsets(all);
          expect(found).toEqual([...found].sort((a, b) => a - b));
          const state = new Map(all.map((r) => [`${r.key?.toString()}`, r]));
          for (const [key, { offset: at, value }] of last) {
            if (at < start) expect(state.has(key)).toBe(false);
            else if (value !== null)
              expect([Number(state.get(key)?.offset), `${state.get(key)?.value?.toString()}`]).toEqual([at, value]);
            else expect(state.get(key)?.value ?? null).toBeNull();
          }
          expect((await log.offsets('t'))[0]).toMatchObject({ startOffset: start, endOffset: offset });
        }
        await log.close();
      }),
      { numRuns: 80 },
    );
  }, 120_000);
});
