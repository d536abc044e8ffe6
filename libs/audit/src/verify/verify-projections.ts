import { decodeEvent, type JournalFold, compactedTopics, stretchWords, checkpointKey } from '@levee/journal';
import { decodeAs } from '@levee/codec';
import type { Checkpoint } from '@levee/events';
import { messageOf } from '@levee/kernel';
import type { StoredRecord } from '@levee/log';
import { Findings } from './finding';
import { type AuditWorld, walkPartition } from './walk-partition';

/** What is kept of a record until the topic is read. */
type Said = Pick<StoredRecord, 'offset' | 'value' | 'headers'>;

/** The last word of a compacted topic about one entity. */
interface Word {
  readonly offset: number;
  /** `undefined`: removed. */
  readonly bytes: Buffer | undefined;
  readonly seq: number;
}

export interface ProjectionsRead {
  readonly topic: string;
  readonly words: ReadonlyMap<string, Word>;
  /** The topic says that it is complete up to this decision. */
  readonly checkpointSeq: number;
  readonly checkpoint: Checkpoint | undefined;
  /** Keys whose last word cannot be read. */
  readonly unreadable: ReadonlySet<string>;
  readonly findings: Findings;
  readonly records: number;
}

const claimKey = 'claim';

/** Reads the compacted topics. Read them before the end of the journal: what they say stands in it by then. */
export async function readProjected(world: AuditWorld): Promise<readonly ProjectionsRead[]> {
  const all: ProjectionsRead[] = [];
  for (const topic of compactedTopics(world.topics)) all.push(await readOne(world, topic));
  return all;
}

async function readOne(world: AuditWorld, topic: string): Promise<ProjectionsRead> {
  const findings = new Findings(topic);
  // Most of a topic that was not compacted yet has been said anew since: only last words are decoded.
  const last = new Map<string, Said>();
  let count = 0;
  const take = ({ key, offset, value, headers }: StoredRecord): void => {
    count++;
    last.set(key?.toString('utf8') ?? '', { offset, value: value && Buffer.from(value), headers });
  };
  await walkPartition(
    world,
    { topic, partition: 0 },
    {
      onBatch: ({ records }) => records.forEach(take),
      onHole: (hole) => findings.add('unreadable', `${stretchWords(hole)}: ${hole.why}`, { offset: hole.fromOffset }),
    },
  );
  const words = new Map<string, Word>();
  const unreadable = new Set<string>();
  let checkpoint: Checkpoint | undefined;
  for (const [key, record] of last)
    try {
      if (key === checkpointKey) checkpoint = record.value === null ? undefined : decodeAs('Checkpoint', record.value);
      else if (key !== claimKey) words.set(key, wordOf(record));
    } catch (error) {
      unreadable.add(key);
      findings.add('projection', `${key} cannot be read: ${messageOf(error)}`, { offset: record.offset });
    }
  return {
    topic,
    words,
    unreadable,
    checkpoint,
    checkpointSeq: checkpointSeqOf(checkpoint),
    findings,
    records: count,
  };
}

const checkpointSeqOf = (checkpoint: Checkpoint | undefined): number => checkpoint?.seq ?? 0;

function wordOf({ offset, value, headers }: Said): Word {
  if (value !== null) return { offset, bytes: value, seq: decodeEvent(value).entity.seq };
  const seq = Number(headers.find(({ key }) => key === 'seq')?.value.toString() ?? NaN);
  return { offset, bytes: undefined, seq: Number.isSafeInteger(seq) ? seq : -1 };
}

/** Holds what the topics say against the journal (I8). A word that is behind counts only below its topic's checkpoint. */
export function compareProjected({ table, position }: JournalFold, all: readonly ProjectionsRead[]): void {
  const said = new Set<string>(all.flatMap(({ unreadable }) => [...unreadable]));
  for (const { words, checkpointSeq, findings } of all)
    for (const [key, { bytes, seq, offset }] of words) {
      said.add(key);
      if (seq > position.seq) {
        findings.add('projection', `${key} is of decision ${seq}, the journal ends with ${position.seq}`, {
          offset,
          seq,
        });
        continue;
      }
      const held = table.get(key);
      if (held === undefined ? bytes === undefined : bytes !== undefined && held.equals(bytes)) continue;
      const heldSeq = held === undefined ? undefined : decodeEvent(held).entity.seq;
      const differs =
        heldSeq === seq
          ? `${key} is not what decision ${seq} says`
          : held === undefined
            ? `${key} is of decision ${seq}, and the journal has removed it, or never had it`
            : `${key} is of decision ${seq}, the journal's is of decision ${heldSeq}`;
      const late = heldSeq !== undefined && heldSeq > seq && heldSeq > checkpointSeq;
      if (!late) findings.add('projection', differs, { offset, seq: Math.max(0, seq) });
    }
  for (const [key, bytes] of table.entries()) {
    if (said.has(key)) continue;
    const topic = all.find(({ topic: name }) => name.endsWith(topicSuffixOf(key)));
    const { seq } = decodeEvent(bytes).entity;
    if (topic !== undefined && seq <= topic.checkpointSeq)
      topic.findings.add(
        'projection',
        `${key}, of decision ${seq}, is missing, and the topic says that it is complete up to decision ${topic.checkpointSeq}`,
        { seq },
      );
  }
}

function topicSuffixOf(key: string): string {
  if (key.startsWith('plan/')) return '.plans';
  return key.startsWith('route/') ? '.routes' : '.metadata';
}
