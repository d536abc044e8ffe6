import { encodePut } from '@levee/codec';
import { fenceKey } from '@levee/journal';
import { asOffset, asPartition } from '@levee/kernel';
import type { LogRecord, StoredRecord } from '@levee/log';
import { dice, full, seed } from '../../../test/support/seed';
import type { Settled } from '../src';
import { homeHeader } from '../src/repartition/home-mark';
import { between, doubtMs, elsewhere, isClear, partitions, rightOf, Shop } from './astray-shop';

const here = (values: Map<string, string | undefined>) =>
  new Map([...values].filter(([, value]) => value !== undefined));
const keysOf = Array.from({ length: 10 }, (_, i) => `key ${i}`);

describe('records in wrong partitions are brought home', () => {
  it('each key as the newest of its records says, by log time; the second run writes nothing', async () => {
    const shop = await Shop.open();
    const [a, b, c, d, e] = keysOf as [string, string, string, string, string];
    await shop.write(a, elsewhere(a), 'a1');
    await shop.write(b, rightOf(b), 'b1');
    await shop.write(e, rightOf(e), 'e1');
    shop.clock.nowMs += 10_000;
    await shop.write(b, elsewhere(b), 'b2');
    await shop.write(c, elsewhere(c), 'c1');
    await shop.write(d, elsewhere(d, 1), 'd1');
    await shop.write(e, elsewhere(e), null);
    shop.clock.nowMs += 6_000;
    await shop.write(c, rightOf(c), 'c2');
    await shop.write(d, elsewhere(d, 2), 'd2');
    const dry = await shop.run(shop.log, { isDry: true });
    expect(dry).toMatchObject({ keys: 5, home: 4, restored: 0, contested: 0, outdone: 1, stays: { later: 1 } });
    expect((await shop.reads()).get(a)).toBeUndefined();
    const done = await shop.run();
    expect(done).toEqual(dry);
    expect(Object.fromEntries(await shop.reads())).toEqual({ [a]: 'a1', [b]: 'b2', [c]: 'c2', [d]: 'd2' });
    expect(await shop.reads()).toEqual(here(shop.wanted()));
    const before = await Promise.all([0, 1, 2, 3].map((partition) => shop.records(partition)));
    expect(await shop.run()).toMatchObject({ home: 0, restored: 0, stays: { atHome: 4, later: 1 } });
    const after = await Promise.all([0, 1, 2, 3].map((partition) => shop.records(partition)));
    // But for its fence in each partition.
    after.forEach((records, partition) => {
      const more = records.slice((before[partition] as StoredRecord[]).length);
      expect(more.map(({ key }) => key)).toEqual([fenceKey('repartition')]);
    });
    await shop.log.close();
  });

  it('carries bytes, expiry and headers as they are, and names where a record came from', async () => {
    const shop = await Shop.open();
    const key = keysOf[0] as string;
    const value = encodePut(Buffer.from(key), Buffer.from('v'), shop.clock.nowMs + 3_600_000);
    const headers = [
      { key: 'traceparent', value: Buffer.from('00-1') },
      { key: homeHeader, value: Buffer.from('of another log') },
    ];
    await shop.log.append(shop.binlog, asPartition(elsewhere(key)), [{ key: Buffer.from(key), value, headers }]);
    expect(await shop.run()).toMatchObject({ home: 1 });
    const [, brought] = await shop.records(rightOf(key));
    expect(brought?.value?.equals(value)).toBe(true);
    expect(brought?.headers.map((each) => `${each.key}=${each.value.toString()}`)).toEqual([
      'traceparent=00-1',
      expect.stringMatching(new RegExp(`^${homeHeader}=${elsewhere(key)}:0@\\d+/\\d+$`)),
    ]);
    await shop.log.close();
  });

  it('leaves what cannot be read, has expired, deletes nothing, is reserved or too long, and counts it', async () => {
    const shop = await Shop.open();
    const [a, b, c] = keysOf as [string, string, string];
    const append = (key: Buffer, partition: number, value: Buffer | null) =>
      shop.log.append(shop.binlog, asPartition(partition), [{ key, value }]);
    await append(Buffer.from(a), elsewhere(a), Buffer.from('no Put'));
    await shop.write(b, elsewhere(b), 'b1', shop.clock.nowMs - 1);
    await shop.write(c, elsewhere(c), null);
    await append(fenceKey('p9'), 2, Buffer.from('x'));
    const long = Buffer.alloc(40_000, 'k');
    await append(long, elsewhere(long.toString()), null);
    expect(await shop.run()).toMatchObject({
      ...{ keys: 3, home: 0, outdone: 0 },
      stays: { unreadable: 1, expired: 1, nothingToDelete: 1, tooLarge: 1, later: 0 },
    });
    expect(await shop.reads()).toEqual(new Map());
    await shop.log.close();
  });

  it('what a right producer writes between the look and the append is put last again', async () => {
    const shop = await Shop.open();
    const key = keysOf[0] as string;
    await shop.write(key, elsewhere(key), 'stray');
    shop.clock.nowMs += 60_000;
    let n = 0;
    const racing = between(shop.log, async (append, ...to) => {
      shop.clock.nowMs += 1_000;
      if (n < 3) await shop.write(key, rightOf(key), `newer ${++n}`);
      return append(...to);
    });
    expect(await shop.run(racing)).toMatchObject({ keys: 1, home: 0, restored: 3, contested: 0, stays: { later: 1 } });
    expect(await shop.reads()).toEqual(new Map([[key, 'newer 3']]));
    expect(await shop.run()).toMatchObject({ home: 0, restored: 0, stays: { later: 1 } });
    await shop.log.close();
  });

  it('a key that is written at every append is left after some rounds, and told; the next run ends it', async () => {
    const shop = await Shop.open();
    const key = keysOf[0] as string;
    await shop.write(key, elsewhere(key), 'stray');
    shop.clock.nowMs += 60_000;
    let n = 0;
    const racing = between(shop.log, async (append, ...to) => {
      await shop.write(key, rightOf(key), `newer ${++n}`);
      return append(...to);
    });
    expect(await shop.run(racing)).toMatchObject({ keys: 1, home: 0, contested: 1 });
    expect(await shop.run()).toMatchObject({ restored: 1, contested: 0 });
    expect(await shop.reads()).toEqual(new Map([[key, `newer ${n}`]]));
    await shop.log.close();
  });

  it('whoever is fenced writes nothing more: of two runs the second one does it', async () => {
    const shop = await Shop.open();
    for (const key of keysOf) await shop.write(key, elsewhere(key), `of ${key}`);
    let second: Settled | undefined;
    const overtaken = between(shop.log, async (append, ...to) => {
      second ??= await shop.run();
      return append(...to);
    });
    await expect(shop.run(overtaken)).rejects.toMatchObject({ code: 'FENCED' });
    expect(second).toMatchObject({ home: keysOf.length });
    expect(await shop.reads()).toEqual(here(shop.wanted()));
    await shop.log.close();
  });

  it('of two strays within 5 s in two partitions nobody knows the newer one: both stay, until a later one comes', async () => {
    const shop = await Shop.open();
    const key = keysOf[0] as string;
    await shop.write(key, elsewhere(key, 1), 'older');
    shop.clock.nowMs -= 5_000;
    await shop.write(key, elsewhere(key, 2), 'newer, by a slow clock');
    shop.clock.nowMs += 5_000;
    expect(await shop.run()).toMatchObject({ keys: 1, home: 0, stays: { doubtful: 1 } });
    shop.clock.nowMs += 6_000;
    await shop.write(key, elsewhere(key, 1), 'newest');
    expect(await shop.run()).toMatchObject({ home: 1 });
    expect(await shop.reads()).toEqual(new Map([[key, 'newest']]));
    // It is at home, and so is a doubt whether what comes now is newer.
    shop.clock.nowMs += 5_000;
    await shop.write(key, elsewhere(key, 3), 'in doubt');
    expect(await shop.run()).toMatchObject({ home: 0, stays: { doubtful: 1 } });
    await shop.log.close();
  });

  it('where the beginning of a partition was deleted, with young deletions in it, an older stray stays', async () => {
    const shop = await Shop.open();
    const key = keysOf[0] as string;
    const other = keysOf.find((each) => each !== key && rightOf(each) === rightOf(key)) as string;
    await shop.write(key, elsewhere(key), 'deleted since');
    shop.clock.nowMs += 60_000;
    await shop.write(key, rightOf(key), null);
    shop.clock.nowMs += 60_000;
    await shop.write(other, rightOf(key), 'is left');
    const isLeft = shop.written.at(-1)?.offset ?? 0;
    expect(await shop.log.deleteRecordsBefore(shop.binlog, asPartition(rightOf(key)), asOffset(isLeft))).toBe(isLeft);
    expect(await shop.run()).toMatchObject({ keys: 1, home: 0, stays: { beyondTombstones: 1 } });
    // What is younger than all that was deleted has nothing to fear.
    shop.clock.nowMs += 3_600_000;
    await shop.write(key, elsewhere(key), 'younger');
    expect(await shop.run()).toMatchObject({ keys: 1, home: 1 });
    expect(await shop.reads()).toEqual(new Map(Object.entries({ [key]: 'younger', [other]: 'is left' })));
    await shop.log.close();
  });

  const runs = full ? 300 : 15;
  it(`[seed ${seed}] whatever is written when, and wherever a run dies: no older value over a newer one, and nothing lost`, async () => {
    for (let at = 0; at < runs; at++) {
      const random = dice(seed * 10_000 + at);
      const upTo = (n: number): number => Math.floor(random() * n);
      const shop = await Shop.open();
      shop.skewsMs = Array.from({ length: partitions }, () => (at % 3 === 0 ? 0 : upTo(doubtMs + 1)));
      const keys = keysOf.slice(0, 1 + upTo(keysOf.length));
      const one = async (): Promise<void> => {
        shop.clock.nowMs += random() < 0.3 ? 0 : upTo(9_000);
        const key = keys[upTo(keys.length)] as string;
        const partition = random() < 0.5 ? rightOf(key) : upTo(partitions);
        const value = random() < 0.2 ? null : `${key} at ${shop.written.length}`;
        const expiresAtMs = random() < 0.2 ? shop.clock.nowMs + upTo(20_000) - 5_000 : null;
        await shop.write(key, partition, value, expiresAtMs);
      };
      for (let n = upTo(40); n >= 0; n--) await one();
      for (let run = upTo(3); run >= 0; run--) {
        const dies = random() < 0.6;
        const known = [...shop.written];
        /** Nothing that was there when it began is newer than what comes home, or in doubt. */
        const isNewest = (record: LogRecord): void => {
          const of = shop.saidBy(record);
          const others = known.filter(({ key, order }) => key === of?.key && order !== of.order);
          if (of === undefined || of.partition === rightOf(of.key)) return;
          expect({ at, of, newer: others.filter(({ order }) => order > of.order) }).toEqual({ at, of, newer: [] });
          expect({ at, of, isClear: isClear(of, others) }).toEqual({ at, of, isClear: true });
        };
        const racing = between(shop.log, async (append, ...to) => {
          to[2].forEach(isNewest);
          for (let n = upTo(3); n > 0; n--) await one();
          if (dies && random() < 0.4) throw new Error('killed before');
          const appended = await append(...to);
          if (dies && random() < 0.4) throw new Error('killed behind');
          for (let n = upTo(2); n > 0; n--) await one();
          return appended;
        });
        const mends = { atRisk: 0, restored: 0 };
        await shop.run(racing, at % 2 === 0 ? { mends } : {}).catch((error: Error) => {
          if (!error.message.startsWith('killed')) throw error;
        });
        if (at % 2 === 0) expect({ at, gone: await shop.gone() }).toEqual({ at, gone: [] });
        for (let n = upTo(5); n > 0; n--) await one();
      }
      expect({ at, last: await shop.run() }).toMatchObject({ at, last: { contested: 0 } });
      expect({ at, gone: await shop.gone() }).toEqual({ at, gone: [] });
      const reads = await shop.reads();
      const wanted = [...shop.wanted()];
      expect({ at, reads: wanted.map(([key]) => [key, reads.get(key)]) }).toEqual({ at, reads: wanted });
      expect({ at, again: await shop.run() }).toMatchObject({ at, again: { home: 0, restored: 0, contested: 0 } });
      await shop.log.close();
    }
  }, 240_000);
});
