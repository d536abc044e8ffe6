import type { LogHeader } from '@levee/log';

/** Where a record stood that was brought home, and who says so. */
interface HomeMark {
  readonly partition: number;
  readonly offset: number;
  /** Log time of the record there, ms since 1970. */
  readonly timeMs: number;
  /** Of the producer that brought it home: the log names the same one, unless somebody copied the header. */
  readonly producerId: number;
}

/** `<partition>:<offset>@<log time>/<producer id>`. */
export const homeHeader = 'levee-repartitioned-from';

const marked = /^(\d{1,5}):(\d{1,15})@(\d{1,15})\/(-?\d{1,15})$/;
const markBytesMax = 64;

export const homeMark = ({ partition, offset, timeMs, producerId }: HomeMark): LogHeader => ({
  key: homeHeader,
  value: Buffer.from(`${partition}:${offset}@${timeMs}/${producerId}`, 'latin1'),
});

/** `undefined`: the record says nothing of the kind, or nothing that we write. */
export function readHomeMark(headers: readonly LogHeader[]): HomeMark | undefined {
  const value = headers.findLast(({ key }) => key === homeHeader)?.value;
  if (value === undefined || value.length > markBytesMax) return undefined;
  const found = marked.exec(value.toString('latin1'));
  if (found === null) return undefined;
  const [partition, offset, timeMs, producerId] = found.slice(1).map(Number) as [number, number, number, number];
  return { partition, offset, timeMs, producerId };
}
