import { Failure } from '@levee/kernel';
import type { LogRecord } from '@levee/log';
import { between, elsewhere, rightOf, Shop } from './astray-shop';

/** More keys of one partition than one batch takes. */
const keys = Array.from({ length: 2_800 }, (_, i) => `key ${i}`).filter((key) => rightOf(key) === 1);
const [hot, second] = keys as [string, string];

async function astray(): Promise<Shop> {
  const shop = await Shop.open();
  for (const key of keys) await shop.write(key, elsewhere(key), `${key} astray`);
  shop.clock.nowMs += 60_000;
  return shop;
}
const has = (records: readonly LogRecord[], key: string): boolean => records.some((each) => String(each.key) === key);

describe('a record that was overtaken by one that came home', () => {
  it('is put last again before the next batch is written', async () => {
    const shop = await astray();
    const batches: { readonly records: number; readonly reads: string | undefined }[] = [];
    const racing = between(shop.log, async (append, ...to) => {
      const [, , records] = to;
      batches.push({ records: records.length, reads: (await shop.reads()).get(hot) });
      if (batches.length === 1) {
        expect(has(records, hot)).toBe(true);
        await shop.write(hot, rightOf(hot), 'newer');
      }
      return append(...to);
    });
    expect(await shop.run(racing)).toMatchObject({
      keys: keys.length,
      home: keys.length - 1,
      restored: 1,
      contested: 0,
    });
    expect(batches.length).toBeGreaterThan(2);
    expect(batches[1]).toEqual({ records: 1, reads: `${hot} astray` });
    expect(batches.slice(2).map(({ reads }) => reads)).toEqual(batches.slice(2).map(() => 'newer'));
    await shop.log.close();
  });

  it.each<[string, Error | undefined]>([
    ['the run fails', new Failure('LOG_UNAVAILABLE', 'no leader')],
    ['people end it', undefined],
  ])('is put last again when %s behind the append, and nothing else is written', async (_what, error) => {
    const shop = await astray();
    const stop = new AbortController();
    const racing = between(shop.log, async (append, ...to) => {
      await shop.write(hot, rightOf(hot), 'newer');
      const appended = await append(...to);
      stop.abort();
      if (error !== undefined) throw error;
      return appended;
    });
    const mends = { atRisk: 0, restored: 0 };
    const code = error === undefined ? 'INTERRUPTED' : 'LOG_UNAVAILABLE';
    await expect(shop.run(racing, { mends, signal: stop.signal })).rejects.toMatchObject({ code });
    expect(mends).toEqual({ atRisk: 500, restored: 1 });
    const reads = await shop.reads();
    expect([reads.size, reads.get(hot)]).toEqual([500, 'newer']);
    await shop.log.close();
  });

  it('is put last again though somebody has ended the freeze, but nothing more comes home', async () => {
    const shop = await astray();
    let isFrozen = true;
    const racing = between(shop.log, async (append, ...to) => {
      if (isFrozen) await shop.write(hot, rightOf(hot), 'newer');
      isFrozen = false;
      return append(...to);
    });
    const check = (): void => {
      if (!isFrozen) throw new Failure('NAMESPACE_NOT_READY', 'thawed');
    };
    await expect(shop.run(racing, { check })).rejects.toMatchObject({ code: 'NAMESPACE_NOT_READY' });
    const reads = await shop.reads();
    expect([reads.size, reads.get(hot)]).toEqual([500, 'newer']);
    await shop.log.close();
  });

  it('is put last again by the next run before anything else, whatever came of the first one', async () => {
    const shop = await astray();
    const dies = between(shop.log, async (append, ...to) => {
      await shop.write(second, rightOf(second), 'newer');
      await append(...to);
      throw new Error('killed');
    });
    await expect(shop.run(dies)).rejects.toThrow('killed');
    expect((await shop.reads()).get(second)).toBe(`${second} astray`);
    const sizes: number[] = [];
    const watched = between(shop.log, (append, ...to) => {
      sizes.push(to[2].length);
      return append(...to);
    });
    expect(await shop.run(watched)).toMatchObject({ restored: 1, contested: 0, stays: { atHome: 499, later: 1 } });
    expect(sizes[0]).toBe(1);
    expect((await shop.reads()).get(second)).toBe('newer');
    await shop.log.close();
  });
});
