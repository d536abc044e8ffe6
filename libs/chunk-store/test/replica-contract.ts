import fc from 'fast-check';
import { unknownSchemaBytes } from './foreign-bytes';
import {
  type EngineName,
  Replica,
  type ReplicaDatabase,
  ReplicaSnapshot,
  SnapshotDigest,
  scanReplica,
  sweepExpired,
  type ValueBudget,
} from '@levee/chunk-store';
import { encodePut } from '@levee/codec';
import { asPartition, reservedKeyPrefix } from '@levee/kernel';
import { hashOf, slotOf } from '@levee/keyspace';
import { systemClock } from '@levee/log';
import { apply, identity, nowMs, PartitionScript, put, rawOf, read, type Write } from './fixtures';

export interface ReplicaDisk {
  /** A database on this disk; the last one is closed. */
  open(): Promise<ReplicaDatabase>;
  remove(): Promise<void>;
}

/** What every engine under a replica must do, in the same words. `durable`: content survives close and open. */
export function replicaContract(
  name: EngineName | string,
  makeDisk: () => Promise<ReplicaDisk>,
  { durable, values }: { durable: boolean; values?: ValueBudget },
): void {
  describe(`a replica on ${name}`, () => {
    let disk: ReplicaDisk;
    let replica: Replica;
    let script: PartitionScript;

    beforeEach(async () => {
      disk = await makeDisk();
      replica = await Replica.open(await disk.open(), identity, values === undefined ? {} : { values });
      script = new PartitionScript();
    });
    afterEach(async () => {
      await replica.close();
      await disk.remove();
    });

    it('reads the last put of a key, nil after a tombstone, nil for what was never written', async () => {
      script.append(put('a', '1'), put('b', '1'), put('a', '2'), { key: 'b', value: null });
      await script.applyTo(replica);
      expect([read(replica, 'a'), read(replica, 'b'), read(replica, 'c')]).toEqual(['2', 'nil', 'nil']);
      expect(replica.position(0)).toMatchObject({ nextOffset: 4, leaderEpoch: 0 });
    });

    it('keeps binary keys, empty values and values of 1 MiB', async () => {
      const key = Buffer.from([0, 255, 10, 13, 0x2f]);
      const big = 'x'.repeat(1 << 20);
      script.append({ key, value: 'binary' }, put('empty', ''), put('big', big));
      await apply(replica, script.batch(0));
      const state = replica.get(key, nowMs);
      expect(state?.readable === true && state.value.toString()).toBe('binary');
      expect([read(replica, 'empty'), read(replica, 'big')]).toEqual(['', big]);
    });

    it('says offset and expiry with the value; an expired value is nil at once, whoever asks with an earlier time sees it', async () => {
      script.append(put('k', 'v', nowMs + 1000));
      await script.applyTo(replica);
      expect(replica.get(Buffer.from('k'), nowMs)).toMatchObject({
        readable: true,
        offset: 0,
        expiresAtMs: nowMs + 1000,
      });
      expect(read(replica, 'k', nowMs + 999)).toBe('v');
      expect(read(replica, 'k', nowMs + 1000)).toBe('nil');
    });

    it.each<[string, Buffer, string]>([
      ['garbage', Buffer.from('not avro'), 'garbage'],
      ['no bytes', Buffer.alloc(0), 'garbage'],
      ['a fingerprint of the future', unknownSchemaBytes(), 'unknownSchema'],
      ['a Put with the crc of another key', encodePut(Buffer.from('other'), Buffer.from('v'), null), 'badCrc'],
    ])(
      "%s takes its key's place, is unreadable with its offset, and the next write heals it (I17)",
      async (_, raw, reason) => {
        script.append(put('k', 'before'), { key: 'k', value: raw });
        const batch = script.batch(0);
        await apply(replica, batch);
        expect(read(replica, 'k')).toBe(`unreadable at 1 (${reason})`);
        expect(batch.problems).toMatchObject([{ index: 1, reason }]);
        script.append(put('k', 'healed'));
        await script.applyTo(replica);
        expect(read(replica, 'k')).toBe('healed');
      },
    );

    it('never applies reserved keys, keys of another partition, or records without a key', async () => {
      const reserved = Buffer.concat([reservedKeyPrefix, Buffer.from('fence/x')]);
      script.append({ key: reserved, value: 'x' }, { key: null, value: 'x' }, put('k', 'v'));
      const batch = script.batch(0);
      await apply(replica, batch);
      expect(batch.reserved).toEqual([0]);
      expect(batch.problems).toMatchObject([{ index: 1, reason: 'noKey' }]);
      const page = await scanReplica(replica, {}, { limit: 10 }, nowMs);
      expect(page.entries.map(({ key }) => key.toString())).toEqual(['k']);

      const other = new PartitionScript(0, 8).append(put('a', '1'), put('b', '1'), put('c', '1'), put('d', '1'));
      const foreign = other.batch(0).problems.map(({ index }) => index);
      const expected = ['a', 'b', 'c', 'd'].flatMap((key, i) =>
        hashOf(Buffer.from(key), 'murmur2') % 8 === 0 ? [] : [i],
      );
      expect(foreign).toEqual(expected);
    });

    it('skips what it has applied when a batch overlaps, refuses a gap (I12)', async () => {
      script.append(put('a', '1'), put('a', '2'), put('a', '3'));
      await apply(replica, script.batch(0, 2));
      await apply(replica, script.batch(0, 3));
      await apply(replica, script.batch(1, 2));
      expect([read(replica, 'a'), replica.nextOffset(0)]).toEqual(['3', 3]);
      script.append(put('a', '4'), put('a', '5'));
      expect(() => apply(replica, script.batch(4, 5))).toThrow(/I12/);
    });

    it('advances over a batch that holds nothing of its slots, and over compacted gaps', async () => {
      script.append({ key: Buffer.concat([reservedKeyPrefix, Buffer.from('barrier')]), value: 'b' });
      await apply(replica, script.batch(0));
      expect(replica.nextOffset(0)).toBe(1);
      script.append(put('gone', 'x'), put('k', 'v'));
      const { records } = script;
      const batch = script.batch(1, 3);
      await apply(replica, {
        ...batch,
        records: records.slice(2),
        kinds: batch.kinds.slice(1),
        slots: batch.slots.slice(1),
      });
      expect(replica.nextOffset(0)).toBe(3);
    });

    it('applies overlapping calls in order, and runs afterWrite between its write and the next', async () => {
      for (let i = 0; i < 50; i++) script.append(put('k', String(i)));
      const seen: string[] = [];
      await Promise.all(
        script.records.map((_, i) =>
          apply(replica, script.batch(i, i + 1), undefined, () => seen.push(read(replica, 'k'))),
        ),
      );
      expect(seen).toEqual(script.records.map((_, i) => String(i)));
    });

    it('scans in key order: ranges, prefixes, pages, backwards; hides the expired, lists the unreadable', async () => {
      const keys = ['a', 'b1', 'b2', 'b3', 'c', 'd'];
      script.append(...keys.map((key) => put(key, key.toUpperCase())), put('b2', 'old', nowMs - 1));
      script.append({ key: 'c', value: Buffer.from('junk') });
      await script.applyTo(replica);
      const list = async (range: Parameters<typeof scanReplica>[1], limit = 100): Promise<string> => {
        const page = await scanReplica(replica, range, { limit }, nowMs);
        const shown = page.entries.map(({ key, state }) => `${key.toString()}${state.readable ? '' : '!'}`).join(' ');
        return page.resumeAt === undefined ? shown : `${shown} ...${page.resumeAt.toString()}`;
      };
      const b = (text: string): Buffer => Buffer.from(text);
      expect(await list({})).toBe('a b1 b3 c! d');
      expect(await list({ prefix: b('b') })).toBe('b1 b3');
      expect(await list({ from: b('b3'), to: b('d') })).toBe('b3 c!');
      expect(await list({}, 2)).toBe('a b1 ...b1');
      expect(await list({ after: b('b1') }, 2)).toBe('b3 c! ...c');
      expect(await list({ after: b('c') }, 2)).toBe('d');
      expect(await list({ reverse: true }, 2)).toBe('d c! ...c');
      expect(await list({ reverse: true, after: b('c') })).toBe('b3 b1 a');
      expect(await list({ prefix: Buffer.from([255]) })).toBe('');
      expect(await list({ from: b('x'), to: b('b') })).toBe('');
    });

    it('a digest is that of the state at its barrier, whatever is applied while it is computed', async () => {
      script.append(put('a', '1'), put('b', '2', nowMs - 1), { key: 'c', value: Buffer.from('junk') });
      let snapshot: ReplicaSnapshot | undefined;
      await apply(replica, script.batch(0), undefined, () => (snapshot = ReplicaSnapshot.take(replica)));
      script.append(put('a', '9'), put('z', '9'), { key: 'c', value: null });
      await script.applyTo(replica);
      const digest = await snapshot!.digest(asPartition(0), nowMs, systemClock);
      await snapshot!.close();
      expect(digest.keys).toBe(2);

      const later = ReplicaSnapshot.take(replica);
      expect((await later.digest(asPartition(0), nowMs, systemClock)).digest).not.toBe(digest.digest);
      await later.close();
    });

    it('equal states have equal digests, in whatever batches and with whatever history they came', async () => {
      const digest = async (): Promise<string> => {
        const snapshot = ReplicaSnapshot.take(replica);
        const found = await snapshot.digest(asPartition(0), nowMs, systemClock);
        await snapshot.close();
        return `${found.keys}:${found.digest}`;
      };
      script.append(put('a', '1'), put('b', '1'), put('a', '2'), put('x', '1'), { key: 'x', value: null });
      await script.applyTo(replica, 5, 2);
      const first = await digest();
      script.append(put('q', '1'), { key: 'q', value: null });
      await script.applyTo(replica);
      expect(await digest()).toBe(first);
    });

    it('a sweep counts live keys and removes only what expired an hour ago, never a newer write', async () => {
      const hourMs = 3_600_000;
      script.append(put('live', 'v'), put('fresh', 'v', nowMs - 1), put('old', 'v', nowMs - hourMs - 1));
      await script.applyTo(replica);
      expect(await sweepExpired(replica, nowMs, systemClock)).toMatchObject({ liveKeys: 1, removed: 1 });
      expect(read(replica, 'fresh', nowMs - 2)).toBe('v');
      expect(read(replica, 'old', nowMs - 2 * hourMs)).toBe('nil');
    });

    it('refuses to be opened as another chunk, unit generation or cluster (I10)', async () => {
      if (!durable) return expect(durable).toBe(false);
      await replica.close();
      for (const other of [
        { generation: 2 },
        { chunkId: 'x' },
        { clusterId: 'y' },
        { slotEnd: 5 },
        { unitId: 'n2/u1' },
      ]) {
        const db = await disk.open();
        await expect(Replica.open(db, { ...identity, ...other })).rejects.toMatchObject({ code: 'REPLICA_MISMATCH' });
        await db.close();
      }
      replica = await Replica.open(await disk.open(), identity);
    });

    it('stands where it stood after close and open, and remembers when it was complete', async () => {
      script.append(put('a', '1'), put('a', '2'));
      await apply(replica, script.batch(0), nowMs);
      script.append({ key: Buffer.concat([reservedKeyPrefix, Buffer.from('barrier')]), value: 'b' });
      await apply(replica, script.batch(2));
      const position = replica.position(0);
      expect(position).toMatchObject({ nextOffset: 3, completeAtMs: nowMs });
      await replica.close();
      expect(() => apply(replica, script.batch(2))).not.toThrow(/undefined/);
      replica = await Replica.open(await disk.open(), identity);
      expect(replica.position(0)).toEqual(
        durable ? position : { ...position, nextOffset: 0, leaderEpoch: -1, completeAtMs: 0 },
      );
      if (durable) expect(read(replica, 'a')).toBe('2');
    });

    it('keeps a bounded chain of journal keys that still proves the position', async () => {
      if (!durable) return expect(durable).toBe(false);
      await replica.close();
      replica = await Replica.open(await disk.open(), identity, { chainBytes: 4_000 });
      for (let i = 0; i < 300; i++) script.append(put(`k${i}`, 'v'.repeat(50)));
      await script.applyTo(replica, 300, 1);
      await replica.close();
      const db = await disk.open();
      const chain = await db.keys({ gte: Buffer.from('!j/'), lt: Buffer.from('!k') }).all();
      expect(chain.length).toBeGreaterThan(2);
      expect(chain.length).toBeLessThan(40);
      replica = await Replica.open(db, identity, { chainBytes: 4_000 });
      expect([replica.nextOffset(0), replica.rewindProblem(0)]).toEqual([300, undefined]);
    });

    it('a chunk over several partitions keeps a position, a chain and a digest for each', async () => {
      await replica.close();
      await disk.remove();
      disk = await makeDisk();
      replica = await Replica.open(await disk.open(), { ...identity, partitions: 4, slotStart: 100, slotEnd: 750_000 });
      expect(replica.partitions).toEqual([0, 1, 2]);
      const writes = Array.from({ length: 400 }, (_, i) => put(`key-${i}`, String(i)));
      const scripts = [0, 1, 2].map((partition) => new PartitionScript(partition, 4).appendOwn(...writes));
      await Promise.all(scripts.map((each) => each.applyTo(replica, each.records.length, 7)));
      const snapshot = ReplicaSnapshot.take(replica);
      const digests = new SnapshotDigest(snapshot, systemClock);
      await digests.scan(new Map(scripts.map(({ partition }) => [asPartition(partition), nowMs])));
      const inOneScan = digests.totals();
      for (const { partition, records } of scripts) {
        expect(replica.nextOffset(partition)).toBe(records.length);
        const alone = await snapshot.digest(asPartition(partition), nowMs, systemClock);
        expect(inOneScan.get(asPartition(partition))).toEqual(alone);
        const { keys } = alone;
        expect(keys).toBe(records.filter(({ key }) => slotOf(hashOf(key!, 'murmur2'), 4) >= 100).length);
      }
      await snapshot.close();
    });

    it('I1: for any writes in any batches, the state is the last record of each key', async () => {
      const keys = fc.constantFrom('a', 'b', 'c', 'd', 'ключ', '');
      const write: fc.Arbitrary<Write> = fc.record({
        key: keys,
        value: fc.oneof(fc.string(), fc.constant(null), fc.constant(Buffer.from('junk'))),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(write, { maxLength: 40 }), fc.integer({ min: 1, max: 9 }), async (writes, size) => {
          const fresh = await makeDisk();
          const subject = await Replica.open(await fresh.open(), identity, values === undefined ? {} : { values });
          try {
            const log = new PartitionScript().append(...writes);
            for (let at = 0; at < writes.length; at += size) {
              await log.applyTo(subject, Math.min(writes.length, at + size), size);
              // What a reader saw before must not outlive the next write.
              for (const { key } of writes) read(subject, key as string);
            }
            const last = new Map(writes.map((each, offset) => [each.key as string, { each, offset }]));
            for (const [key, { each, offset }] of last) {
              const raw = rawOf(each);
              const expected = raw === null ? 'nil' : typeof each.value === 'string' ? each.value : null;
              expect(read(subject, key)).toBe(expected ?? `unreadable at ${offset} (garbage)`);
            }
          } finally {
            await subject.close();
            await fresh.remove();
          }
        }),
        { numRuns: name === 'leveldb' ? 15 : 60 },
      );
    });
  });
}
