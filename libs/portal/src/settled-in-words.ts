import type { Settled } from '@levee/audit';

const inWords: Readonly<Record<keyof Settled['stays'], string>> = {
  later: 'have a later record in the right partition',
  doubtful:
    'have another one, there or in a second wrong partition, that is within 5 s of it, or there one that cannot be dated',
  atHome: 'were brought home before',
  unreadable: 'cannot be read',
  producerTime: 'have a time of their producer, so that nobody knows which record is later',
  expired: 'have expired, and the right partition holds no value',
  nothingToDelete: 'delete, and the right partition holds no value',
  beyondTombstones:
    'are so old that a later deletion may have been compacted away (--beyond-tombstones brings them home)',
  tooLarge: 'are too large',
};

/** What became of strays, or would, for people. */
export function settledInWords(
  name: string,
  found: Settled & { readonly records: number; readonly strayed: number; readonly isDry: boolean },
): string {
  const { records, keys, home, restored, contested, outdone, stays, examples, strayed, isDry } = found;
  const would = isDry ? ' would be' : ' were';
  const at = (places: readonly string[] | undefined): string =>
    places === undefined || places.length === 0 ? '' : ` (such as ${places.join(', ')})`;
  const parts = [
    `${name}: ${records} records of ${keys} keys stand in wrong partitions; ${home}${would} brought home${at(examples.bringHome)}`,
    ...(Object.keys(stays) as (keyof typeof stays)[])
      .filter((why) => stays[why] > 0)
      .map((why) => `${stays[why]} ${inWords[why]}${at(examples[why])}`),
  ];
  if (outdone > 0) parts.push(`${outdone} are older than another one of their key`);
  if (restored > 0)
    parts.push(`${restored} newer records, written to the right partition in the same moment,${would} put last again`);
  if (contested > 0)
    parts.push(
      `${contested} keys are written all the time by others, and may show an older record: give the command again`,
    );
  if (isDry && home > 0) parts.push('a FLUSHDB since then was no deletion of them: it deletes what can be read');
  if (strayed > 0) parts.push(`${strayed} more came into wrong partitions meanwhile: their producer is not set right`);
  return parts.join('; ');
}
