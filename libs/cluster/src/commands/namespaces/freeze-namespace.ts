import type { NamespaceState } from '@levee/events';
import type { PayloadFields } from '../../payload';
import { reject, type Rejection } from '../../rejection';
import type { ClusterState } from '../../state/state';
import { stamp, type Decider } from '../decider';
import { levelProblem, readHeardLevels } from '../heard-levels';
import { historyWindowChanged } from './alter-namespace';
import { newerWord } from './newer-words';

/** Of a namespace, whether portals write to it. */
export type Freeze = Pick<
  NamespaceState,
  'frozenBy' | 'frozenReason' | 'frozenAtMs' | 'frozenSeq' | 'freezeConfirmedSeq' | 'freezeWithout'
>;

export const unfrozen = {
  frozenBy: null,
  frozenReason: null,
  frozenAtMs: null,
  frozenSeq: null,
  freezeConfirmedSeq: null,
  freezeWithout: [],
} as const satisfies Freeze;

/** Owner of a freeze that people asked for: people end it. */
export const operatorFreeze = 'operator';

const freezeLimits = { reasonMax: 500, ownerMax: 256, withoutMax: 64, evidenceMax: 256 } as const;

/**
 * `{name, reason, number?, owner?, insteadOf?, without?}`: from the adoption of this decision on portals refuse writes to
 * the namespace. `owner` (default `operator`) is who may end it. `insteadOf`: the owner of the freeze in force, which is
 * taken over as it is. `without`: incarnations of portals that people say have ended.
 */
export const freezeNamespace: Decider = (state, fields, context) => {
  const reason = fields.text('reason', freezeLimits.reasonMax);
  const owner = fields.optional('owner', (name) => fields.text(name, freezeLimits.ownerMax), operatorFreeze);
  const insteadOf = fields.optional('insteadOf', (name) => fields.text(name, freezeLimits.ownerMax), undefined);
  const without = fields.optional('without', (name) => fields.texts(name, freezeLimits.withoutMax), []);
  const heard = readHeardLevels(fields);
  const namespace = namespaceOf(state, fields);
  if ('code' in namespace) return namespace;
  const { name, frozenBy } = namespace;
  if (namespace.state !== 'active')
    return reject('NAMESPACE_NOT_READY', `namespace ${name} is ${namespace.state}: only an active one can be frozen`);
  if (!namespace.writable)
    return reject(
      'NAMESPACE_NOT_READY',
      `${name} serves the topic ${namespace.sourceTopic} and takes no writes anyway: there is nothing to freeze`,
    );
  if (frozenBy !== null && frozenBy !== owner && frozenBy !== insteadOf) return isFrozen(namespace);
  if (frozenBy === null && insteadOf !== undefined)
    return reject('NAMESPACE_NOT_READY', `${name} is not frozen: there is no freeze of ${insteadOf} to take over`);
  const all = [...new Set([...namespace.freezeWithout, ...without])];
  if (all.length > freezeLimits.withoutMax)
    return reject(
      'BAD_COMMAND',
      `without names ${all.length} portals in all, at most ${freezeLimits.withoutMax}: thaw, and freeze anew`,
    );
  if (frozenBy === owner && all.length === namespace.freezeWithout.length) return [];
  const fresh = { frozenAtMs: context.nowMs, frozenSeq: context.seq };
  const frozen = {
    ...namespace,
    ...(frozenBy === null ? fresh : {}),
    frozenBy: owner,
    frozenReason: frozenBy === owner ? namespace.frozenReason : reason,
    freezeWithout: all,
  };
  const word = newerWord(frozen, (field) => field === 'frozenBy');
  const problem = word && levelProblem(state, heard, { what: 'a freeze of writes', level: word.level });
  if (problem !== undefined) return problem;
  return [{ kind: 'namespace', entity: { ...frozen, ...stamp(context, changeOf(namespace, 'NamespaceFrozen')) } }];
};

/** `{name, number?, owner?}`: portals write again. A freeze that an operation owns ends only by its owner's name. */
export const thawNamespace: Decider = (state, fields, context) => {
  const owner = fields.optional('owner', (name) => fields.text(name, freezeLimits.ownerMax), operatorFreeze);
  const namespace = namespaceOf(state, fields);
  if ('code' in namespace) return namespace;
  if (namespace.frozenBy === null) return [];
  if (namespace.frozenBy !== owner) return isFrozen(namespace);
  if (isSwapUnheard(namespace))
    return reject(
      'NAMESPACE_NOT_READY',
      `${namespace.name} has changed places, and not every portal has heard of it: writes wait for that. Give the rewind ` +
        'again, it waits too; --ended names a portal that has ended',
    );
  return [
    {
      kind: 'namespace',
      entity: { ...namespace, ...unfrozen, ...stamp(context, changeOf(namespace, 'NamespaceThawed')) },
    },
  ];
};

