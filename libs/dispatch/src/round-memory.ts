import type { Facts, ProposedPlan, ReasonCode, Subject, Trigger } from '@levee/cluster';

export const roundMemoryLimits = {
  /** Notes kept; the oldest go first. */
  notesMax: 5_000,
  /** Notes given about one subject; the newest. */
  answerMax: 100,
} as const;

/** What a round thought of a chunk or node. The same thought in round after round is one note. */
export interface Note {
  readonly subject: Subject;
  readonly trigger: Trigger;
  /** Why nothing is proposed, `PROPOSED`, or the code with which the master refused. */
  readonly code: ReasonCode | 'PROPOSED' | (string & {});
  readonly message: string;
  readonly facts: Facts;
  /** When it was thought first and last, by this process's clock, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly firstAtMs: number;
  atMs: number;
  rounds: number;
  /** Id of the plan that came of it. */
  planId?: string;
}

type Thought = Pick<Note, 'subject' | 'trigger' | 'code' | 'message' | 'facts'>;

/** Why the dispatcher did and did not act, of the last rounds. Soft state: what was done is in the journal. */
export class RoundMemory {
  /** By subject, trigger and code, in the order of the last time. */
  private readonly notes = new Map<string, Note>();

  keep(thought: Thought, nowMs: number): Note {
    const { chunkId = '', nodeId = '' } = thought.subject;
    const key = `${chunkId} ${nodeId} ${thought.trigger} ${thought.code}`;
    const before = this.notes.get(key);
    const continues = before !== undefined && thought.code !== 'PROPOSED';
    const note: Note = continues
      ? { ...before, message: thought.message, facts: thought.facts, atMs: nowMs, rounds: before.rounds + 1 }
      : { ...thought, firstAtMs: nowMs, atMs: nowMs, rounds: 1 };
    // What was proposed is kept each time: the older one stays under its own time.
    if (before !== undefined && !continues) this.notes.set(`${key} ${before.firstAtMs}`, before);
    this.notes.delete(key);
    this.notes.set(key, note);
    for (const oldest of this.notes.keys()) {
      if (this.notes.size <= roundMemoryLimits.notesMax) break;
      this.notes.delete(oldest);
    }
    return note;
  }

  /** About a chunk, node or plan, oldest first. */
  about(subject: string): Note[] {
    const found: Note[] = [];
    for (const note of this.notes.values()) if (concerns(note, subject)) found.push(note);
    return found.sort((a, b) => a.atMs - b.atMs).slice(-roundMemoryLimits.answerMax);
  }

  /** The newest notes, oldest first. */
  latest(count: number): Note[] {
    return [...this.notes.values()].sort((a, b) => a.atMs - b.atMs).slice(-count);
  }
}

function concerns({ subject, planId, facts }: Note, id: string): boolean {
  const chunks = subject.chunkId?.split('+') ?? [];
  return planId === id || subject.nodeId === id || chunks.includes(id) || facts['to'] === id || facts['from'] === id;
}

/** What is proposed, in one line. */
export function proposalText({ kind, chunkId, chunkIds, from, to, at, parts }: ProposedPlan): string {
  const words = [
    kind,
    chunkId ?? chunkIds?.join(' and '),
    from === undefined ? '' : `from ${from}`,
    to === undefined ? '' : `to ${to}`,
    at === undefined ? '' : `at slot ${at}`,
    parts === undefined ? '' : `into ${parts}`,
  ];
  return words.filter((word) => word !== '' && word !== undefined).join(' ');
}
