import { SessionError } from '../errors';

/** Where a watch goes on. */
export interface WatchPositions {
  /** As portals say it: the topic of the namespace's log, and the id of that very topic. */
  readonly log: string;
  /** Next offset by partition. */
  readonly offsets: Map<number, number>;
  /** It began where the log begins, so what compaction removed is not missed. */
  readonly mayMiss: boolean;
}

/** `topic@id;0:15,1:3`, and `;gaps` behind it. */
export function watchToken({ log, offsets, mayMiss }: WatchPositions): string {
  const positions = [...offsets].map(([partition, offset]) => `${partition}:${offset}`).join(',');
  return `${log};${positions}${mayMiss ? ';gaps' : ''}`;
}

/** Throws SessionError when it is none. */
export function parseWatchToken(token: string): WatchPositions {
  const match = /^([^;\s]{1,320});(\d{1,7}:\d{1,16}(?:,\d{1,7}:\d{1,16})*)(;gaps)?$/.exec(token);
  if (!match)
    throw new SessionError(
      'LVSESSION',
      `'${token.slice(0, 80)}' is no token of a watch: give the last one back, or 'now'`,
    );
  const [, log = '', positions = '', gaps] = match;
  const offsets = new Map(positions.split(',').map((position) => position.split(':').map(Number) as [number, number]));
  return { log, offsets, mayMiss: gaps !== undefined };
}
