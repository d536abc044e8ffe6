import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryLevel } from 'memory-level';
import { CrashDisk } from '@levee/crash-level';
import { asOffset, asPartition, defined, type Offset, type Partition } from '@levee/kernel';
import type { Log, StoredRecord } from '@levee/log';
import type { FaultName, LogFaults, LogUnderTest } from '@levee/log-contract';
import { EmbeddedLog, type EmbeddedLogOptions } from '@levee/log-embedded';
import { placeOfKey } from '../src/keys';
import { DiskFiles } from '../src/store/disk-files';
import { FileStore } from '../src/store/file-store';
import { type LogDatabase, LevelStore } from '../src/store/level-store';
import { del, type LogStore, put } from '../src/store/log-store';
import { CrashFiles } from './crash-files';

const buffers = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const;

/** A place that keeps its content while logs on it are closed and opened. */
export interface Storage {
  mount(): LogStore;
  /** The power goes; `mount` may be called again. */
  powerLoss?(seed: number): Promise<void>;
  remove(): void;
}

export function memoryStorage(): Storage {
  const db = new MemoryLevel<Buffer, Buffer>(buffers) as unknown as LogDatabase;
  return { mount: () => new LevelStore(db), remove: () => undefined };
}

export function folderStorage(): Storage {
  const folder = mkdtempSync(join(tmpdir(), 'levee-log-'));
  let isNew = true;
  return {
    mount: () => {
      const store = new FileStore(new DiskFiles(folder), { isNew, limits: smallFiles });
      isNew = false;
      return store;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** So small that a case fills several. */
const smallFiles = { journalBytes: 4096, rejournalBytes: 1024 } as const;

export function crashStorage(disk = new CrashDisk()): Storage {
  return {
    mount: () => new LevelStore(disk.open() as unknown as LogDatabase),
    powerLoss: (seed) => disk.powerLoss(seed),
    remove: () => undefined,
  };
}

export function crashFileStorage(files = new CrashFiles()): Storage {
  let isNew = true;
  return {
    mount: () => {
      const store = new FileStore(files.mount(), { isNew, limits: smallFiles });
      isNew = false;
      return store;
    },
    powerLoss: (seed) => Promise.resolve(files.powerLoss(seed)),
    remove: () => undefined,
  };
}

/** Every record of a partition that can be read. */
export async function readAll(log: Log, topic: string, partition: number): Promise<StoredRecord[]> {
  const records: StoredRecord[] = [];
  const start = { nextOffset: asOffset(0), leaderEpoch: -1 };
  for await (const batch of log.tail(topic, asPartition(partition), start)) {
    records.push(...batch.records);
    if (batch.nextOffset >= batch.endOffset) return records;
  }
  throw new Error('the tail ended');
}

const inProcess = 'the log is in the process: between caller and storage there is no connection';
const noForeigners = 'nobody else can write: LevelDB locks the folder';

export const embeddedNotApplicable: Partial<Record<FaultName, string>> = {
  loseNextAppendResponse: `${inProcess} that could lose an answer`,
  setNextSequence: `${inProcess} whose retries would need sequence numbers`,
  cutOff: `${inProcess} to cut`,
  corruptNextFetch: `${inProcess} to damage bytes on; re-reading is tested on the reader itself`,
  openForeignTransaction: noForeigners,
  abortForeignTransactions: noForeigners,
  appendCompressed: noForeigners,
};

/** An embedded log on `storage`, with the harm that can be done to it. */
export async function openEmbedded(storage: Storage, options: EmbeddedLogOptions = {}): Promise<LogUnderTest> {
  let store: LogStore;
  let log: EmbeddedLog;
  const open = async (): Promise<EmbeddedLog> => {
    store = storage.mount();
    log = await EmbeddedLog.open({ store, cleanEveryMs: 0, ...options });
    return log;
  };
  const reopen = async (): Promise<EmbeddedLog> => {
    await log.close();
    return open();
  };
  /** Changes stored bytes while no log is open, then opens one. */
  const behindItsBack = async (change: (raw: LogStore) => Promise<void>): Promise<Log> => {
    await log.close();
    store = storage.mount();
    await store.open();
    await change(store);
    await store.close();
    return open();
  };
  const keyOf = async (letter: string, topic: string, partition: Partition, offset?: number): Promise<Buffer> => {
    const [described] = await log.describeTopics([topic]);
    const key = Buffer.alloc(offset === undefined ? 9 : 17, letter);
    key.writeUInt32BE(Number(described?.topicId.split('-')[0]), 1);
    key.writeUInt32BE(partition, 5);
    if (offset !== undefined) key.writeBigUInt64BE(BigInt(offset), 9);
    return key;
  };
  const faults: LogFaults = {
    pauseAppends: async () => {
      const { write } = store;
      let resume = (): void => undefined;
      const resumed = new Promise<void>((resolve) => (resume = resolve));
      Object.assign(store, {
        write: async (...args: unknown[]) => {
          await resumed;
          return Reflect.apply(write, store, args) as Promise<void>;
        },
      });
      return async () => {
        Reflect.deleteProperty(store, 'write');
        resume();
      };
    },
    compact: async (topic) => void (await log.compact(topic)),
    deleteRecordsBefore: async (topic, partition, startOffset: Offset) =>
      void (await log.deleteRecordsBefore(topic, partition, startOffset)),
    corrupt: async (topic, partition, offset) => {
      const key = await keyOf('r', topic, partition, offset);
      return behindItsBack(async (raw) => {
        const found = await raw.lastBefore(placeOfKey(key), offset + 1);
        const value = Buffer.from(defined(found, 'the entry').bytes);
        value[value.length - 1] = (value[value.length - 1] as number) ^ 4;
        await raw.write([put(key, value)]);
      });
    },
    loseRecord: async (topic, partition, offset) => {
      const key = await keyOf('r', topic, partition, offset);
      return behindItsBack((raw) => raw.write([del(key)]));
    },
    // As a folder restored from an old copy: what came later never was.
    truncate: async (topic, partition, endOffset) => {
      const gte = await keyOf('r', topic, partition, endOffset);
      const lt = await keyOf('r', topic, (partition + 1) as Partition);
      const end = await keyOf('s', topic, partition);
      return behindItsBack(async (raw) => {
        await raw.clear({ gte, lt });
        await raw.write([0, 1].map((slot) => del(Buffer.concat([end, Buffer.from([slot])]))));
      });
    },
  };
  if (storage.powerLoss !== undefined)
    faults.crash = async (seed) => {
      await storage.powerLoss?.(seed);
      await log.close().catch(() => undefined);
      return open();
    };
  await open();
  return {
    log: log!,
    reopen,
    faults,
    dispose: async () => {
      await log.close();
      storage.remove();
    },
  };
}
