import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RecordFormatName, recordFormats, type ValueRecord } from '@levee/codec';
import type { NamespaceState } from '@levee/events';
import { binlogLimits } from '@levee/journal';
import { asOffset, asPartition, ByteRate, isReservedKey } from '@levee/kernel';
import { type Log, systemClock, systemTimers } from '@levee/log';
import avro from 'avsc';
import { dice, full, seed } from '../../../test/support/seed';
import { exportNamespace, importNamespace, verifyExport } from '../src';
import { foldDigests } from '../src/continuous/digest-fold';
import { everySort, JournaledLog } from './journaled-log';

/** The same words for every log. */
export function exportCases(open: () => Promise<Log>, formats: readonly RecordFormatName[] = ['put', 'raw']): void {
  let dir: string;
  let log: Log;
  let of: JournaledLog;
  let names = 0;
  const name = (): string => `n${++names}`;
  const file = (): string => join(dir, `f${++names}.avro`);

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'levee-export-'));
    log = await open();
    of = await JournaledLog.on(log);
  });
  afterAll(async () => {
    await log.close();
    await rm(dir, { recursive: true, force: true });
  });

  const exported = async (
    state: NamespaceState,
    options: { codec?: 'deflate' | 'null'; atMs?: number } = {},
  ): Promise<string> => {
    const path = file();
    const { codec = 'deflate', atMs } = options;
    await exportNamespace(of.world, { name: state.name, atMs, path, codec, software: 'test' });
    return path;
  };
  /** What replicas would say of it: by another code than the one that is tried. */
  const digests = async ({ binlog, ...state }: NamespaceState, timeMs: number): Promise<unknown[]> => {
    const all: unknown[] = [];
    for (const { partition, endOffset } of await log.offsets(binlog)) {
      const chunks = [{ chunkId: 'all', slotStart: 0, slotEnd: 1_000_000 }];
      const found = await foldDigests(
        log,
        { ...state, topic: binlog, partition },
        {
          ...{ toOffset: endOffset, timeMs, chunks, tableBytesMax: 1 << 20, clock: systemClock },
          ...{
            signal: new AbortController().signal,
            rate: new ByteRate(0, systemClock, systemTimers),
            onBytes: () => 0,
          },
        },
      );
      all.push(found.get('all'));
    }
    return all;
  };
  /** The last record of each key as it stands in the log, if it lived at that time. */
  const living = async (state: NamespaceState, timeMs: number): Promise<Map<string, string>> => {
    const found = new Map<string, string>();
    for (const { partition, endOffset } of await log.offsets(state.binlog)) {
      const stop = new AbortController();
      const from = { nextOffset: asOffset(0), leaderEpoch: -1 };
      for await (const { records, nextOffset } of log.tail(state.binlog, asPartition(partition), from, {
        signal: stop.signal,
      })) {
        for (const { key, value, headers } of records) {
          if (key === null || isReservedKey(key)) continue;
          const expiry = value && recordFormats[state.recordFormat].expiryOf(key, { value, headers } as ValueRecord);
          if (value === null || (expiry !== null && expiry > 0 && expiry <= timeMs)) found.delete(key.toString('hex'));
          else
            found.set(
              key.toString('hex'),
              JSON.stringify([value.toString('hex'), headers.map((each) => [each.key, each.value.toString('hex')])]),
            );
        }
        if (nextOffset >= endOffset) stop.abort();
      }
    }
    return found;
  };

  describe.each(formats)('a namespace whose records are %s', (recordFormat) => {
    let source: NamespaceState;
    let path: string;

    beforeAll(async () => {
      source = await of.namespace(name(), { recordFormat });
      await of.write(source, everySort(recordFormat, dice(), systemClock.nowMs()));
      path = await exported(source);
    });

    it('comes out of its export as it was: digests, and every record to the byte', async () => {
      const { judgedAtMs, keys, partitions } = await verifyExport(path);
      const before = await living(source, judgedAtMs);
      expect([keys, before.size > 150]).toEqual([before.size, true]);
      expect(partitions.map(({ digest, keys: own }) => ({ digest, keys: own }))).toEqual(
        await digests(source, judgedAtMs),
      );
      const target = await of.namespace(name(), { recordFormat });
      const { isEqual, written } = await importNamespace(of.world, { path, name: target.name });
      expect([isEqual, written]).toEqual([true, keys]);
      expect(await digests(target, judgedAtMs)).toEqual(await digests(source, judgedAtMs));
      expect(await living(target, judgedAtMs)).toEqual(before);
      const again = await importNamespace(of.world, { path, name: target.name });
      expect([again.isEqual, again.before]).toEqual([true, keys]);
      expect(await living(target, judgedAtMs)).toEqual(before);
    });

    it('is read by an Avro library, which knows nothing of us', async () => {
      const before = await living(source, (await verifyExport(path)).judgedAtMs);
      const found = new Map<string, { value: Buffer | null; record: Buffer | null }>();
      await new Promise((resolve, reject) => {
        const decoder = avro.createFileDecoder(path);
        decoder.on('data', ({ key, value, record }: { key: Buffer; value: Buffer | null; record: Buffer | null }) =>
          found.set(key.toString('hex'), { value, record }),
        );
        decoder.on('end', resolve).on('error', reject);
      });
      expect(found.delete(Buffer.from('\0levee\0seal').toString('hex'))).toBe(true);
      expect([...found.keys()].sort()).toEqual([...before.keys()].sort());
      const [plain] = [...found].filter(([, { value, record }]) => record === null && (value?.length ?? 0) > 100);
      const [hex, { value }] = plain as [string, { value: Buffer }];
      expect(before.get(hex)).toContain(value.toString('hex'));
    });

    it('says the same, packed or not', async () => {
      const plain = await exported(source, { codec: 'null' });
      expect((await verifyExport(plain)).digest).toBe((await verifyExport(path)).digest);
    });

    it.each(Array.from({ length: full ? 10 : 3 }, (_, i) => i))(
      'is ended at a random append (%i), whose outcome is unknown, and goes on',
      async (round) => {
        const random = dice(seed * 100 + round);
        const target = await of.namespace(name(), { recordFormat });
        // Each partition gets one append at least.
        const at = 1 + Math.floor(random() * source.partitions);
        const dying = { ...of.world, log: dyingLog(log, at, random() < 0.5) };
        await expect(importNamespace(dying, { path, name: target.name })).rejects.toThrow('killed');
        const { isEqual, written, before, found } = await importNamespace(of.world, { path, name: target.name });
        expect([isEqual, found.missing, found.foreign]).toEqual([true, 0, 0]);
        expect(before + written).toBeGreaterThanOrEqual(found.same);
        const { judgedAtMs } = await verifyExport(path);
        expect(await living(target, judgedAtMs)).toEqual(await living(source, judgedAtMs));
      },
    );

    it('is refused when one byte is another, and the place is told', async () => {
      const random = dice(seed + 1);
      const whole = await readFile(path);
      const bent = file();
      const passed: number[] = [];
      for (let n = 0; n < (full ? 1_000 : 60); n++) {
        const at = Math.floor(random() * (n % 2 === 0 ? whole.length : 4_000));
        const bytes = Buffer.from(whole);
        bytes[at] = (bytes[at] as number) ^ (1 << Math.floor(random() * 8));
        await writeFile(bent, bytes);
        const said = await verifyExport(bent).then(
          () => 'right',
          (error: Error) => error.message,
        );
        if (!/^\S+: (its header|block \d+ at byte \d+)|its seal|behind its seal/.test(said)) passed.push(at);
      }
      expect(passed).toEqual([]);
    });

    it('is refused when it lost its end, or got another one, and nothing is written', async () => {
      const whole = await readFile(path);
      const bent = file();
      const target = await of.namespace(name(), { recordFormat });
      for (const bytes of [
        whole.subarray(0, whole.length - 1),
        whole.subarray(0, Math.floor(whole.length / 2)),
        whole.subarray(0, 100),
        Buffer.alloc(0),
        Buffer.concat([whole, Buffer.from('x')]),
      ]) {
        await writeFile(bent, bytes);
        await expect(importNamespace(of.world, { path: bent, name: target.name })).rejects.toMatchObject({
          code: expect.stringMatching(/^(EXPORT_DAMAGED|NOT_AN_EXPORT)$/) as string,
        });
      }
      expect((await living(target, 0)).size).toBe(0);
    });
  });

  it('a namespace without a key has an export too', async () => {
    const source = await of.namespace(name());
    const path = await exported(source);
    expect(await verifyExport(path)).toMatchObject({ keys: 0, digest: '0'.repeat(32) });
    const target = await of.namespace(name());
    expect(await importNamespace(of.world, { path, name: target.name })).toMatchObject({ isEqual: true, written: 0 });
  });

  it('a record of all that a topic takes is carried beside others', async () => {
    const knobs = { partitions: 1, recordFormat: 'raw' } as const;
    const source = await of.namespace(name(), knobs);
    const large = binlogLimits.messageBytesMax - 1_000;
    for (const [key, bytes] of Object.entries({ a: 400_000, b: 100_000, c: large, d: 10, e: large, f: 400_000 }))
      await of.write(source, [{ key: Buffer.from(key), value: Buffer.alloc(bytes, key) }]);
    const target = await of.namespace(name(), knobs);
    const path = await exported(source);
    expect(await importNamespace(of.world, { path, name: target.name })).toMatchObject({ isEqual: true, written: 6 });
    expect(await living(target, 0)).toEqual(await living(source, 0));
  });

  it('what is written between is found, and named', async () => {
    const source = await of.namespace(name());
    const key = (n: number): Buffer => Buffer.from(`k${n}`);
    await of.write(
      source,
      Array.from({ length: 20 }, (_, n) => ({ key: key(n), value: Buffer.from('x') })),
    );
    const path = await exported(source);
    const target = await of.namespace(name());
    const meddling = {
      ...of.world,
      log: afterAppend(log, () => of.write(target, [{ key: Buffer.from('mine'), value: Buffer.from('y') }])),
    };
    const refused = { code: 'NOT_EMPTY' };
    const met = await importNamespace(meddling, { path, name: target.name }).catch((error: { code: string }) => error);
    if ('isEqual' in met)
      expect([met.isEqual, met.found.examples.join()]).toEqual([false, expect.stringMatching(/mine/)]);
    else expect(met).toMatchObject(refused);
    await expect(importNamespace(of.world, { path, name: target.name })).rejects.toMatchObject({
      ...refused,
      message: expect.stringMatching(/holds 1 keys that are not of .*mine/) as string,
    });
  });

  it.each([
    ['another number of partitions', { partitions: 8 }, 'NOT_COMPARABLE'],
    ['another way to write records', { recordFormat: 'raw' }, 'NOT_COMPARABLE'],
    ['a namespace that is not there yet', { state: 'creating' }, 'NAMESPACE_NOT_READY'],
    ['a topic of others', { sourceTopic: 'prices', binlog: 'prices' }, 'NAMESPACE_NOT_READY'],
    ['a namespace whose writes are frozen', { frozenBy: 'operator', frozenReason: 'r' }, 'NAMESPACE_FROZEN'],
  ] as const)('an import is refused into %s', async (_what, knobs, code) => {
    const path = await exported(await of.namespace(name()));
    const target = await of.namespace(name(), knobs);
    await expect(importNamespace(of.world, { path, name: target.name })).rejects.toMatchObject({ code });
  });

  it('a file that is there is not written over, and an export that was ended leaves none', async () => {
    const source = await of.namespace(name());
    await of.write(source, everySort('put', dice(), systemClock.nowMs()));
    const path = await exported(source);
    const options = { name: source.name, atMs: undefined, path, codec: 'deflate', software: 'test' } as const;
    await expect(exportNamespace(of.world, options)).rejects.toMatchObject({ code: 'FILE_EXISTS' });
    const other = { ...options, path: file() };
    const stop = new AbortController();
    const ended = { ...of.world, signal: stop.signal, progress: () => stop.abort() };
    await expect(exportNamespace(ended, other)).rejects.toMatchObject({ code: 'INTERRUPTED' });
    expect(existsSync(other.path)).toBe(false);
    await exportNamespace(of.world, other);
    expect((await verifyExport(other.path)).digest).toBe((await verifyExport(path)).digest);
    expect((await readdir(dir)).filter((each) => each.endsWith('.work'))).toEqual([]);
  });
}

/** Throws at its `at`th append, which arrives or not. */
function dyingLog(log: Log, at: number, arrives: boolean): Log {
  let appends = 0;
  return withWriter(log, async (append) => {
    if (++appends < at) return append();
    if (arrives && appends === at) await append();
    throw new Error('killed');
  });
}

function afterAppend(log: Log, then: () => Promise<void>): Log {
  let done = false;
  return withWriter(log, async (append) => {
    const appended = await append();
    if (!done) {
      done = true;
      await then();
    }
    return appended;
  });
}

function withWriter(log: Log, around: <T>(append: () => Promise<T>) => Promise<T>): Log {
  return new Proxy(log, {
    get: (target, property) => {
      if (property !== 'fencedWriter') {
        const value = Reflect.get(target, property, target) as unknown;
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      }
      return async (id: string) => {
        const writer = await target.fencedWriter(id);
        const append: typeof writer.append = (...args) => around(() => writer.append(...args));
        return { ...writer, append, close: () => writer.close() };
      };
    },
  });
}
