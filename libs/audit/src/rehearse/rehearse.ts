import { JournalFold } from '@levee/journal';
import { Failure } from '@levee/kernel';
import type { LogFinding } from '../verify/finding';
import { JournalJudge } from '../verify/verify-journal';
import { type DumpHead, DumpReader } from './log-dump';

/** How this build comes through a journal that another one wrote. */
export interface Rehearsed {
  readonly topic: string;
  /** That wrote the dump. */
  readonly software: string;
  readonly records: number;
  readonly seq: number;
  readonly term: number;
  readonly digest: string;
  readonly decisions: number;
  readonly claims: number;
  readonly voids: number;
  readonly findings: readonly LogFinding[];
  /** Beyond those that are told. */
  readonly untold: number;
  /** What the dump says that its writer came to, where this build comes to something else. */
  readonly differences: readonly string[];
}

/**
 * Folds the journal in a dump with this build: each record is read, each decision must be in force and come to the state
 * whose digest its master wrote, the last state must keep every rule. Nothing is written, and nobody is asked. Fails with
 * BAD_DUMP.
 */
export async function rehearseJournal(lines: AsyncIterable<string>): Promise<Rehearsed> {
  const reader = new DumpReader();
  const fold = new JournalFold();
  let judge: JournalJudge | undefined;
  let records = 0;
  for await (const line of lines) {
    if (line === '') continue;
    const record = reader.line(line);
    if (record === undefined) continue;
    if (reader.head !== undefined && reader.head.startOffset > 0)
      throw new Failure(
        'BAD_DUMP',
        `it begins at offset ${reader.head.startOffset}: a journal is folded from its start`,
      );
    judge ??= new JournalJudge(reader.head?.topic ?? '', fold, []);
    records++;
    judge.record(record);
  }
  const head = reader.close();
  if (judge === undefined) throw new Failure('BAD_DUMP', 'it holds no record');
  const { findings, decisions, claims, voids } = judge.verdict();
  const { seq, term } = fold.position;
  const { digest } = fold;
  return {
    ...{ topic: head.topic, software: head.software, records, seq, term, digest, decisions, claims, voids },
    findings: findings.told,
    untold: findings.count - findings.told.length,
    differences: differencesTo(head, { seq, term, digest, decisions }),
  };
}

function differencesTo({ came = {} }: DumpHead, now: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(now).flatMap(([name, value]) =>
    came[name] === undefined || came[name] === value ? [] : [`${name} is ${value}, its writer came to ${came[name]}`],
  );
}
