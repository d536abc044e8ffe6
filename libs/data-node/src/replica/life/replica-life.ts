import type { OpenVerdict } from '../open-verdict';

/**
 * Where a hosted replica is in its life.
 *
 * - `opening`: its database is opened, or is once the pause after a failure is over.
 * - `waitsForPlan`: its unit holds a part of a copy, and no plan says how to go on.
 * - `following`: its database is open, and it tails its partitions.
 * - `unitFull`, `diskFull`: open, but it stands still at its position until its unit, or the disk, has room.
 * - `reopening`: a write failed; its database is closed and opened anew after a pause.
 * - `shutOut`: it is not open, and the disk has no room to open it.
 * - `rebuilding`: it looks for something to be built from; then what it holds is given up.
 * - `hindered`: it can neither be trusted nor rebuilt; it looks again, since people may restore the log.
 * - `stuck`: its files are somebody else's, or not for us to judge: left alone.
 */
export type LifePhase =
  | 'opening'
  | 'waitsForPlan'
  | 'following'
  | 'unitFull'
  | 'diskFull'
  | 'reopening'
  | 'shutOut'
  | 'rebuilding'
  | 'hindered'
  | 'stuck'
  | 'closed';

export interface ReplicaLife {
  readonly phase: LifePhase;
  /** [safety] It has applied what the log held after the decision, and is not rewound (I13). Only of one that is open. */
  readonly readable: boolean;
  /** Why it is not what it should be, in words. */
  readonly problem: string | undefined;
  /** Its unit is filled by others rather than by the log. */
  readonly loads: boolean;
  /** The disk took no more, whatever room the unit has; until it follows again. */
  readonly refused: boolean;
  /** Its files are damaged; until they are given up. */
  readonly damaged: boolean;
  /** Why it is built anew. */
  readonly reason: string;
  readonly rebuilds: number;
  /** Why it cannot do what its plan asks of it. */
  readonly moveFailure: MoveFailure | undefined;
}

export interface MoveFailure {
  readonly code: string;
  readonly message: string;
}

export const newLife: ReplicaLife = {
  phase: 'opening',
  readable: false,
  problem: undefined,
  loads: false,
  refused: false,
  damaged: false,
  reason: '',
  rebuilds: 0,
  moveFailure: undefined,
};

/** What happens to it. */
export type LifeEvent =
  /** Its unit is free for it. */
  | { readonly type: 'Started' }
  /** A later decision about the same unit generation. `fills`: a plan, or else the log, says how its unit is filled. */
  | {
      readonly type: 'Reassigned';
      readonly fills: boolean;
      readonly moves: boolean;
      /** It serves from this decision on: what was appended before it comes first. */
      readonly servesAnew: boolean;
    }
  | { readonly type: 'CloseAsked' }
  | { readonly type: 'RebuildAsked'; readonly reason: string; readonly damaged: boolean }
  | { readonly type: 'OpeningBegun'; readonly loads: boolean }
  | { readonly type: 'FillingBegun' }
  /** Its unit holds a part of a copy, and when it was asked nobody said how to go on. */
  | { readonly type: 'PartFound'; readonly fills: boolean }
  | { readonly type: 'Opened' }
  /** Whether it may be read was judged anew. */
  | { readonly type: 'Reviewed'; readonly complete: boolean }
  /** It applied something, and has room for more. */
  | { readonly type: 'Applied' }
  | ({ readonly type: 'WriteFailed' } & OpenVerdict)
  /** Whatever was under way for it failed. */
  | ({ readonly type: 'WorkFailed'; readonly moves: boolean } & OpenVerdict)
  | { readonly type: 'NoRoomFound' }
  | { readonly type: 'ReopeningBegun' }
  /** Its unit was measured anew. */
  | { readonly type: 'Measured' }
  | { readonly type: 'NoSourceFound'; readonly problem: string }
  /** What it held is given up. */
  | { readonly type: 'GivenUp'; readonly from: 'log' | 'peer' }
  | { readonly type: 'PauseOver' };

/** Done one after another, each when the one before has ended. What fails is a `WorkFailed`. */
export type LifeWork = 'open' | 'reopen' | 'reopenInTurn' | 'measure' | 'readEnds' | 'rebuild' | 'rebuildInTurn';

/** What is to be done. `pause`: a `PauseOver` comes after a while; there is one pause at a time. */
export type LifeEffect =
  | LifeWork
  /** Copies and looks at the log end. */
  | 'stop'
  | 'close'
  | 'pause'
  | 'cancelPause'
  | 'attach'
  | 'detach'
  | 'forgetPlaces'
  | 'forgetEnds'
  | 'review'
  | 'noteWhole'
  | 'tellRebuild'
  | 'tellNoRoom'
  | 'tellHindered'
  | 'tellStuck'
  | 'tellRetry';

/** As people and plans see it. loading: copied from others. rebuilding: cleared, from offset 0. stuck: needs people. */
export type HostedState = 'opening' | 'loading' | 'following' | 'rebuilding' | 'stuck' | 'closed';

export function hostedStateOf({ phase, loads }: ReplicaLife): HostedState {
  switch (phase) {
    case 'opening':
    case 'shutOut':
      return loads ? 'loading' : 'opening';
    case 'waitsForPlan':
      return 'loading';
    case 'following':
    case 'unitFull':
    case 'diskFull':
      return 'following';
    case 'reopening':
      return 'opening';
    case 'hindered':
      return 'stuck';
    default:
      return phase;
  }
}

/** Its database is open and trusted. */
export const isOpen = ({ phase }: ReplicaLife): boolean =>
  phase === 'following' || phase === 'unitFull' || phase === 'diskFull';
