import { decodeAs } from '@levee/codec';
import type { ReplicaDigest } from '@levee/events';
import { type ControlTopics, readToEnd } from '@levee/journal';
import type { Clock } from '@levee/kernel';
import type { Log } from '@levee/log';

/** What replicas said of a chunk's state at one barrier of a partition. */
export interface FoundDigest {
  readonly chunkId: string;
  /** The digest covers what lies before it. */
  readonly barrierOffset: number;
  readonly digests: readonly Pick<ReplicaDigest, 'nodeId' | 'digest' | 'keys' | 'computedAtMs'>[];
  readonly agree: boolean;
}

const readDeadlineMs = 60_000;

/**
 * The digest nearest to `offset`: the first one behind it, which covers it, else the last one before it. `undefined`
 * when the topic, which keeps 30 days, holds none of these chunks in this partition.
 */
export async function nearestDigest(
  log: Log,
  topics: Pick<ControlTopics, 'digests'>,
  of: {
    readonly partition: number;
    readonly chunkIds: ReadonlySet<string>;
    readonly offset: number;
    readonly clock: Clock;
  },
): Promise<FoundDigest | undefined> {
  if ((await log.describeTopics([topics.digests])).length === 0) return undefined;
  let nearest: ReplicaDigest[] = [];
  await readToEnd(log, topics.digests, {
    clock: of.clock,
    deadlineMs: readDeadlineMs,
    onBatch: ({ records }) => {
      for (const { value } of records) {
        const digest = value === null ? undefined : read(value);
        if (digest?.partition !== of.partition) continue;
        if (!of.chunkIds.has(digest.chunkId)) continue;
        const [known] = nearest;
        if (known !== undefined && known.barrierOffset === digest.barrierOffset && known.chunkId === digest.chunkId)
          nearest.push(digest);
        else if (known === undefined || isNearer(digest.barrierOffset, known.barrierOffset, of.offset))
          nearest = [digest];
      }
    },
  });
  const [first] = nearest;
  if (first === undefined) return undefined;
  const { chunkId, barrierOffset } = first;
  const agree = nearest.every(({ digest }) => digest === first.digest);
  return {
    chunkId,
    barrierOffset,
    digests: nearest.map(({ nodeId, digest, keys, computedAtMs }) => ({ nodeId, digest, keys, computedAtMs })),
    agree,
  };
}

function isNearer(candidate: number, known: number, offset: number): boolean {
  if (candidate > offset !== known > offset) return candidate > offset;
  return candidate > offset ? candidate < known : candidate > known;
}

function read(value: Buffer): ReplicaDigest | undefined {
  try {
    return decodeAs('ReplicaDigest', value);
  } catch {
    return undefined;
  }
}
