import type { LogHeader } from '@levee/log';

/**
 * What a process that writes binlogs says of its writes, beside its heartbeat: processes of older versions read the
 * heartbeat as ever. `ended`, or `writes` and each freeze that it obeys with nothing on its way.
 */
const writerHeaderKey = 'levee-writes';

/** Freezes that one heartbeat names; the others follow when those are confirmed. */
const freezesToldMax = 64;
const bytesMax = 64 * 1024;

export interface WriterWord {
  /** It wrote for the last time, and nothing of it is on its way. */
  readonly ended: boolean;
  /** `<name>#<number>@<frozenSeq>`. */
  readonly obeys: ReadonlySet<string>;
}

export function writerHeader({ ended, obeys }: { ended: boolean; obeys: readonly string[] }): LogHeader {
  const words = ended ? ['ended'] : ['writes', ...obeys.slice(0, freezesToldMax)];
  return { key: writerHeaderKey, value: Buffer.from(words.join(' ')) };
}

/** `undefined`: it says nothing of its writes, as older versions do. */
export function readWriterWord(headers: readonly LogHeader[]): WriterWord | undefined {
  const value = headers.find(({ key }) => key === writerHeaderKey)?.value;
  if (value === undefined || value.length > bytesMax) return undefined;
  const [kind, ...obeys] = value.toString('utf8').split(' ');
  if (kind === 'ended') return { ended: true, obeys: new Set() };
  return kind === 'writes' ? { ended: false, obeys: new Set(obeys) } : undefined;
}
