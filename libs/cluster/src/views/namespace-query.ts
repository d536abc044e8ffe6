import { reject, type Rejection } from '../rejection';

/** Longest query: the longest name, and as many wildcards again. */
const queryLengthMax = 400;

/**
 * Names that a query such as `shop.*` selects: `*` stands for any characters of one segment, `?` for one of them, `**`
 * as a whole segment for any number of segments, none included. So `shop.*` is what lies directly below shop, `shop.**`
 * all of shop, `*.orders` the orders of every group of one segment.
 */
export function namespaceQuery(query: string): ((name: string) => boolean) | Rejection {
  if (query.length > queryLengthMax)
    return reject('BAD_QUERY', `a query has at most ${queryLengthMax} characters, this one has ${query.length}`);
  const segments = query.split('.');
  const wrong = segments.find(
    (segment) => !/^[a-z0-9*?-]+$/.test(segment) || (/\*\*/.test(segment) && segment !== '**'),
  );
  if (wrong !== undefined)
    return reject(
      'BAD_QUERY',
      `'${query}' is no query: '${wrong}' must be of a-z, 0-9, -, * and ?, or ** alone; as in shop.*, shop.** or *.orders`,
    );
  const patterns = segments.map((segment) => (segment === '**' ? undefined : segmentPattern(segment)));
  return (name) => matches(patterns, name.split('.'));
}

type SegmentPattern = ((segment: string) => boolean) | undefined;

/** One pass over the segments, with one place to come back to: the last `**`. */
function matches(patterns: readonly SegmentPattern[], segments: readonly string[]): boolean {
  let p = 0;
  let s = 0;
  let backTo: { p: number; s: number } | undefined;
  while (s < segments.length) {
    const pattern = patterns[p];
    if (p < patterns.length && pattern === undefined) backTo = { p: ++p, s };
    else if (pattern?.(segments[s] as string)) {
      p++;
      s++;
    } else if (backTo !== undefined) {
      backTo = { p: backTo.p, s: backTo.s + 1 };
      ({ p, s } = backTo);
    } else return false;
  }
  while (p < patterns.length && patterns[p] === undefined) p++;
  return p === patterns.length;
}

/** As {@link matches}, over characters: never more than length times length steps, whatever the pattern. */
function segmentPattern(pattern: string): (segment: string) => boolean {
  const characters = [...pattern].map((one): SegmentPattern => {
    if (one === '*') return undefined;
    return one === '?' ? () => true : (character) => character === one;
  });
  return (segment) => matches(characters, [...segment]);
}
