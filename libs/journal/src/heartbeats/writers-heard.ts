import { decodeAs } from '@levee/codec';
import type { Heartbeat, NamespaceState } from '@levee/events';
import { asOffset, type Clock, type Offset } from '@levee/kernel';
import type { Log, StoredRecord } from '@levee/log';
import { readAcross } from '../fold/journal-holes';
import type { ControlTopics } from '../topics/control-topics';
import { type JournalSeen, readSeen } from './heartbeat-known';
import { readWriterWord, type WriterWord } from './writer-word';

export const writerLimits = {
  /**
   * A writer that was not heard for so long writes nothing more: it refuses writes once none of its heartbeats was logged
   * for `WriteLease` (60 s), the log adapter sends nothing of a call after two minutes more, and a connection on which
   * it had been stopped in the middle of a request is closed by the broker after `connections.max.idle.ms` (10 min).
   */
  goneAfterMs: 15 * 60_000,
  /** Of a stretch without any heartbeat only so much counts: the log may have been away, or its clock have jumped. */
  quietMsMax: 5_000,
  readMs: 60_000,
} as const;

/** One run of a process that may write to binlogs. */
export interface HeardWriter {
  readonly process: string;
  readonly incarnation: string;
  readonly address: string;
  readonly word: WriterWord | undefined;
  readonly seen: JournalSeen | undefined;
  /** By the log's clock, as far as somebody else was heard meanwhile. */
  readonly silentMs: number;
}

interface Known extends Omit<HeardWriter, 'silentMs'> {
  readonly heardAtMs: number;
}

/** Whom a freeze waits for, and why. */
export interface FreezeWait {
  readonly process: string;
  readonly incarnation: string;
  readonly address: string;
  readonly silentMs: number;
  readonly why: string;
}

const others = new Set<Heartbeat['kind']>(['master', 'node', 'dispatcher']);

/** Everybody who may write to binlogs, as far as the log remembers heartbeats: an hour. */
export class WritersHeard {
  private readonly known = new Map<string, Known>();
  private nextOffset: Offset | undefined;
  /** Time in which somebody was heard. */
  private heardMs = 0;
  private lastMs: number | undefined;

  constructor(
    private readonly log: Log,
    private readonly topics: Pick<ControlTopics, 'heartbeats'>,
    private readonly options: {
      readonly clock: Clock;
      /** Where everybody who may write lives in this process: who. What others said, they said before they ended. */
      readonly onlyHere?: (() => readonly string[] | undefined) | undefined;
      readonly goneAfterMs?: number | undefined;
    },
  ) {}

  /** Reads on to the end as of this call; anew where the log lost its end, since other heartbeats may have come there. */
  async read(): Promise<void> {
    const { heartbeats } = this.topics;
    const [{ startOffset, endOffset } = { startOffset: asOffset(0), endOffset: asOffset(0) }] =
      await this.log.offsets(heartbeats);
    if (endOffset < (this.nextOffset ?? 0)) this.forgetAll();
    this.nextOffset = await readAcross(this.log, heartbeats, {
      clock: this.options.clock,
      deadlineMs: writerLimits.readMs,
      from: asOffset(Math.max(startOffset, this.nextOffset ?? 0)),
      onHole: () => undefined,
      onBatch: ({ records }) => {
        for (const record of records) this.take(record);
      },
    });
    this.forget();
  }

  /**
   * [safety] For who has not read for a while: offsets may have been given again meanwhile, and whoever was heard there
   * alone would not be waited for.
   */
  forgetAll(): void {
    this.known.clear();
    this.nextOffset = undefined;
    this.heardMs = 0;
    this.lastMs = undefined;
  }

  all(): HeardWriter[] {
    return [...this.known.values()].map(({ heardAtMs, ...of }) => ({ ...of, silentMs: this.heardMs - heardAtMs }));
  }

  /** Of a frozen namespace: who may still write to it. Empty: nobody, for ever, until it is thawed. */
  freezeWaits({ name, number, frozenSeq, freezeWithout }: NamespaceState): FreezeWait[] {
    const freeze = `${name}#${number}@${frozenSeq}`;
    const without = new Set(freezeWithout);
    return this.living().flatMap(({ process, incarnation, address, silentMs, word }) => {
      if (word?.obeys.has(freeze) === true || without.has(incarnation)) return [];
      return [{ process, incarnation, address, silentMs, why: whyNot(word, silentMs) }];
    });
  }

  /** Who is heard and has not read the journal up to `seq` yet, as far as it says. */
  behind(seq: number): FreezeWait[] {
    return this.living().flatMap(({ process, incarnation, address, silentMs, seen }) => {
      if (silentMs > writerLimits.quietMsMax || (seen !== undefined && seen.seq >= seq)) return [];
      const why = seen === undefined ? 'it does not say what it has read' : `it has read decision ${seen.seq}`;
      return [{ process, incarnation, address, silentMs, why }];
    });
  }

  /** Those that are not known to have written for the last time. */
  private living(): HeardWriter[] {
    const here = this.options.onlyHere?.();
    const { goneAfterMs = writerLimits.goneAfterMs } = this.options;
    return this.all().filter(
      ({ word, silentMs, incarnation }) =>
        word?.ended !== true && silentMs < goneAfterMs && (here === undefined || here.includes(incarnation)),
    );
  }

  private take({ value, headers, timestampMs }: StoredRecord): void {
    const gapMs = timestampMs - (this.lastMs ?? timestampMs);
    this.heardMs += Math.min(writerLimits.quietMsMax, Math.max(0, gapMs));
    this.lastMs = Math.max(timestampMs, this.lastMs ?? timestampMs);
    const beat = value === null ? undefined : beatIn(value);
    if (beat === undefined || others.has(beat.kind)) return;
    const { kind, id, incarnation, address } = beat;
    this.known.set(incarnation, {
      ...{ process: `${kind} ${id}`, incarnation, address, heardAtMs: this.heardMs },
      ...{ word: readWriterWord(headers), seen: readSeen(headers) },
    });
  }

  /** Who was silent for so long that the log itself forgets it. */
  private forget(): void {
    const { goneAfterMs = writerLimits.goneAfterMs } = this.options;
    for (const [incarnation, { heardAtMs }] of this.known)
      if (this.heardMs - heardAtMs > 4 * goneAfterMs) this.known.delete(incarnation);
  }
}

function whyNot(word: WriterWord | undefined, silentMs: number): string {
  if (silentMs > writerLimits.quietMsMax)
    return `it was not heard for ${Math.round(silentMs / 1_000)} s, and may write when it goes on`;
  if (word === undefined) return 'it does not say whether it obeys: it is of an older version';
  return 'it has not said yet that it obeys with nothing on its way';
}

function beatIn(value: Buffer): Heartbeat | undefined {
  try {
    return decodeAs('Heartbeat', value);
  } catch {
    return undefined;
  }
}
