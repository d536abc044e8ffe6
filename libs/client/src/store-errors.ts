import { Failure } from '@levee/kernel';

/**
 * Every way in which a request fails, at every door: RESP errors begin with the code, HTTP bodies carry it.
 * docs/errors.md is written from this table.
 */
export const storeErrors = {
  LVDEFINITE: 'The write did not happen and never will. It may be repeated.',
  LVINDEFINITE: 'Whether the write happened is unknown, and it may still appear. Read before repeating it.',
  LVPENDING:
    'The write is logged at the position given (`partition:nextOffset`) and will be applied, but not every replica ' +
    'asked for had it in time. Not an error of the write: do not repeat it; LV.WAIT waits on. LV.WAIT itself does not know whether the log has the position that it was given.',
  LVUNCOUNTED:
    'The keys are deleted, but how many of them existed is unknown, because no replica answered in time. Not an error ' +
    'of the write: do not repeat it for the sake of the deletion.',
  LVPARTIAL:
    'A part of it is done for good, and the rest is not: the message says how much, and why no more. Repeat it to go on.',
  LVUNREADABLE:
    "The key's last record, at the position given (`partition:offset`), cannot be interpreted. The next write heals it.",
  LVLIMIT: 'A limit was reached; the message names the value, the limit and the mend. Nothing happened.',
  LVFULL:
    'The chunk of the key is above its soft capacity limit; the message names it and the mend. Nothing was written; ' +
    'reads and deletions go on.',
  LVSTOPPED:
    'The log lost records of this partition that replicas hold: it stands still for writes, strong reads and reads at ' +
    'positions that were lost until people decide; the message names the commands. Nothing was written; eventual ' +
    'reads go on.',
  LVFROZEN:
    'The writes of the namespace are frozen for a while; the message says by whom, why, and what ends it. Nothing was ' +
    'written, and nothing will be; reads of every consistency go on.',
  LVREADONLY:
    'The namespace serves a topic that others write to, and takes no writes itself: produce to the topic. Nothing was written.',
  LVSOURCE:
    'The topic that the namespace serves is not the one that it was bound to any more, or not all of it: the message says ' +
    'what is wrong, and what helps. Nothing is read from it until then, and nothing was written.',
  LVBEHIND: 'No replica reached the position that the consistency asks for (`partition:nextOffset`) in time.',
  LVSTALE: 'No replica is young enough for maxStaleness of the namespace.',
  LVUNAVAILABLE: 'No replica, or not the log, or nobody who was to be asked, answered in time. Nothing was changed.',
  LVNAMESPACE:
    'There is no such namespace, or it is not active yet; or this connection has none, because the last choice of one ' +
    'was refused. Nothing happened.',
  LVANEW:
    'The namespace was created anew or rewound since this connection chose it with LV.USE and PIN. Nothing happened; ' +
    'LV.USE takes what it is now.',
  LVVERSION: 'This process has not seen the route version that was named. Ask again in a moment.',
  LVRESERVED: "Keys beginning with 00 'levee' 00 are Levee's own. Nothing happened.",
  LVSESSION:
    'The session token or position is not valid here: start a new session. Or the log lost what it saw, and people have ' +
    'decided: that is said once, and the session goes on from the end of the log.',
  LVREQUEST: 'The request id was used for another write. Nothing happened; take an id of its own for every write.',
  LVCURSOR:
    'The cursor is of another portal, namespace or user, is unknown, or was not used for 10 minutes; the message says ' +
    'which. Start again at 0.',
  LVHISTORY:
    'Not every change since the position given can be told: the log does not hold them all any more, or is another one. ' +
    'Read the keys anew, and watch from now on.',
  LVUNSUPPORTED: 'Not possible here by design, or not yet; the message says why and what to use instead.',
  LVNOTREADY: 'This process has not read the control topics yet. Try again in a moment.',
  LVSTOPPING: 'This process is shutting down. Nothing happened; ask another one.',
} as const;

export type StoreErrorCode = keyof typeof storeErrors;

/** What a store operation ends with instead of a result; `message` does not repeat the code. */
export class StoreFailure extends Failure<StoreErrorCode> {
  override readonly name = 'StoreFailure';

  /** As a RESP error. */
  get text(): string {
    return `${this.code} ${this.message}`;
  }
}

/** A key or a value above its own limit: smaller pieces help, later does not. */
export class TooLargeFailure extends StoreFailure {
  constructor(message: string) {
    super('LVLIMIT', message);
  }
}