/**
 * `{name, number, frozenSeq, portals}`: the master's own, once every portal that may have known the namespace before has
 * said that it obeys decision `frozenSeq` and has nothing on its way, or is known to have ended. `portals`: who, and how
 * that is known.
 */
export const confirmFreeze: Decider = (state, fields, context) => {
  const frozenSeq = fields.integer('frozenSeq', { min: 1, max: Number.MAX_SAFE_INTEGER });
  fields.texts('portals', freezeLimits.evidenceMax);
  const namespace = namespaceOf(state, fields);
  if ('code' in namespace) return namespace;
  if (namespace.frozenSeq !== frozenSeq)
    return reject('STALE_EVIDENCE', `${namespace.name} is not frozen by decision ${frozenSeq} any more`);
  if (namespace.freezeConfirmedSeq !== null) return [];
  const confirmed = { freezeConfirmedSeq: context.seq, ...stamp(context, changeOf(namespace, 'FreezeConfirmed')) };
  return [{ kind: 'namespace', entity: { ...namespace, ...confirmed } }];
};

/** The topic of a namespace may wait for the settings of another history window: that is told by `change`, and stays. */
const changeOf = ({ change }: NamespaceState, otherwise: string): string =>
  change === historyWindowChanged ? historyWindowChanged : otherwise;

/** Why something is refused while its writes are frozen, by whom, and how that ends. */
export function isFrozen({ name, frozenBy, frozenReason }: NamespaceState): Rejection {
  return reject(
    'NAMESPACE_FROZEN',
    `writes to ${name} are frozen by ${frozenBy} (${frozenReason}): wait until it ends that itself, or, once it is certain ` +
      `that it does not work any more, ${thawCommand(name, frozenBy)}`,
  );
}

/** [safety] Until every portal has heard of a swap, one that has not would answer from the other binlog (0055). */
export const isSwapUnheard = ({
  swappedAtMs,
  frozenAtMs,
  freezeConfirmedSeq,
}: Pick<NamespaceState, 'swappedAtMs' | 'frozenAtMs' | 'freezeConfirmedSeq'>): boolean =>
  swappedAtMs !== null && frozenAtMs === swappedAtMs && freezeConfirmedSeq === null;

const rewindWord = 'rewind ';

/** Owner of the freeze under which a namespace is rewound, or a rewind of it is undone. */
export const rewindOwner = (name: string): string => rewindWord + name;

const repartitionWord = 'repartition ';

/** Owner of the freeze under which one run brings records of a namespace home from wrong partitions. */
export const repartitionOwner = (name: string, run: string): string => `${repartitionWord}${name}/${run}`;

/** Whichever run it is: the next one takes over from it. */
export const isRepartitionOf = (owner: string | null, name: string): boolean =>
  owner?.startsWith(repartitionWord) === true && owner.slice(repartitionWord.length).split('/', 1)[0] === name;

/** It ends by itself when the work is over. */
export const isOfOperation = (owner: string): boolean =>
  owner.startsWith(rewindWord) || owner.startsWith(repartitionWord);

/** What ends a freeze, for people. */
export function thawCommand(name: string, frozenBy: string | null): string {
  if (frozenBy?.startsWith(rewindWord) === true)
    return `levee namespace rewind ${frozenBy.slice(rewindWord.length)} --cancel`;
  if (frozenBy?.startsWith(repartitionWord) === true) return `levee namespace repartition ${name} --cancel`;
  const owner = frozenBy === null || frozenBy === operatorFreeze ? '' : ` --owner '${frozenBy}'`;
  return `levee namespace thaw ${name}${owner}`;
}

function namespaceOf(state: ClusterState, fields: PayloadFields): NamespaceState | Rejection {
  const name = fields.text('name');
  const number = fields.optional('number', () => fields.integer('number', { min: 1, max: 2 ** 31 - 1 }), undefined);
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  const namespace = state.namespace(name);
  if (namespace === undefined || namespace.state === 'deleted')
    return reject('NAMESPACE_UNKNOWN', `there is no namespace ${name}`);
  if (number !== undefined && namespace.number !== number)
    return reject('NAMESPACE_UNKNOWN', `there is no namespace ${name}#${number}, but #${namespace.number}`);
  return namespace;
}
