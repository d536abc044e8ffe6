import {
  decide,
  draft,
  heardField,
  lowestLevels,
  mayNeedHeardLevels,
  masterCommandKinds,
  needsHeardLevels,
  type ClusterEvent,
  type DecideContext,
  type HeardLevel,
  type Rejection,
  type Verdict,
} from '@levee/cluster';
import { encode } from '@levee/codec';
import type { Command, CommandOutcome, Decision } from '@levee/events';
import { decisionLink, decodeEvent, encodeEvent, type JournalFold, putEvent, sha256Of } from '@levee/journal';
import { messageOf } from '@levee/kernel';
import { logLimits, type LogRecord } from '@levee/log';

export const decisionLimits = {
  batchCommandsMax: 256,
  batchBytesMax: 512 * 1024,
  /** Events of one decision, which must fit one record together with the command. */
  decisionBytesMax: logLimits.recordBytesMax - 320 * 1024,
} as const;

/** A command and where it stands in `levee.commands`; -1: the master's own. */
export interface PendingCommand {
  readonly command: Command;
  readonly offset: number;
}

/** Decisions ready for the journal, in order, and the state they would lead to. */
export interface DecisionBatch {
  readonly decisions: readonly Decision[];
  readonly records: readonly LogRecord[];
  /** How many of the given commands are decided here; the rest is for the next batch. */
  readonly taken: number;
  /** SHA-256 of the last record: it names all those before it. */
  readonly sha256: string;
}

/** As `decide` of `@levee/cluster`; tests pass one that misbehaves. */
export type Decide = typeof decide;

export interface BatchOptions {
  readonly nowMs: number;
  readonly term: number;
  readonly topicPrefix: string;
  /** See `DecideContext`. */
  readonly planObserveMs?: number;
  readonly decide?: Decide;
  /** Processes that are no data nodes, as their heartbeats tell. */
  readonly heard?: () => Iterable<HeardLevel>;
  /** One decision may not have more bytes; smaller after the log has refused a bigger one. */
  readonly decisionBytesMax?: number;
}

/**
 * Decides as many of `commands` as fit one batch, on a draft: the fold stays as it is until the journal gives the
 * decisions back. Events are encoded, decoded again and evolved on the draft, so that one which cannot be replayed
 * never reaches the log. A command that makes this throw is recorded as rejected, or it would kill master after master.
 */
export function decideBatch(
  fold: JournalFold,
  commands: readonly PendingCommand[],
  options: BatchOptions,
): DecisionBatch {
  const candidate = draft(fold.state);
  const table = fold.table.draft();
  const decisions: Decision[] = [];
  const records: LogRecord[] = [];
  let { seq, previousSha256 } = fold.position;
  let batchBytes = 0;
  for (const given of commands.slice(0, decisionLimits.batchCommandsMax)) {
    const pending = withEvidence(given, options);
    if (batchBytes >= decisionLimits.batchBytesMax) break;
    seq += 1;
    const { nowMs, term, topicPrefix, planObserveMs } = options;
    const context = { nowMs, seq, term, topicPrefix, ...(planObserveMs === undefined ? {} : { planObserveMs }) };
    const events = tryEvents(candidate, pending, { context, options });
    for (const { event, bytes } of events.list) {
      candidate.evolve(event);
      putEvent(table, event, bytes);
    }
    const decision: Decision = {
      seq,
      term: options.term,
      decidedAtMs: options.nowMs,
      command: pending.command,
      commandOffset: pending.offset,
      rejectionCode: events.outcome.rejectionCode,
      rejectionMessage: events.outcome.rejectionMessage,
      events: events.list.map(({ bytes }) => bytes),
      stateDigest: table.digest,
      previousSha256,
    };
    const value = encode('Decision', decision);
    previousSha256 = sha256Of(value);
    decisions.push(decision);
    records.push({ key: null, value, headers: [decisionLink(decision)] });
    batchBytes += value.length;
  }
  return { decisions, records, taken: decisions.length, sha256: previousSha256 };
}

/** What the decision rests on besides the state is recorded in its command, so that it can be replayed and explained. */
function withEvidence(pending: PendingCommand, { heard }: BatchOptions): PendingCommand {
  const { command, offset } = pending;
  if (!mayNeedHeardLevels(command.kind)) return pending;
  let payload: unknown;
  try {
    payload = JSON.parse(command.payload);
  } catch {
    return pending;
  }
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) return pending;
  const { [heardField]: _claimed, ...asked } = payload as Record<string, unknown>;
  const needed = needsHeardLevels(command.kind, asked) && heard !== undefined;
  if (!needed && _claimed === undefined) return pending;
  const recorded = needed ? { ...asked, [heardField]: lowestLevels(heard()) } : asked;
  return { offset, command: { ...command, payload: JSON.stringify(recorded) } };
}

interface EncodedEvents {
  readonly list: readonly { readonly event: ClusterEvent; readonly bytes: Buffer }[];
  readonly outcome: CommandOutcome;
}

interface Deciding {
  readonly context: DecideContext;
  readonly options: BatchOptions;
}

function tryEvents(candidate: ReturnType<typeof draft>, pending: PendingCommand, deciding: Deciding): EncodedEvents {
  const { context, options } = deciding;
  const { command } = pending;
  // Before any refusal: what is recorded under an id is what its submitter was told, and stays so.
  const recorded = candidate.outcome(command.id);
  if (recorded !== undefined) return { list: [], outcome: recorded };
  if (pending.offset >= 0 && masterCommandKinds.has(command.kind)) {
    const message = `${command.kind} says what the master has done: only the active master may give it`;
    return replayable(candidate, refusal(command, context, { code: 'FORBIDDEN', message }));
  }
  try {
    const verdict = (options.decide ?? decide)(candidate, command, context);
    const encoded = replayable(candidate, verdict);
    const bytes = encoded.list.reduce((sum, event) => sum + event.bytes.length, 0);
    const bytesMax = options.decisionBytesMax ?? decisionLimits.decisionBytesMax;
    if (bytes <= bytesMax) return encoded;
    const message = `the events of this ${command.kind} have ${bytes} bytes, the limit is ${bytesMax}: ask for less at once`;
    return replayable(candidate, refusal(command, context, { code: 'TOO_LARGE', message }));
  } catch (error) {
    const message = `deciding this ${command.kind} failed: ${messageOf(error)}`;
    return replayable(candidate, refusal(command, context, { code: 'INTERNAL', message }));
  }
}

/** Encodes the events and evolves what the bytes say on a draft of their own, which is then thrown away. */
function replayable(candidate: ReturnType<typeof draft>, verdict: Pick<Verdict, 'events' | 'outcome'>): EncodedEvents {
  const trial = draft(candidate);
  const list = verdict.events.map((decided) => {
    const bytes = encodeEvent(decided);
    const event = decodeEvent(bytes);
    trial.evolve(event);
    return { event, bytes };
  });
  return { list, outcome: verdict.outcome };
}

function refusal(command: Command, context: DecideContext, rejection: Rejection): Pick<Verdict, 'events' | 'outcome'> {
  const outcome: CommandOutcome = {
    commandId: command.id,
    kind: command.kind,
    rejectionCode: rejection.code,
    rejectionMessage: rejection.message,
    decidedAtMs: context.nowMs,
    change: 'CommandRejected',
    seq: context.seq,
    term: context.term,
  };
  return { events: [{ kind: 'outcome', entity: outcome }], outcome };
}
