import { unreachable } from '@levee/kernel';
import {
  isOpen,
  type LifeEffect,
  type LifeEvent,
  type LifeWork,
  type LifePhase,
  type ReplicaLife,
} from './replica-life';

export interface Next {
  readonly life: ReplicaLife;
  /** In this order. */
  readonly effects: readonly LifeEffect[];
}

type Of<Type extends LifeEvent['type']> = Extract<LifeEvent, { readonly type: Type }>;

/**
 * The life of a hosted replica: what an event makes of it, and what is to be done. `undefined`: the event says nothing
 * to a replica in that phase, and whoever brought it goes no further. [safety] What is closed stays closed: what was
 * under way would take up again beside its successor.
 */
export function replicaNext(life: ReplicaLife, event: LifeEvent): Next | undefined {
  const { phase } = life;
  if (phase === 'closed') return undefined;
  switch (event.type) {
    case 'Started':
      return phase === 'opening' ? next(life, {}, 'open') : undefined;
    case 'Reassigned':
      return reassigned(life, event);
    case 'CloseAsked':
      return next(life, { phase: 'closed', readable: false }, 'cancelPause', 'stop', 'detach', 'close');
    case 'RebuildAsked':
      return rebuilt(life, event);
    case 'OpeningBegun':
      return phase === 'opening' ? next(life, { loads: event.loads }) : undefined;
    case 'FillingBegun':
      return phase === 'opening' ? next(life, { loads: true }) : undefined;
    case 'PartFound':
      return phase === 'opening' ? partFound(life, event) : undefined;
    case 'Opened':
      return phase === 'opening'
        ? next(life, { phase: 'following', loads: false, refused: false, problem: undefined }, 'attach')
        : undefined;
    case 'Reviewed':
      return isOpen(life) ? next(life, { readable: event.complete }, ...whole(event.complete)) : undefined;
    case 'Applied':
      return phase === 'following' ? next(life, { problem: undefined }) : undefined;
    case 'WriteFailed':
      return writeFailed(life, event);
    case 'WorkFailed':
      return workFailed(life, event);
    case 'NoRoomFound':
      return noRoomFound(life);
    case 'ReopeningBegun':
      return phase === 'reopening' || phase === 'diskFull' || phase === 'shutOut'
        ? next(life, { phase: 'opening', readable: false, loads: false })
        : undefined;
    case 'Measured':
      return phase === 'unitFull' ? next(life, { phase: 'following' }, 'attach') : undefined;
    case 'NoSourceFound':
      return noSourceFound(life, event);
    case 'GivenUp':
      return givenUp(life, event);
    case 'PauseOver': {
      const work = afterPause[phase];
      return work && next(life, {}, work);
    }
    default:
      return unreachable(event);
  }
}

/** What a replica does when it has waited a while. */
const afterPause: { readonly [phase in LifePhase]?: LifeWork } = {
  opening: 'open',
  following: 'readEnds',
  unitFull: 'measure',
  diskFull: 'reopenInTurn',
  reopening: 'reopen',
  shutOut: 'reopenInTurn',
  rebuilding: 'rebuild',
  hindered: 'rebuild',
};

const whole = (complete: boolean): readonly LifeEffect[] => (complete ? ['noteWhole'] : []);

function reassigned(life: ReplicaLife, { fills, moves, servesAnew }: Of<'Reassigned'>): Next {
  const goesOn = life.phase === 'waitsForPlan' && fills;
  const moveFailure = moves ? life.moveFailure : undefined;
  return next(
    life,
    { ...(goesOn && { phase: 'opening' }), ...(servesAnew && { readable: false }), moveFailure },
    ...(goesOn ? (['open'] as const) : []),
    ...(servesAnew ? (['forgetEnds', 'readEnds'] as const) : (['review'] as const)),
  );
}

function rebuilt(life: ReplicaLife, { reason, damaged }: Pick<Of<'RebuildAsked'>, 'reason' | 'damaged'>): Next {
  if (life.phase === 'rebuilding') return next(life, { damaged: life.damaged || damaged });
  return next(
    life,
    { phase: 'rebuilding', readable: false, problem: reason, reason, damaged: life.damaged || damaged },
    'tellRebuild',
    'cancelPause',
    'detach',
    'forgetPlaces',
    'rebuildInTurn',
  );
}

