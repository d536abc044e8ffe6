import { checkWhole } from '@levee/cluster';
import { beginsAs, decodeAs } from '@levee/codec';
import type { Checkpoint } from '@levee/events';
import { type Adopted, JournalFold, stretchWords } from '@levee/journal';
import { messageOf } from '@levee/kernel';
import type { StoredRecord } from '@levee/log';
import { Findings } from './finding';
import { type AuditWorld, walkPartition } from './walk-partition';

export interface JournalVerified {
  readonly fold: JournalFold;
  readonly findings: Findings;
  readonly decisions: number;
  readonly claims: number;
  /** Records that a later claim made void, as those of a deposed master are: they are none of the findings. */
  readonly voids: number;
  /** Nothing from here on could be judged. */
  readonly brokenAt: number | undefined;
}

/** What a compacted topic says of a decision. */
export interface CheckpointRead {
  readonly topic: string;
  readonly checkpoint: Pick<Checkpoint, 'seq' | 'previousSha256'>;
}

const dayMs = 24 * 3_600_000;
/** Ids of commands that are remembered: those of a day, and not more than this. */
const commandIdsMax = 2_000_000;

/**
 * Folds the journal from where `fold` stands: terms, numbers, the chain of SHA-256, each decision's state digest, every
 * command once, what must hold between a state and each event (I6, I8, I9, I10, I14), and of the last state as a whole.
 */
export async function verifyJournal(
  world: AuditWorld,
  {
    fold = new JournalFold(),
    checkpoints = [],
  }: { readonly fold?: JournalFold | undefined; readonly checkpoints?: readonly CheckpointRead[] },
): Promise<JournalVerified> {
  const { journal: topic } = world.topics;
  const judge = new JournalJudge(topic, fold, checkpoints);
  const from = fold.position.nextOffset;
  await walkPartition(
    world,
    { topic, partition: 0, ...(from > 0 ? { from } : {}) },
    {
      onBatch: ({ records, nextOffset }) => {
        for (const record of records) judge.record(record);
        if (judge.brokenAt === undefined) fold.chain.passTo(nextOffset);
      },
      onHole: (hole) =>
        judge.findings.add('unreadable', `${stretchWords(hole)}: ${hole.why}`, { offset: hole.fromOffset }),
    },
  );
  return judge.verdict();
}

/** Folds records of a journal in their order, wherever they come from, and says what is wrong with them. */
export class JournalJudge {
  readonly findings: Findings;
  brokenAt: number | undefined;
  private readonly counts = { decisions: 0, claims: 0, voids: 0 };
  private readonly once: CommandsOnce;
  private last = 'nothing is in force before it';

  constructor(
    topic: string,
    private readonly fold: JournalFold,
    private readonly checkpoints: readonly CheckpointRead[],
  ) {
    this.findings = new Findings(topic);
    this.once = new CommandsOnce(this.findings);
  }

  record(record: StoredRecord): void {
    if (this.brokenAt !== undefined) return;
    try {
      this.judge(record);
    } catch (error) {
      // The fold may be half way through it: nothing behind it can be judged.
      this.brokenAt = record.offset;
      this.findings.add('state', messageOf(error), { offset: record.offset, seq: seqIn(record) });
    }
  }

  verdict(): JournalVerified {
    const { fold, findings, counts, brokenAt } = this;
    if (brokenAt === undefined) checkState(fold, findings);
    return { fold, findings, ...counts, brokenAt };
  }

  private judge(record: StoredRecord): void {
    const { fold, findings, counts } = this;
    const { offset } = record;
    const folded = fold.apply(record);
    if (folded.kind === 'foreign') findings.add('chain', `${folded.why}; ${this.last}`, { offset, seq: seqIn(record) });
    else if (folded.kind === 'void') counts.voids++;
    else if (folded.kind === 'claim') counts.claims++;
    else {
      counts.decisions++;
      this.last = `decision ${folded.adopted.seq}, at offset ${offset}, is in force before it`;
      this.once.add(folded.adopted, offset);
      for (const { topic: told, checkpoint } of this.checkpoints)
        if (checkpoint.seq === folded.adopted.seq && checkpoint.previousSha256 !== folded.adopted.sha256)
          findings.add('chain', `its bytes are not those that the checkpoint of ${told} names`, {
            offset,
            seq: checkpoint.seq,
          });
    }
  }
}

function checkState({ state, position }: JournalFold, findings: Findings): void {
  const { seq } = position;
  try {
    checkWhole(state);
  } catch (error) {
    findings.add('state', messageOf(error), { seq });
  }
  for (const { name, state: is } of state.namespaces()) {
    if (is !== 'active') continue;
    let next = 0;
    const routes = [...state.routesOf(name)].sort((a, b) => a.slotStart - b.slotStart);
    for (const { slotStart, slotEnd, chunkId } of routes) {
      if (slotStart !== next)
        findings.add('state', `I9: route of ${chunkId} of ${name} begins at slot ${slotStart}, not at ${next}`, {
          seq,
        });
      next = slotEnd;
    }
  }
}

/** A command is decided once: its id within a day, its offset for ever (which the chain sees to). */
class CommandsOnce {
  private readonly seqById = new Map<string, { readonly seq: number; readonly atMs: number }>();

  constructor(private readonly findings: Findings) {}

  add({ seq, decision }: Adopted, offset: number): void {
    const { command, decidedAtMs: atMs, commandOffset } = decision;
    const known = this.seqById.get(command.id);
    // A repetition gets the recorded answer, and changes nothing.
    if (known !== undefined && atMs - known.atMs < dayMs && commandOffset >= 0 && decision.events.length > 0)
      this.findings.add('command', `command ${command.id} was decided by decision ${known.seq} already`, {
        offset,
        seq,
      });
    this.seqById.delete(command.id);
    this.seqById.set(command.id, { seq, atMs });
    for (const [id, old] of this.seqById) {
      if (this.seqById.size <= commandIdsMax && atMs - old.atMs < dayMs) break;
      this.seqById.delete(id);
    }
  }
}

/** Number of the decision that a record is, in force or not. */
export function seqIn({ value }: StoredRecord): number | undefined {
  try {
    return value !== null && beginsAs('Decision', value) ? decodeAs('Decision', value).seq : undefined;
  } catch {
    return undefined;
  }
}
