import { type ClusterEvent, draft, entityKey } from '@levee/cluster';
import { encode } from '@levee/codec';
import type { Claim, Decision } from '@levee/events';
import {
  claimLink,
  claimRecord,
  compactedTopics,
  type ControlTopics,
  decisionLink,
  decodeEvent,
  encodeEvent,
  foldJournal,
  type JournalFold,
  passingTopics,
  projectionRecords,
  putEvent,
  readProjections,
  repairCommand,
  repairPrincipal as principal,
  sha256Of,
  staleEntities,
  witnessLimits,
} from '@levee/journal';
import { asPartition, Failure, type Clock, type Logger, type NewId } from '@levee/kernel';
import type { FencedWriter, Log, LogRecord } from '@levee/log';
import { fillCommands } from '../commands-end';
import { decisionLimits } from '../decision-batch';
import { partsOf } from '../projections';
import { masterWriterId } from '../take-over';
import { bridgeOf } from './bridge-decision';
import { lossEvents } from './loss-events';
import type { Examined } from './plan-repair';
import { restoreEvents, type Stamp } from './restore-events';

export interface RepairWorld {
  readonly clock: Clock;
  readonly newId: NewId;
  readonly logger: Logger;
}

/**
 * Carries out what `examineJournal` found: claims every term up to one above all that was seen, gives every decision
 * number that was seen and lost to a decision of its own, the last of which brings back the state, reads that back, and
 * writes the compacted topics anew. Ended anywhere, it goes on when it is given again. Masters stand by meanwhile, since
 * the journal has not seen yet what its witnesses have.
 */
export async function repairJournal(
  log: Log,
  topics: ControlTopics,
  { examined, world }: { readonly examined: Examined; readonly world: RepairWorld },
): Promise<void> {
  const { plan } = examined;
  if (plan.kind === 'nothing') return;
  const clusterId = examined.clusterId ?? examined.target?.state.clusterId;
  if (clusterId === undefined)
    throw new Failure('NOTHING_KNOWN', 'neither the journal nor the compacted topics nor a disk name a cluster');
  if (plan.claims > witnessLimits.termsAheadMax)
    throw new Failure('LIMIT', `${plan.claims} terms are missing, the limit is ${witnessLimits.termsAheadMax}`);
  if (plan.decisions > witnessLimits.decisionsRepairedMax)
    throw new Failure(
      'LIMIT',
      `${plan.decisions} decisions are missing, the limit is ${witnessLimits.decisionsRepairedMax}: restore the journal from a ` +
        'backup, or find out who speaks of decisions that nobody took',
    );
  const writer = await log.fencedWriter(masterWriterId(topics));
  try {
    const { seqMax, termMax, bridge } = examined;
    const goal = bridge ?? { seq: seqMax, term: plan.kind === 'pass-over' ? termMax : termMax + 1 };
    const claims = claimsOf(examined, { writer, clusterId, world, toTerm: goal.term });
    const records = claims.map((claim) => ({ key: null, value: encode('Claim', claim), headers: [claimLink(claim)] }));
    const { decisions, digest } =
      bridge === undefined ? decisionsOf(examined, clusterId, world) : bridgeOf(bridge, { clusterId, world });
    await appendAll(writer, topics.journal, [...records, ...decisions]);
    const after = await foldJournal(log, topics, { clock: world.clock, holes: 'cross' });
    const { seq, term } = after.fold.position;
    if (seq !== goal.seq || term !== goal.term || after.fold.digest !== digest)
      throw new Failure(
        'REPAIR_INTERRUPTED',
        `the journal stands at decision ${seq} of term ${term}, not at ${goal.seq} of ${goal.term}: ` +
          `somebody else wrote meanwhile. Look again: ${repairCommand(log)}`,
      );
    await passOverHoles(log, topics);
    await rewriteCompacted(log, topics, { writer, fold: after.fold, claim: claims.at(-1), world });
    // [safety] Only now: nobody may read past a stretch before the bridge is there, nor begin at a checkpoint before it.
    for (const { fromOffset, toOffset } of examined.plan.holes)
      if (toOffset !== undefined) await log.passOver(topics.journal, asPartition(0), { fromOffset, toOffset });
    await fillCommands(log, topics, { commandsOffset: after.fold.position.commandsOffset, logger: world.logger });
  } finally {
    await writer.close();
  }
}

/** One for each term: none can be skipped. */
function claimsOf(
  { fold }: Examined,
  of: {
    readonly writer: FencedWriter;
    readonly clusterId: string;
    readonly world: RepairWorld;
    readonly toTerm: number;
  },
): Claim[] {
  const { writer, clusterId, world, toTerm } = of;
  const { producerId, epoch } = writer;
  return Array.from({ length: toTerm - fold.position.term }, (_, i) => ({
    ...{ term: fold.position.term + 1 + i, instance: principal, nonce: world.newId(), producerId, epoch, clusterId },
    claimedAtMs: world.clock.nowMs(),
  }));
}