/** What waits for a plan goes on when there is one, or when it is no learner any more: then the log fills it. */
function partFound(life: ReplicaLife, { fills }: Of<'PartFound'>): Next {
  const problem = 'a part is copied; its plan does not go on';
  if (fills) return next(life, { loads: true, problem }, 'open');
  return next(life, { phase: 'waitsForPlan', loads: true, problem });
}

function writeFailed(life: ReplicaLife, { todo, code, problem }: Of<'WriteFailed'>): Next | undefined {
  if (todo === 'rebuild') return rebuilt(life, { reason: problem, damaged: true });
  if (life.phase !== 'following') return undefined;
  // While its database is open it can still be read; opened anew on a disk without room it could not.
  if (todo === 'standStill') return withoutRoom({ ...life, phase: 'diskFull', problem }, 'detach');
  // It stands still at its position and says so; what it holds can still be read by who accepts its age.
  if (code === 'UNIT_FULL') return next(life, { phase: 'unitFull', problem }, 'detach', 'pause');
  return next(life, { phase: 'reopening', readable: false, problem }, 'detach', 'pause');
}

function workFailed(life: ReplicaLife, { todo, code, problem, moves }: Of<'WorkFailed'>): Next | undefined {
  switch (life.phase) {
    case 'waitsForPlan':
    case 'stuck':
    case 'closed':
      return undefined;
    // What is being rebuilt may be damaged: it must not be opened again before it is cleared.
    case 'rebuilding':
      return next(
        life,
        { problem, reason: problem, damaged: life.damaged || todo === 'rebuild' },
        'tellRetry',
        'pause',
      );
    case 'hindered':
      if (todo === 'rebuild') return rebuilt(life, { reason: problem, damaged: true });
      // What hinders it is the trouble that people should see.
      return next(life, {}, 'tellRetry', 'pause');
    case 'opening': {
      if (todo === 'rebuild') return rebuilt(life, { reason: problem, damaged: true });
      const moveFailure = code !== undefined && moves ? { code, message: problem } : life.moveFailure;
      const failed = { ...life, problem, moveFailure };
      if (todo === 'standStill') return withoutRoom({ ...failed, phase: 'shutOut' });
      if (todo === 'stuck') return next(failed, { phase: 'stuck' }, 'tellStuck');
      return next(failed, {}, 'tellRetry', 'pause');
    }
    default:
      if (todo === 'rebuild') return rebuilt(life, { reason: problem, damaged: true });
      return next(life, { problem }, 'tellRetry', 'pause');
  }
}

function noRoomFound(life: ReplicaLife): Next | undefined {
  const { phase } = life;
  if (phase === 'reopening') return withoutRoom({ ...life, phase: 'shutOut', loads: false });
  return phase === 'diskFull' || phase === 'shutOut' ? withoutRoom(life) : undefined;
}

/** It waits until the disk has room, and says so once. */
function withoutRoom(life: ReplicaLife, ...first: readonly LifeEffect[]): Next {
  const told: readonly LifeEffect[] = life.refused ? [] : ['tellNoRoom'];
  return next(life, { refused: true }, ...first, ...told, 'pause');
}

function noSourceFound(life: ReplicaLife, { problem }: Of<'NoSourceFound'>): Next | undefined {
  if (life.phase === 'hindered') return next(life, { problem }, 'pause');
  return life.phase === 'rebuilding' ? next(life, { phase: 'hindered', problem }, 'tellHindered', 'pause') : undefined;
}

/** From the log it is opened in the same turn; a copy takes its own. */
function givenUp(life: ReplicaLife, { from }: Of<'GivenUp'>): Next | undefined {
  if (life.phase !== 'rebuilding' && life.phase !== 'hindered') return undefined;
  const anew = { phase: 'opening', damaged: false, loads: false, rebuilds: life.rebuilds + 1 } as const;
  return from === 'log' ? next(life, anew) : next(life, anew, 'open');
}

function next(life: ReplicaLife, change: Partial<ReplicaLife>, ...effects: readonly LifeEffect[]): Next {
  return { life: { ...life, ...change }, effects };
}
