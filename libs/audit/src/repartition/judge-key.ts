/** By so much the clocks of two partitions' leaders may differ: what is closer than that is a doubt. */
export const doubtMs = 5_000;

/** The newest record of a key outside of its partition. */
export interface Stray {
  readonly partition: number;
  readonly offset: number;
  /** As the log took it, ms since 1970. */
  readonly timeMs: number;
  readonly is: 'value' | 'deletion' | 'expired';
  /** Why it could not be used if it were at home. */
  readonly problem: 'unreadable' | 'producerTime' | undefined;
  /** The latest time of a record of the key in yet another wrong partition; -Infinity: there is none. */
  readonly rivalMs: number;
}

/** What the key's own partition holds of it. */
export interface Standing {
  /** The newest record that was written there: where it stands last, and the latest time that it can have. */
  readonly own: { readonly offset: number; readonly timeMs: number } | undefined;
  /** The last record that was brought there: the place where it stood, and its time there. */
  readonly home: { readonly offset: number; readonly from: Place } | undefined;
  /** A batch that nobody can unpack was written there last at this time; -Infinity: none was. */
  readonly unreadableMs: number;
  /** The last of both is a value that somebody can read. */
  readonly isLive: boolean;
}

export interface Place {
  readonly partition: number;
  readonly offset: number;
  readonly timeMs: number;
}

/** Why a stray stays where it is. */
export const stayReasons = [
  'later',
  'doubtful',
  'atHome',
  'unreadable',
  'producerTime',
  'expired',
  'nothingToDelete',
  'beyondTombstones',
  'tooLarge',
] as const;
export type StayReason = (typeof stayReasons)[number];

export type Judgement = 'bringHome' | 'restore' | StayReason;

/**
 * [safety] What is to become of a key: what is to be its last record follows from what the log holds alone, so that whoever
 * asks again, after whatever was done by halves, finds the rest. `isCertain`: no deletion later than the stray can have
 * been compacted away.
 */
export function judgeKey(stray: Stray, { own, home, unreadableMs, isLive }: Standing, isCertain: boolean): Judgement {
  // It was written in the moment between the look and the append.
  if (own !== undefined && home !== undefined && own.offset < home.offset && orderOf(own, home.from) !== 'older')
    return 'restore';
  if (stray.problem === 'producerTime') return 'producerTime';
  if (own !== undefined) {
    const order = orderOf(own, stray);
    if (order !== 'older') return order;
  }
  if (stray.rivalMs >= stray.timeMs - doubtMs) return 'doubtful';
  if (home !== undefined) {
    if (stray.partition !== home.from.partition && Math.abs(stray.timeMs - home.from.timeMs) <= doubtMs)
      return 'doubtful';
    if (!isNewer(stray, home.from)) return 'atHome';
  }
  if (unreadableMs >= stray.timeMs - doubtMs) return 'doubtful';
  if (stray.problem !== undefined) return stray.problem;
  if (!isLive && stray.is !== 'value') return stray.is === 'expired' ? 'expired' : 'nothingToDelete';
  return isCertain ? 'bringHome' : 'beyondTombstones';
}

/** A doubt is decided for the record in the right partition. */
function orderOf(own: { readonly timeMs: number }, than: { readonly timeMs: number }): 'later' | 'doubtful' | 'older' {
  if (own.timeMs > than.timeMs) return 'later';
  return own.timeMs >= than.timeMs - doubtMs ? 'doubtful' : 'older';
}

/** Of two records of a key outside of its partition; whether that is in doubt is another question. Within one partition its order counts, whatever the clock said. */
export function isNewer(one: Place, other: Place): boolean {
  if (one.partition === other.partition) return one.offset > other.offset;
  return one.timeMs === other.timeMs ? one.partition > other.partition : one.timeMs > other.timeMs;
}