/** Those without events only take their number; the last one brings the state back, and the last command decided. */
function decisionsOf(
  examined: Examined,
  clusterId: string,
  world: RepairWorld,
): { decisions: LogRecord[]; digest: string } {
  const { fold, seqMax, termMax, commandsOffset, plan } = examined;
  const term = termMax + 1;
  const table = fold.table.draft();
  const nowMs = world.clock.nowMs();
  const decisions: LogRecord[] = [];
  let { previousSha256 } = fold.position;
  for (let seq = fold.position.seq + 1; seq <= seqMax; seq++) {
    const isLast = seq === seqMax;
    const events = isLast ? encodedLast(examined, clusterId, { seq, term }) : [];
    for (const bytes of events) putEvent(table, decodeEvent(bytes), bytes);
    const command = {
      ...{ id: world.newId(), kind: 'RepairJournal', principal, submittedAtMs: nowMs },
      payload: JSON.stringify({ kind: plan.kind, seqMax, termMax }),
    };
    const decision: Decision = {
      ...{ seq, term, decidedAtMs: nowMs, command, rejectionCode: null, rejectionMessage: null, events },
      commandOffset: isLast && commandsOffset > fold.position.commandsOffset ? commandsOffset : -1,
      ...{ stateDigest: table.digest, previousSha256 },
    };
    const value = encode('Decision', decision);
    previousSha256 = sha256Of(value);
    decisions.push({ key: null, value, headers: [decisionLink(decision)] });
  }
  return { decisions, digest: table.digest };
}

/**
 * What the last decision says: the bytes that the compacted topics hold, and removals; and, where something is let go,
 * that it is. Replayed on a draft before anything is written.
 */
function encodedLast({ fold, target, plan }: Examined, clusterId: string, stamp: Stamp): Buffer[] {
  const trial = draft(fold.state);
  const encoded: Buffer[] = [];
  const add = (event: ClusterEvent, kept?: Buffer): void => {
    const bytes = kept ?? encodeEvent(event);
    trial.evolve(decodeEvent(bytes));
    encoded.push(bytes);
  };
  for (const event of target === undefined ? [] : restoreEvents(fold.state, target.state, stamp)) {
    const isEntity = event.kind !== 'removed' && event.entity.change !== 'Repaired';
    add(event, isEntity ? target?.table.get(entityKey(event)) : undefined);
  }
  const lost = plan.decisions;
  if (plan.kind === 'accept-loss') for (const event of lossEvents(trial, { clusterId, lost, stamp })) add(event);
  const size = encoded.reduce((sum, { length }) => sum + length, 0);
  if (size > decisionLimits.decisionBytesMax)
    throw new Failure(
      'TOO_LARGE',
      `what has to be restored takes ${size} bytes, one decision may have ${decisionLimits.decisionBytesMax}: restore ` +
        'the journal from a backup',
    );
  return encoded;
}

/**
 * Stretches of the other control topics that the log cannot read. What the compacted ones said is known from elsewhere,
 * and is written anew behind them. Ended before that, the digest of the checkpoint shows what is missing. Kafka names
 * none.
 */
async function passOverHoles(log: Log, topics: ControlTopics): Promise<void> {
  const { damage } = await log.examine([...compactedTopics(topics), ...passingTopics(topics)]);
  for (const { topic, partition, fromOffset, toOffset } of damage)
    await log.passOver(topic, partition, { fromOffset, toOffset });
}

async function rewriteCompacted(
  log: Log,
  topics: ControlTopics,
  of: {
    readonly writer: FencedWriter;
    readonly fold: JournalFold;
    readonly claim: Claim | undefined;
    readonly world: RepairWorld;
  },
): Promise<void> {
  const { writer, fold, claim, world } = of;
  const projections = await readProjections(log, topics, world.clock);
  const { position, digest } = fold;
  const { seq, term } = position;
  const stale = [...staleEntities(fold.table, projections)];
  const changes = stale.map((key) => [key, { bytes: fold.table.get(key), seq, term }] as const);
  const writtenAtMs = world.clock.nowMs();
  for (const [topic, records] of projectionRecords(topics, { changes, position, digest, writtenAtMs }))
    await appendAll(writer, topic, claim === undefined ? records : [claimRecord(claim), ...records]);
}

async function appendAll(writer: FencedWriter, topic: string, records: readonly LogRecord[]): Promise<void> {
  for (const part of partsOf(records)) await writer.append(topic, asPartition(0), part);
}
