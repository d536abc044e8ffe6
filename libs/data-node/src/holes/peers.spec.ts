import type { CopyPosition } from '@levee/chunk-store';
import { asPartition } from '@levee/kernel';
import { LogFailure } from '@levee/log';
import type { LogHole } from './log-hole';
import { vetPeer } from './peers';

const nowMs = 1_000_000;
const retentionMs = 10_000;
const damaged: LogHole = { partition: asPartition(0), fromOffset: 10, toOffset: 13, why: 'its CRC' };
const unknownEnd: LogHole = { partition: asPartition(0), fromOffset: 10, toOffset: undefined, why: 'a batch' };
const removed: LogHole = { partition: asPartition(1), fromOffset: 0, toOffset: 50, why: 'the log begins at 50' };

const at = (partition: number, nextOffset: number, but: Partial<CopyPosition> = {}): CopyPosition => ({
  partition,
  nextOffset,
  leaderEpoch: 3,
  completeAtMs: nowMs,
  ...but,
});

/** `cut`: partitions of which the log holds less than the peer has seen. */
function world(cut: readonly number[]) {
  const tail = async function* (_: string, partition: number) {
    if (cut.includes(partition)) throw new LogFailure('LOG_TRUNCATED', 'its epoch ends at 11');
    yield {};
  };
  return {
    log: { tail },
    logClock: { bestMs: () => nowMs },
    retentions: { of: () => retentionMs },
  } as unknown as Parameters<typeof vetPeer>[0];
}

describe('a peer of a replica in front of a hole', () => {
  it.each<[string, readonly LogHole[], readonly CopyPosition[], readonly number[], RegExp | undefined]>([
    ['past it', [damaged], [at(0, 13)], [], undefined],
    ['right before its end', [damaged], [at(0, 12)], [], /stands at offset 12 of partition 0, not past 10/],
    ['past one whose end nobody knows', [unknownEnd], [at(0, 11)], [], undefined],
    ['in front of one whose end nobody knows', [unknownEnd], [at(0, 10)], [], /stands at offset 10/],
    ['where the log begins', [removed], [at(1, 50)], [], undefined],
    ['below where the log begins', [removed], [at(1, 49)], [], /not past 0/],
    ['past one, not past another', [damaged, removed], [at(0, 20), at(1, 49)], [], /partition 1/],
    ['a witness', [damaged], [at(0, 20)], [0], /is a witness of partition 0: its epoch ends at 11/],
    [
      'a witness of another partition of the chunk',
      [damaged],
      [at(0, 20), at(1, 60)],
      [1],
      /is a witness of partition 1/,
    ],
    ['complete just lately enough', [damaged], [at(0, 20, { completeAtMs: nowMs - retentionMs / 2 })], [], undefined],
    [
      'not complete for too long',
      [damaged],
      [at(0, 20, { completeAtMs: nowMs - retentionMs / 2 - 1 })],
      [],
      /deletions it never saw may be gone/,
    ],
    ['never complete', [damaged], [at(0, 20, { completeAtMs: 0 })], [], /was last complete at 1970/],
  ])('%s', async (_, holes, positions, cut, refusal) => {
    const verdict = vetPeer(world(cut), { binlog: 'b' }, holes, positions);
    if (refusal === undefined) await expect(verdict).resolves.toBeUndefined();
    else
      await expect(verdict).rejects.toMatchObject({
        code: 'NO_PEER',
        message: expect.stringMatching(refusal) as string,
      });
  });
});
