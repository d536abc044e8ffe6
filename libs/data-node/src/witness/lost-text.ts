import type { LogCut } from '@levee/follow';

const lostTextLimits = {
  /** Partitions that one sentence names; the others are counted. */
  partitionsNamed: 32,
} as const;

type Lost = Pick<LogCut, 'partition' | 'cutOffset' | 'nextOffset' | 'keysAtStake' | 'keys'>;

/** `partition 3 from offset 7 to 30, 23 keys such as a, b, and deletions not counted`, of each that was cut. */
export function lostText(cuts: readonly Lost[]): string {
  const named = cuts.slice(0, lostTextLimits.partitionsNamed).map(({ partition, cutOffset, nextOffset, ...stake }) => {
    return `partition ${partition} from offset ${cutOffset} to ${nextOffset}${stakeText(stake)}`;
  });
  const more = cuts.length - named.length;
  return `${named.join('; ')}${more > 0 ? `; and ${more} more partitions` : ''}`;
}

function stakeText({ keysAtStake, keys = [] }: Pick<Lost, 'keysAtStake' | 'keys'>): string {
  if (keysAtStake === undefined) return ', keys not counted yet';
  const such = keys.length === 0 ? '' : ` such as ${keys.join(', ')},`;
  return `, ${keysAtStake} keys${such} and deletions not counted`;
}
