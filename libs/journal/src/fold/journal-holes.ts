import { asOffset, messageOf, type Offset } from '@levee/kernel';
import { type Log, LogFailure } from '@levee/log';
import { readToEnd } from '../topics/read-topic';

/** A stretch that the log cannot read. */
export interface JournalHole {
  readonly fromOffset: Offset;
  /** Behind it reading goes on; `undefined`: the log does not know where. */
  readonly toOffset: Offset | undefined;
  /** As the log says it. */
  readonly why: string;
}

const holeLimits = { holesMax: 1_000 } as const;

/** The stretch that `error` is about; `undefined` for any other error. */
export function holeIn(error: unknown): JournalHole | undefined {
  if (!(error instanceof LogFailure) || error.code !== 'RECORD_CORRUPT') return undefined;
  const { from, to, offset, why } = error.details ?? {};
  const fromOffset = numberIn(from) ?? numberIn(offset) ?? asOffset(0);
  return { fromOffset, toOffset: numberIn(to), why: typeof why === 'string' ? why : messageOf(error) };
}

const numberIn = (value: unknown): Offset | undefined =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? asOffset(value) : undefined;

/** For people: which offsets of `topic` cannot be read. */
export const holeWords = (topic: string, hole: JournalHole): string =>
  `${topic} cannot be read ${stretchWords(hole)} (${hole.why})`;

export const stretchWords = ({ fromOffset, toOffset }: JournalHole): string =>
  toOffset === undefined ? `from offset ${fromOffset} on` : `at offsets ${fromOffset} to ${toOffset - 1}`;

/**
 * As {@link readToEnd}, and reads on behind each stretch that the log cannot read, which `onHole` is told. Fails with
 * the log's own RECORD_CORRUPT where the log does not know what comes behind one.
 */
export async function readAcross(
  log: Log,
  topic: string,
  options: Parameters<typeof readToEnd>[2] & { readonly onHole: (hole: JournalHole & { toOffset: Offset }) => void },
): Promise<Offset> {
  let { from } = options;
  for (let holes = 0; ; holes++)
    try {
      return await readToEnd(log, topic, { ...options, ...(from === undefined ? {} : { from }) });
    } catch (error) {
      const hole = holeIn(error);
      const toOffset = hole?.toOffset;
      if (hole === undefined || toOffset === undefined || holes >= holeLimits.holesMax) throw error;
      if (toOffset <= hole.fromOffset || toOffset <= (from ?? -1)) throw error;
      options.onHole({ ...hole, toOffset });
      from = toOffset;
    }
}
