import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CrashDisk } from '@levee/crash-level';
import { openLevelDb, openMemory, type ReplicaDatabase, ValueBudget } from '@levee/chunk-store';
import { replicaContract } from './replica-contract';

replicaContract('memory', async () => ({ open: openMemory, remove: async () => undefined }), { durable: false });

replicaContract(
  'leveldb',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'levee-replica-'));
    return { open: () => openLevelDb(folder), remove: () => rm(folder, { recursive: true, force: true }) };
  },
  { durable: true },
);

replicaContract(
  'a disk that can lose power',
  async () => {
    const disk = new CrashDisk();
    const open = async () => {
      const db = disk.open<Buffer, Buffer>();
      await db.open();
      return db as unknown as ReplicaDatabase;
    };
    return { open, remove: async () => undefined };
  },
  { durable: true },
);

replicaContract('memory under a cache of values', async () => ({ open: openMemory, remove: async () => undefined }), {
  durable: false,
  values: new ValueBudget(1 << 20),
});
