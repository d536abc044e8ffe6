import type { StoredBatch } from '@levee/log';
import { type Case, type ContractCase, numbered, p0, record } from '../contract-case';

/** Every stored batch up to the end, with what it holds now: its records are the reader's only until the next one. */
async function stored(c: ContractCase, topic: string, from = 0): Promise<Array<StoredBatch & { held: string[] }>> {
  const tail = c.tail(topic, from, { stored: true, bytesMax: 4096 });
  const found: Array<StoredBatch & { held: string[] }> = [];
  for (;;) {
    const batch = await tail.next();
    if (batch === undefined) throw new Error('the tail ended by itself');
    expect(batch.records).toEqual([]);
    expect(batch.readUnderEpoch).toBeGreaterThanOrEqual(0);
    for (const each of batch.stored ?? []) {
      const held = each.records().map(({ offset, key, value }) => `${offset} ${key?.toString()}=${value?.toString()}`);
      expect(held).toHaveLength(each.recordCount);
      found.push(Object.assign(Object.create(each) as StoredBatch, { held }));
    }
    if (batch.nextOffset < batch.endOffset) continue;
    await tail.end();
    return found;
  }
}

const covered = (batches: readonly StoredBatch[]): number =>
  batches.reduce((sum, { baseOffset, nextOffset }) => sum + nextOffset - baseOffset, 0);

export const storedBatches: readonly Case[] = [
  [
    'an auditor sees every batch as it is stored: whole, by the log’s time, with its checksum',
    async (c) => {
      const topic = await c.topic();
      for (let n = 0; n < 5; n++) await c.append(topic, numbered(40, `r${n}-`));
      const batches = await stored(c, topic);
      expect(covered(batches)).toBe(200);
      expect(batches.flatMap(({ held }) => held)).toHaveLength(200);
      for (const [i, batch] of batches.entries()) {
        expect(batch).toMatchObject({ kind: 'data', timestampType: 'append' });
        expect(batch.recordCount).toBe(batch.nextOffset - batch.baseOffset);
        expect(batch.baseOffset).toBe(batches[i - 1]?.nextOffset ?? 0);
        expect(batch.records().every(({ timestampMs }) => timestampMs <= batch.timestampMs)).toBe(true);
        expect(batch.crc).toBeGreaterThan(0);
      }
    },
  ],
  [
    'the records of one key are found without the others',
    async (c) => {
      const topic = await c.topic();
      for (let n = 0; n < 20; n++) await c.append(topic, [record('k1', `k11 ${n}`), record('k11', `k1 ${n}`)]);
      const tail = c.tail(topic, 7, { stored: true });
      const found: string[] = [];
      for (;;) {
        const batch = await tail.next();
        for (const each of batch?.stored ?? [])
          for (const { offset, value } of each.records(Buffer.from('k11')))
            found.push(`${offset} ${value?.toString()}`);
        if (batch === undefined || batch.nextOffset >= batch.endOffset) break;
      }
      expect(found.filter((each) => Number.parseInt(each) >= 7)).toEqual(
        Array.from({ length: 17 }, (_, n) => `${7 + 2 * n} k1 ${n + 3}`),
      );
    },
  ],
  [
    'what compaction removed is missing from the batches or from what they hold, and nothing else is',
    async (c) => {
      const compact = c.fault('compact');
      if (compact === undefined) return;
      const topic = await c.compactedTopic();
      for (let n = 0; n < 12; n++) await c.append(topic, [record('same', `v${n}`), record(`k${n}`, 'x')]);
      let batches: Array<StoredBatch & { held: string[] }> = [];
      await c.until(async () => {
        await compact(topic, p0);
        batches = await stored(c, topic);
        return !batches.some(({ held }) => held.includes('0 same=v0'));
      }, 'the cleaner to clean');
      const { end } = await c.offsetsOf(topic);
      const held = batches.flatMap((batch) => batch.held);
      expect(held).toContain('1 k0=x');
      const missingInside = covered(batches) - held.length;
      const missingBetween = end - covered(batches);
      expect(missingInside + missingBetween).toBe(end - held.length);
      expect(held.length).toBeLessThan(end);
      const [bounds] = await c.log.offsets(topic);
      // Where the log knows how far it was cleaned, nothing is missing behind that.
      if (bounds?.cleanedBelow !== undefined)
        for (const batch of batches.filter(({ baseOffset }) => baseOffset >= (bounds.cleanedBelow ?? 0)))
          expect(batch.recordCount).toBe(batch.nextOffset - batch.baseOffset);
    },
  ],
  [
    'the records of an aborted transaction are there, and void; its end is a control batch: no offset is missing',
    async (c) => {
      const open = c.fault('openForeignTransaction');
      if (open === undefined) return;
      const topic = await c.topic();
      await c.append(topic, [record('k', 'before')]);
      await (await open(topic, p0, numbered(3, 'aborted-'))).abort();
      await (await open(topic, p0, numbered(2, 'committed-'))).commit();
      // A broker answers a commit before its marker stands in the partition.
      await c.until(async () => (await c.offsetsOf(topic)).end === 8, 'the second marker');
      await c.append(topic, [record('k', 'after')]);
      const batches = await stored(c, topic);
      expect(covered(batches)).toBe((await c.offsetsOf(topic)).end);
      const kinds = batches.map(({ kind, recordCount }) => `${kind} ${recordCount}`);
      expect(kinds).toEqual(['data 1', 'void 3', 'control 1', 'data 2', 'control 1', 'data 1']);
    },
  ],
];
