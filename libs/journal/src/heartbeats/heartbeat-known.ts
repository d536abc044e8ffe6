import type { HeardLevel } from '@levee/cluster';
import { decodeAs } from '@levee/codec';
import type { Heartbeat } from '@levee/events';
import { asOffset, type Clock } from '@levee/kernel';
import type { Log, LogHeader, StoredRecord } from '@levee/log';
import { readAcross } from '../fold/journal-holes';
import type { Witness } from '../fold/witness';
import type { ControlTopics } from '../topics/control-topics';

/**
 * What the sender of a heartbeat has seen of the journal, beside the heartbeat: processes of older versions read it as
 * ever, so no feature level has to be waited for. `seen <seq> <term> <clusterId>`.
 */
const seenHeaderKey = 'levee-seen';

const heartbeatKnownLimits = {
  recordsMax: 4_096,
  readDeadlineMs: 10_000,
  bytesMax: 256,
  forgetMs: 600_000,
} as const;

/** What a process knows of the journal, from reading it or from its disk. */
export interface JournalSeen {
  readonly seq: number;
  readonly term: number;
  readonly clusterId: string | undefined;
}

/** Nothing while the cluster is not known. */
export function seenHeaders({ seq, term, clusterId }: JournalSeen): LogHeader[] {
  if (clusterId === undefined) return [];
  return [{ key: seenHeaderKey, value: Buffer.from(`seen ${seq} ${term} ${clusterId}`) }];
}

/** `undefined`: the heartbeat says nothing of it. */
export function readSeen(headers: readonly LogHeader[]): JournalSeen | undefined {
  const value = headers.find(({ key }) => key === seenHeaderKey)?.value;
  if (value === undefined || value.length > heartbeatKnownLimits.bytesMax) return undefined;
  const words = /^seen ([0-9]{1,15}) ([0-9]{1,10}) ([^ ]+)(?: |$)/.exec(value.toString('utf8'));
  if (words === null) return undefined;
  return { seq: Number(words[1]), term: Number(words[2]), clusterId: words[3] };
}

/** What the newest heartbeats say that their senders have seen of the journal of this cluster. */
export async function heardWitnesses(
  log: Log,
  topics: Pick<ControlTopics, 'heartbeats'>,
  { clusterId, clock }: { readonly clusterId: string | undefined; readonly clock: Clock },
): Promise<Witness[]> {
  const witnesses = new Map<string, Witness>();
  await readNewest(log, topics, {
    clock,
    onBeat: (beat, { headers }) => {
      const seen = readSeen(headers);
      const who = `${beat.kind} ${beat.id}`;
      if (seen !== undefined && seen.clusterId === clusterId)
        witnesses.set(who, { seq: seen.seq, term: seen.term, who });
    },
  });
  return [...witnesses.values()];
}

/** Who was heard of in the last `forgetMs` of the log's time, without data nodes, and what they read. */
export async function heardLevels(
  log: Log,
  topics: Pick<ControlTopics, 'heartbeats'>,
  clock: Clock,
): Promise<ReadonlyMap<string, HeardLevel>> {
  const heard = new Map<string, HeardLevel & { readonly atMs: number }>();
  let newestMs = 0;
  await readNewest(log, topics, {
    clock,
    onBeat: ({ kind, id, featureLevel }, { timestampMs }) => {
      newestMs = Math.max(newestMs, timestampMs);
      const process = `${kind} ${id}`;
      if (kind !== 'node') heard.set(process, { process, featureLevel, atMs: timestampMs });
    },
  });
  const sinceMs = newestMs - heartbeatKnownLimits.forgetMs;
  return new Map([...heard].filter(([, { atMs }]) => atMs >= sinceMs));
}

async function readNewest(
  log: Log,
  topics: Pick<ControlTopics, 'heartbeats'>,
  { clock, onBeat }: { readonly clock: Clock; readonly onBeat: (beat: Heartbeat, record: StoredRecord) => void },
): Promise<void> {
  const bounds = (await log.offsets(topics.heartbeats))[0];
  if (bounds === undefined) return;
  const { startOffset, endOffset } = bounds;
  // What cannot be read is said again by everybody who lives.
  await readAcross(log, topics.heartbeats, {
    onHole: () => undefined,
    clock,
    deadlineMs: heartbeatKnownLimits.readDeadlineMs,
    from: asOffset(Math.max(startOffset, endOffset - heartbeatKnownLimits.recordsMax)),
    onBatch: ({ records }) => {
      for (const record of records) {
        const beat = record.value === null ? undefined : beatIn(record.value);
        if (beat !== undefined) onBeat(beat, record);
      }
    },
  });
}

function beatIn(value: Buffer): Heartbeat | undefined {
  try {
    return decodeAs('Heartbeat', value);
  } catch {
    return undefined;
  }
}
