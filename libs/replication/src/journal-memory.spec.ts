import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UnitDisk } from '@levee/chunk-store';
import type { ClusterView } from '@levee/journal';
import { silentLogger } from '@levee/kernel';
import { systemTimers } from '@levee/log';
import { JournalMemory } from './journal-memory';

const folder = mkdtempSync(join(tmpdir(), 'levee-journal-memory-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const openDisk = (): Promise<UnitDisk> =>
  UnitDisk.open({
    folder,
    newStoreId: () => 'store',
    specs: [{ unitId: 'n1/u00', capacityBytes: 1_000_000, engine: 'memory' }],
  } as never);

const viewAt = (seq: number, term: number): ClusterView =>
  ({ journal: { position: { seq, term, clusterId: 'c' } }, onDecision: () => () => undefined }) as never;

test('a disk remembers how far its node has seen the journal, over a restart on a journal that ends before', async () => {
  const first = await openDisk();
  const memory = new JournalMemory(viewAt(40, 3), { timers: systemTimers, logger: silentLogger });
  expect(memory.seen()).toEqual({ seq: 40, term: 3, clusterId: 'c' });
  memory.start(first);
  const giveUpAt = performance.now() + 10_000;
  while (first.journalSeen === undefined && performance.now() < giveUpAt) await new Promise((r) => setTimeout(r, 20));
  await memory.stop();
  await first.close();

  const second = await openDisk();
  expect(second.journalSeen).toEqual({ seq: 40, term: 3 });
  const later = new JournalMemory(viewAt(7, 5), { timers: systemTimers, logger: silentLogger });
  later.start(second);
  expect(later.seen()).toEqual({ seq: 40, term: 5, clusterId: 'c' });
  await later.stop();
  await second.close();
});
