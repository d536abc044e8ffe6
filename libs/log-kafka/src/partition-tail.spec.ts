import { asOffset, asPartition, crc32c } from '@levee/kernel';
import type { LogBatch } from '@levee/log';
import { PartitionTail } from './partition-tail';
import { batchAt } from './record-batch';
import { encodeBatch } from './record-batch-encoder';

const identity = { producerId: 3, epoch: 0, baseSequence: 0 };

/** As a broker answers: `count` records from `offset` on, in one batch of that leader epoch. */
function stored(offset: number, count: number, leaderEpoch: number): Buffer {
  const records = Array.from({ length: count }, (_, i) => ({ key: Buffer.from(`k${offset + i}`), value: null }));
  const batch = encodeBatch([{ records }], 1_000, identity);
  batch.writeBigInt64BE(BigInt(offset), 0);
  batch.writeInt32BE(leaderEpoch, batchAt.leaderEpoch);
  return batch;
}

describe('a tail whose answers hold few records each', () => {
  let nowMs = 0;
  const limits = { corruptRereads: 2, leaderDoubtMs: 100 };
  const host = { wake: () => undefined, ended: () => undefined, buffered: { bytes: 0 }, limits, nowMs: () => nowMs };
  let tail: PartitionTail;
  const accept = (batches: Buffer, highWatermark: number): void =>
    tail.accept(
      {
        topicId: '',
        partition: 0,
        errorCode: 0,
        highWatermark,
        lastStableOffset: highWatermark,
        aborted: [],
        batches,
      },
      { waitMs: 0, answerBytes: batches.length },
    );
  const next = async (): Promise<LogBatch> => (await tail.next()).value as LogBatch;

  beforeEach(() => {
    host.buffered.bytes = 0;
    tail = new PartitionTail('t', asPartition(0), { nextOffset: asOffset(0), leaderEpoch: -1 }, {}, host);
    tail.confirmedMs = nowMs = 0;
  });

  it('hands over together what came in while its reader was away', async () => {
    for (let offset = 0; offset < 10; offset++) accept(stored(offset, 1, offset < 7 ? 4 : 5), offset + 1);
    const batch = await next();
    expect(batch.records.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(batch).toMatchObject({ firstOffset: 0, nextOffset: 10, endOffset: 10, leaderEpoch: 5 });
    accept(stored(10, 2, 5), 12);
    expect(await next()).toMatchObject({ firstOffset: 10, nextOffset: 12 });
    void tail.next();
    expect(host.buffered.bytes).toBe(0);
  });

  it('keeps batches short, and no record of them back', async () => {
    const counts: number[] = [];
    for (let offset = 0; offset < 6_000; offset += 500) accept(stored(offset, 500, 4), 6_000);
    for (let at = 0; at < 6_000;) {
      const { firstOffset, nextOffset, records } = await next();
      expect(firstOffset).toBe(at);
      expect(records.length).toBe(nextOffset - firstOffset);
      counts.push(records.length);
      at = nextOffset;
    }
    expect(counts.length).toBeGreaterThan(1);
    expect(Math.max(...counts)).toBeGreaterThan(500);
  });

  it('says when the end was asked for, however long the answer waited for its reader', async () => {
    tail.askedMs = 70;
    accept(stored(0, 1, 4), 1);
    tail.askedMs = 80;
    accept(stored(1, 1, 4), 2);
    expect(await next()).toMatchObject({ nextOffset: 2, endOffset: 2, endAskedMs: 80 });
  });

  it('hands over what is before a record that cannot be read, then fails', async () => {
    accept(stored(0, 3, 4), 3);
    const broken = stored(3, 1, 4);
    // Sound by its checksum, but not a record inside.
    broken.fill(0xff, batchAt.records);
    broken.writeUInt32BE(crc32c(broken.subarray(batchAt.attributes)), batchAt.crc);
    accept(broken, 4);
    expect(await next()).toMatchObject({ firstOffset: 0, nextOffset: 3 });
    await expect(tail.next()).rejects.toMatchObject({ code: 'RECORD_CORRUPT' });
  });
});
