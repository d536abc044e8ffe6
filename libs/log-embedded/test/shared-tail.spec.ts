import { MemoryLevel } from 'memory-level';
import { asOffset, asPartition } from '@levee/kernel';
import type { LogBatch } from '@levee/log';
import { EmbeddedLog } from '@levee/log-embedded';
import type { LogDatabase } from '../src/store/level-store';

const p0 = asPartition(0);
const start = { nextOffset: asOffset(0), leaderEpoch: -1 };
const record = (text: string): { key: Buffer; value: Buffer } => ({ key: Buffer.from(text), value: Buffer.from(text) });

async function openOn(db: LogDatabase): Promise<EmbeddedLog> {
  const log = await EmbeddedLog.open({ db, cleanEveryMs: 0 });
  await log.ensureTopics([{ name: 't', partitions: 1, settings: {} }]);
  return log;
}
const memory = (): LogDatabase =>
  new MemoryLevel<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' }) as unknown as LogDatabase;

describe('tails in one process', () => {
  it('share what was just synced: decoded once, no database read', async () => {
    const db = memory();
    const log = await openOn(db);
    const tails = [0, 1, 2].map(() => log.tail('t', p0, start)[Symbol.asyncIterator]());
    for (const tail of tails) await tail.next();
    const waiting = tails.map((tail) => tail.next());
    let reads = 0;
    const iterator = db.iterator.bind(db) as (...args: unknown[]) => unknown;
    Object.assign(db, { iterator: (...args: unknown[]) => (reads++, iterator(...args)) });
    await Promise.all([log.append('t', p0, [record('a')]), log.append('t', p0, [record('b')])]);
    const batches = (await Promise.all(waiting)).map((step) => step.value as LogBatch);
    expect(batches[0]?.records.map((r) => r.value?.toString())).toEqual(['a', 'b']);
    expect(batches[1]?.records).toBe(batches[0]?.records);
    expect(batches[2]?.records).toBe(batches[0]?.records);
    expect(reads).toBe(0);
    await log.close();
  });

  it('the buffers given to append may be used again once it has resolved', async () => {
    const log = await openOn(memory());
    const tail = log.tail('t', p0, start)[Symbol.asyncIterator]();
    await tail.next();
    const reused = record('first');
    const next = tail.next();
    await log.append('t', p0, [reused]);
    reused.value.fill(0);
    expect(((await next).value as LogBatch).records[0]?.value?.toString()).toBe('first');
    await log.close();
  });

  it('a damaged read is repeated, and believed when it is whole', async () => {
    const db = memory();
    const first = await openOn(db);
    for (let n = 0; n < 5; n++) await first.append('t', p0, [record(`${n}`)]);
    await first.close();
    const log = await openOn(db);
    let damaged = 0;
    const iterator = db.iterator.bind(db) as (...args: unknown[]) => { nextv: (n: number) => Promise<Buffer[][]> };
    Object.assign(db, {
      iterator: (...args: unknown[]) => {
        const made = iterator(...args);
        const nextv = made.nextv.bind(made);
        made.nextv = async (n) => {
          const found = await nextv(n);
          if (damaged > 0 || found.length === 0) return found;
          damaged++;
          return found.map(([key, bytes]) => [key as Buffer, Buffer.from(bytes as Buffer).fill(0, 70)]);
        };
        return made;
      },
    });
    const values: string[] = [];
    for await (const batch of log.tail('t', p0, start)) {
      for (const r of batch.records) values.push(`${r.value?.toString()}`);
      if (batch.nextOffset >= batch.endOffset) break;
    }
    expect(damaged).toBe(1);
    expect(values).toEqual(['0', '1', '2', '3', '4']);
    await log.close();
  });
});
