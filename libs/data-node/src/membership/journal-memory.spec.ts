import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type NodeDisk, UnitDisk } from '@levee/chunk-store';
import type { ClusterView } from '@levee/journal';
import { silentLogger } from '@levee/kernel';
import { systemTimers } from '@levee/log';
import { eventually } from '../../../../test/support/deadline';
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
  await eventually('its being remembered while it runs', () => first.journalSeen);
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

test('a decision that comes while another is being written is written after it', async () => {
  const position = { seq: 1, term: 1, clusterId: 'c' };
  let decided: () => void = () => undefined;
  const view = { journal: { position }, onDecision: (listener: () => void) => ((decided = listener), () => undefined) };
  const due: (() => void)[] = [];
  const timers = { after: (_: number, action: () => void) => (due.push(action), () => undefined) };
  const written: number[] = [];
  let release: () => void = () => undefined;
  const disk = {
    journalSeen: undefined as { seq: number; term: number } | undefined,
    rememberJournal: async (seen: { seq: number; term: number }) => {
      written.push(seen.seq);
      if (written.length === 1) await new Promise<void>((resolve) => (release = resolve));
      disk.journalSeen = seen;
    },
  };
  const memory = new JournalMemory(view as unknown as ClusterView, { timers, logger: silentLogger });
  memory.start(disk as unknown as NodeDisk);
  due.shift()?.();
  await eventually('the first being written', () => written.length === 1);
  position.seq = 2;
  decided();
  release();
  due.shift()?.();
  await eventually('the second being written', () => disk.journalSeen?.seq === 2);
  expect(written).toEqual([1, 2]);
  await memory.stop();
});

test('while a disk takes for ever to write, decisions make one round wait and no more', async () => {
  let decided: () => void = () => undefined;
  const position = { seq: 1, term: 1, clusterId: 'c' };
  const view = { journal: { position }, onDecision: (listener: () => void) => ((decided = listener), () => undefined) };
  const due: (() => void)[] = [];
  const timers = { after: (_: number, action: () => void) => (due.push(action), () => undefined) };
  const disk = { journalSeen: undefined, rememberJournal: () => new Promise(() => undefined) };
  const memory = new JournalMemory(view as unknown as ClusterView, { timers, logger: silentLogger });
  memory.start(disk as unknown as NodeDisk);
  let rounds = 0;
  for (let second = 0; second < 10; second++) {
    for (const action of due.splice(0)) {
      action();
      rounds++;
    }
    await new Promise((resolve) => setImmediate(resolve));
    decided();
  }
  expect(rounds).toBe(2);
});
