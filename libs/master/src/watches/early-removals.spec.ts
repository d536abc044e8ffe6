import type { NamespaceState } from '@levee/events';
import { asOffset, asPartition, type Offset, type Partition } from '@levee/kernel';
import { EarlyRemovals } from './early-removals';

const retentionMs = 3_600_000;
const hiddenAfterMs = retentionMs - 60_000;
const prices = { binlog: 'prices', retentionMs, hiddenAfterMs } as NamespaceState & {
  readonly retentionMs: number;
  readonly hiddenAfterMs: number;
};

/** Times of the records of each partition, from its start. */
class Topic {
  nowMs = 1_000_000_000_000;
  asked = 0;
  readonly partitions: { start: number; times: number[] }[];

  constructor(count: number, records: number) {
    const { nowMs } = this;
    const times = (): number[] => Array.from({ length: records }, (_, i) => nowMs - (records - i) * 600_000);
    this.partitions = Array.from({ length: count }, () => ({ start: 0, times: times() }));
  }

  offsets = () =>
    Promise.resolve(
      this.partitions.map(({ start, times }, partition) => ({
        ...{ topic: 'prices', partition: asPartition(partition) },
        ...{ startOffset: asOffset(start), endOffset: asOffset(times.length) },
      })),
    );

  offsetAt = (_: string, partition: Partition, timeMs: number): Promise<Offset> => {
    this.asked++;
    const { start, times } = this.partitions[partition]!;
    const found = times.findIndex((time, offset) => offset >= start && time >= timeMs);
    return Promise.resolve(asOffset(found < 0 ? times.length : found));
  };
}

async function looks(topic: Topic, ...steps: (() => void)[]): Promise<(number | undefined)[]> {
  const removals = new EarlyRemovals(topic, { nowMs: () => topic.nowMs });
  const found = [];
  for (const step of [() => undefined, ...steps]) {
    step();
    const moved = await removals.look(prices);
    found.push(moved?.partition);
    topic.nowMs += 5_000;
  }
  return found;
}

// Ten records, ten minutes apart: the sixth and later ones are younger than an hour.
test.each<[string, (topic: Topic) => (() => void)[], (number | undefined)[]]>([
  [
    'what is beyond retention goes: nothing is said',
    (of) => [() => (of.partitions[1]!.start = 4)],
    [undefined, undefined],
  ],
  [
    'a record that is younger goes: its partition is named',
    (of) => [() => (of.partitions[1]!.start = 7)],
    [undefined, 1],
  ],
  [
    'and from then on, whatever is seen later',
    (of) => [() => (of.partitions[1]!.start = 10), () => undefined],
    [undefined, 1, 1],
  ],
  [
    'what was asked so long ago that it may have aged since says nothing',
    (of) => [
      () => {
        of.nowMs += 60_000;
        of.partitions[1]!.start = 7;
      },
    ],
    [undefined, undefined],
  ],
  [
    'a producer of old records at an end of which nothing was known',
    (of) => {
      of.partitions[1]!.times.length = 3;
      return [
        () => {
          of.partitions[1]!.times.push(1, 2);
          of.partitions[1]!.start = 5;
        },
      ];
    },
    [undefined, undefined],
  ],
])('%s', async (_, steps, expected) => {
  const topic = new Topic(3, 10);
  expect(await looks(topic, ...steps(topic))).toEqual(expected);
});

test('of many partitions each has its turn', async () => {
  const topic = new Topic(40, 10);
  const cut = (): void => void (topic.partitions[35]!.start = 9);
  const none = (): void => undefined;
  expect(await looks(topic, none, none, cut)).toEqual([undefined, undefined, undefined, 35]);
  expect(topic.asked).toBe(3 * 16);
});
