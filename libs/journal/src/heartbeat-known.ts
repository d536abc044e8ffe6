import { decodeAs } from '@levee/codec';
import { asOffset, type Clock } from '@levee/kernel';
import type { Log, LogHeader, StoredRecord } from '@levee/log';
import type { ControlTopics } from './control-topics';
import { readToEnd } from './read-topic';
import type { Witness } from './witness';

/**
 * What the sender of a heartbeat has seen of the journal, beside the heartbeat: processes of older versions read it as
 * ever, so no feature level has to be waited for. `seen <seq> <term> <clusterId>`.
 */
export const seenHeaderKey = 'levee-seen';

export const heartbeatKnownLimits = { recordsMax: 4_096, readDeadlineMs: 10_000, bytesMax: 256 } as const;

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
  const bounds = (await log.offsets(topics.heartbeats))[0];
  if (bounds === undefined || clusterId === undefined) return [];
  const { startOffset, endOffset } = bounds;
  const witnesses = new Map<string, Witness>();
  await readToEnd(log, topics.heartbeats, {
    clock,
    deadlineMs: heartbeatKnownLimits.readDeadlineMs,
    from: asOffset(Math.max(startOffset, endOffset - heartbeatKnownLimits.recordsMax)),
    onBatch: ({ records }) => {
      for (const record of records) {
        const seen = readSeen(record.headers);
        const who = seen?.clusterId === clusterId ? senderOf(record) : undefined;
        if (seen !== undefined && who !== undefined) witnesses.set(who, { seq: seen.seq, term: seen.term, who });
      }
    },
  });
  return [...witnesses.values()];
}

function senderOf({ value }: StoredRecord): string | undefined {
  if (value === null) return undefined;
  try {
    const { kind, id } = decodeAs('Heartbeat', value);
    return `${kind} ${id}`;
  } catch {
    return undefined;
  }
}
