import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryLevel } from 'memory-level';
import { asOffset, asPartition } from '@levee/kernel';
import { EmbeddedLog, type EmbeddedLogOptions } from '@levee/log-embedded';

const p0 = asPartition(0);

async function smoke(options: EmbeddedLogOptions): Promise<void> {
  const log = await EmbeddedLog.open(options);
  await log.ensureTopics([{ name: 't', partitions: 2, settings: { 'cleanup.policy': 'compact' } }]);
  const appended = await Promise.all(
    Array.from({ length: 1000 }, (_, n) =>
      log.append('t', p0, [{ key: Buffer.from(`k${n}`), value: Buffer.from(`v${n}`) }]),
    ),
  );
  expect(appended.map((a) => a.baseOffset)).toEqual(Array.from({ length: 1000 }, (_, n) => n));
  let seen = 0;
  for await (const batch of log.tail('t', p0, { nextOffset: asOffset(0), leaderEpoch: -1 })) {
    seen += batch.records.length;
    if (batch.nextOffset >= batch.endOffset) break;
  }
  expect(seen).toBe(1000);
  await log.close();
}

it('keeps order and reads back in memory', async () => {
  await smoke({ db: new MemoryLevel<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' }) as never });
});

it('finds everything again on disk, and refuses a second opener by naming the first', async () => {
  const location = mkdtempSync(join(tmpdir(), 'levee-log-'));
  await smoke({ location });
  const log = await EmbeddedLog.open({ location, doors: { http: 'http://127.0.0.1:1' } });
  await expect(EmbeddedLog.open({ location })).rejects.toThrow(/is open in process \d+ \(http http/);
  expect(await log.offsets('t')).toEqual([
    { partition: 0, startOffset: 0, endOffset: 1000 },
    { partition: 1, startOffset: 0, endOffset: 0 },
  ]);
  let seen = 0;
  for await (const batch of log.tail('t', p0, { nextOffset: asOffset(500), leaderEpoch: 1 })) {
    seen += batch.records.length;
    if (batch.nextOffset >= batch.endOffset) break;
  }
  expect(seen).toBe(500);
  await log.close();
  rmSync(location, { recursive: true });
});
