import { MemoryLevel } from 'memory-level';
import { encode } from '@levee/codec';
import type { Claim } from '@levee/events';
import { controlTopicSpecs, encodeEvent, EntityTable, putEvent, sha256Of } from '@levee/journal';
import { asPartition } from '@levee/kernel';
import type { Log, LogRecord } from '@levee/log';
import { EmbeddedLog } from '@levee/log-embedded';
import type { ClusterScript } from '../../cluster/test/cluster-script';
import { topics } from '../../master/test/control-plane';
import type { AuditWorld } from '../src';

const p0 = asPartition(0);

/** One record of a journal, with the time at which the log takes it. */
export interface TimedRecord {
  readonly record: LogRecord;
  readonly atMs: number;
  /** Default: the journal. */
  readonly topic?: string;
}

/** The journal that a master would have written of what the script decided: a claim, then one decision after the other. */
export function journalOf(script: Pick<ClusterScript, 'decided' | 'state'>): TimedRecord[] {
  const [first] = script.decided;
  const claim: Claim = {
    ...{ term: 1, instance: 'm1', nonce: 'nonce-1', producerId: 1, epoch: 0 },
    ...{ clusterId: script.state.clusterId ?? '', claimedAtMs: first?.atMs ?? 0 },
  };
  const table = new EntityTable();
  let previousSha256 = '0'.repeat(64);
  const decisions = script.decided.map(({ command, verdict: { events, rejection }, atMs }, i): TimedRecord => {
    const encoded = events.map(encodeEvent);
    events.forEach((event, at) => putEvent(table, event, encoded[at] as Buffer));
    const value = encode('Decision', {
      ...{ seq: i + 1, term: 1, decidedAtMs: atMs, command, commandOffset: i, events: encoded, previousSha256 },
      ...{ rejectionCode: rejection?.code ?? null, rejectionMessage: rejection?.message ?? null },
      stateDigest: table.digest,
    });
    previousSha256 = sha256Of(value);
    return { record: { key: null, value }, atMs };
  });
  return [{ record: { key: null, value: encode('Claim', claim) }, atMs: claim.claimedAtMs }, ...decisions];
}

/** What was decided, but for the last ones, whose numbers a repair took ten seconds later; then one decision more. */
export function repairedJournalOf({ decided, state }: ClusterScript, lost: number): TimedRecord[] {
  const seqMax = decided.length;
  const [last] = decided.slice(-1);
  if (last === undefined) throw new Error('nothing is decided');
  const atMs = last.atMs + 10_000;
  const payload = JSON.stringify({ kind: 'accept-loss', seqMax, termMax: 1 });
  const verdict = { ...last.verdict, events: [], rejection: undefined };
  const taken = Array.from({ length: lost }, (_, i) => ({
    ...{ verdict, atMs },
    command: { id: `repair-${i}`, kind: 'RepairJournal', payload, principal: 'repair', submittedAtMs: atMs },
  }));
  const more = { ...last, verdict, atMs: atMs + 10_000, command: { ...last.command, id: 'after the repair' } };
  return journalOf({ state, decided: [...decided.slice(0, -lost), ...taken, more] });
}

/** An embedded log in memory whose clock is given, with the control topics and these records of the journal. */
export async function logWith(records: readonly TimedRecord[]): Promise<{
  readonly log: EmbeddedLog;
  readonly clock: { nowMs: number };
  readonly worldOf: (log: Log) => AuditWorld;
}> {
  const clock = { nowMs: records[0]?.atMs ?? 0 };
  const log = await EmbeddedLog.open({
    db: new MemoryLevel<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' }),
    cleanEveryMs: 0,
    clock: { nowMs: () => clock.nowMs, monotonicMs: () => performance.now() },
  });
  await log.ensureTopics(controlTopicSpecs(topics));
  for (const { record, atMs, topic = topics.journal } of records) {
    clock.nowMs = atMs;
    await log.append(topic, p0, [record]);
  }
  const worldOf = (of: Log): AuditWorld => ({
    ...{ log: of, topics, signal: new AbortController().signal },
    clock: { nowMs: () => clock.nowMs, monotonicMs: () => performance.now() },
  });
  return { log, clock, worldOf };
}

/** The same log with some of its answers bent. */
export function bent(log: Log, answers: Partial<Log>): Log {
  return new Proxy(log, {
    get: (_target, name) => {
      const own = answers[name as keyof Log];
      if (own !== undefined) return own;
      const value = Reflect.get(log, name, log) as unknown;
      return typeof value === 'function' ? (value.bind(log) as unknown) : value;
    },
  });
}
