import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expiryHeader } from '@levee/codec';
import { asOffset, asPartition } from '@levee/kernel';
import type { EmbeddedLog } from '@levee/log-embedded';
import { openLog } from '../../master/test/control-plane';
import { exportNamespace, importNamespace, rebuildNamespace, recordValue, verifyExport } from '../src';
import { exportCases } from './export-cases';
import { JournaledLog } from './journaled-log';

describe('export and import on the embedded log', () => exportCases(openLog));

describe('of a topic that forgets by age', () => {
  let dir: string;
  let log: EmbeddedLog;
  let of: JournaledLog;
  const hourMs = 3_600_000;
  const aging = {
    recordFormat: 'raw' as const,
    ...{ sourceTopic: 'prices', sourceTopicId: 'id-1', binlog: 'prices', writable: false },
    ...{ partitions: 2, expireWithRetention: true, retentionMs: hourMs + 60_000, hiddenAfterMs: hourMs },
  };

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'levee-aging-'));
    log = await openLog();
    of = await JournaledLog.on(log);
    const settings = { 'cleanup.policy': 'delete', 'retention.ms': String(aging.retentionMs) };
    await log.ensureTopics([{ name: 'prices', partitions: 2, settings }]);
  });
  afterEach(async () => {
    await log.close();
    await rm(dir, { recursive: true, force: true });
  });

  async function filled(): Promise<void> {
    const state = await of.namespace('shop.prices', aging);
    const record = (i: number, headers: { key: string; value: Buffer }[] = []) => ({
      ...{ key: Buffer.from(`k${i}`), value: Buffer.from(`v${i}`), headers },
    });
    await of.write(
      state,
      Array.from({ length: 40 }, (_, i) => record(i)),
    );
    const soon = [{ key: expiryHeader, value: Buffer.from('9999999999999999') }];
    await of.write(state, [record(40, soon), record(41, [{ key: expiryHeader, value: Buffer.from('1') }])]);
  }

  it('the log is read from where it begins, and what is carried says itself when it expires', async () => {
    await filled();
    const [first] = await log.offsets('prices');
    await log.deleteRecordsBefore('prices', asPartition(0), asOffset(5));
    const path = join(dir, 'prices.avro');
    await exportNamespace(of.world, { name: 'shop.prices', atMs: undefined, path, codec: 'null', software: 'test' });
    // One has expired by its header, five are gone.
    expect((await verifyExport(path)).keys).toBe(42 - 1 - 5);
    expect(first?.endOffset).toBeGreaterThan(5);
    const target = await of.namespace('shop.kept', { recordFormat: 'raw', partitions: 2 });
    expect(await importNamespace(of.world, { path, name: target.name })).toMatchObject({ isEqual: true, written: 36 });
  });

  it.each([
    [null, undefined, undefined],
    [60, undefined, 65],
    [60, '50', 50],
    [60, '70', 65],
  ])(
    'an answer about its past: hidden after %s ms, by its header at %s, it expires at %s',
    (hiddenAfterMs, own, at) => {
      const headers = own === undefined ? [] : [{ key: expiryHeader, value: Buffer.from(own) }];
      const record = { value: Buffer.from('v'), headers, timestampMs: 5 };
      const found = recordValue(Buffer.from('k'), record, { recordFormat: 'raw', hiddenAfterMs });
      expect(found).toMatchObject({ kind: 'value', expiresAtMs: at });
    },
  );

  it('what goes from a partition before its turn hinders nobody', async () => {
    await filled();
    const offsets = log.offsets.bind(log);
    let asked = 0;
    log.offsets = async (topic) => {
      const bounds = await offsets(topic);
      if (topic === 'prices' && asked++ === 0) await log.deleteRecordsBefore(topic, asPartition(1), asOffset(3));
      return bounds;
    };
    const path = join(dir, 'prices.avro');
    await exportNamespace(of.world, { name: 'shop.prices', atMs: undefined, path, codec: 'null', software: 'test' });
    expect((await verifyExport(path)).keys).toBe(42 - 1 - 3);
  });

  it('what was begun while the log goes on is not gone on with, and what was removed meanwhile is said', async () => {
    await filled();
    const folder = join(dir, 'rebuilt');
    const { keys } = await rebuildNamespace(of.world, { name: 'shop.prices', atMs: undefined, folder });
    expect(keys).toBe(41);
    await expect(rebuildNamespace(of.world, { name: 'shop.prices', atMs: undefined, folder })).rejects.toMatchObject({
      code: 'NOT_REBUILT',
      message: expect.stringMatching(/prices forgets by age: remove the folder/) as string,
    });
    let removed = false;
    const tail = log.tail.bind(log);
    log.tail = (...args) => {
      const [topic, partition] = args;
      if (topic !== 'prices' || removed) return tail(...args);
      removed = true;
      return (async function* () {
        await log.deleteRecordsBefore(topic, partition, asOffset(3));
        yield* tail(...args);
      })();
    };
    const path = join(dir, 'late.avro');
    const asked = { name: 'shop.prices', atMs: undefined, path, codec: 'null', software: 'test' } as const;
    await expect(exportNamespace(of.world, asked)).rejects.toMatchObject({
      code: 'NOT_PROVABLE',
      message: expect.stringMatching(/does not begin at offset 0/) as string,
    });
    await exportNamespace(of.world, asked);
    expect((await verifyExport(path)).keys).toBe(41 - 3);
  });
});

describe('a rebuilding that was begun', () => {
  let folder: string;
  let log: EmbeddedLog;
  let of: JournaledLog;
  const keys = (from: number) =>
    Array.from({ length: 20 }, (_, i) => ({ key: Buffer.from(`k${from + i}`), value: Buffer.from('v') }));
  const rebuild = (world = of.world) => rebuildNamespace(world, { name: 'shop', atMs: undefined, folder });

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'levee-begun-'));
    log = await openLog();
    of = await JournaledLog.on(log);
    await of.write(await of.namespace('shop', { recordFormat: 'raw' }), keys(0));
  });
  afterEach(async () => {
    await log.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('does not go on with another topic under the name of the binlog', async () => {
    const { keys: before, manifest } = await rebuild();
    expect([before, (await rebuild()).keys]).toEqual([20, 20]);
    await log.deleteTopics([manifest.binlog]);
    await of.write(await of.namespace('shop', { recordFormat: 'raw' }), keys(100));
    await expect(rebuild()).rejects.toMatchObject({
      code: 'NOT_REBUILT',
      message: expect.stringMatching(/of another topic/) as string,
    });
  });

  it('does not go on with the namespace of that name in another cluster', async () => {
    await rebuild();
    const path = join(folder, 'manifest.json');
    const manifest = JSON.parse(await readFile(path, 'utf8')) as object;
    await writeFile(path, JSON.stringify({ ...manifest, topicId: undefined, clusterId: 'another' }));
    await expect(rebuild()).rejects.toMatchObject({
      code: 'NOT_REBUILT',
      message: expect.stringMatching(/of another cluster/) as string,
    });
  });
});
