import type { Acknowledgement, NamespaceState } from '@levee/events';
import { partitionsMax } from '@levee/keyspace';
import { reject } from '../../rejection';
import { stamp, type Decider } from '../decider';
import { levelProblem, readHeardLevels } from '../heard-levels';
import { historyWindowChanged } from './alter-namespace';
import { newerWord } from './newer-words';

/** A namespace of whose bad records nobody has said that they are dealt with. */
export const unacknowledged = { acknowledgements: [] } as const satisfies Partial<NamespaceState>;

/** What may be wrong with a record of a binlog, as the quarantine and `levee lint` say it. */
export const findingReasons = [
  'wrongPartition',
  'noKey',
  'tooLarge',
  'reservedKey',
  'unreadableBatch',
  'addedPartition',
  'garbage',
  'badCrc',
  'unknownSchema',
  'badExpiry',
  'producerTime',
  'noCrc',
] as const;

export type FindingReason = (typeof findingReasons)[number];

const acknowledgementLimits = {
  byMax: 256,
  whyMax: 500,
  /** Of one namespace; one that covers older ones takes their place. */
  countMax: 16,
} as const;

/**
 * `{name, number, positions, why, reason?, by?}`: bad records of the binlog below these next offsets, by partition, are dealt
 * with, and are no finding any more; with `reason` only those of that reason. It belongs to this creation of the name. Where
 * the binlog ends is not known here: the door looks, and refuses what lies behind.
 */
export const acknowledgeFindings: Decider = (state, fields, context) => {
  const name = fields.text('name');
  const number = fields.integer('number', { min: 1, max: 2 ** 31 - 1 });
  const positions = fields.integers('positions', partitionsCountedMax);
  const why = fields.text('why', acknowledgementLimits.whyMax);
  const reason = fields.optional('reason', (field) => fields.choice(field, findingReasons), null);
  const by = fields.optional('by', (field) => fields.text(field, acknowledgementLimits.byMax), null);
  const heard = readHeardLevels(fields);
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  const namespace = state.namespace(name);
  if (namespace === undefined || namespace.state === 'deleted')
    return reject('NAMESPACE_UNKNOWN', `there is no namespace ${name}`);
  if (namespace.number !== number)
    return reject('NAMESPACE_UNKNOWN', `there is no namespace ${name}#${number}, but #${namespace.number}`);
  if (namespace.state !== 'active')
    return reject(
      'NAMESPACE_NOT_READY',
      `namespace ${name} is ${namespace.state}: nobody applies records of its binlog`,
    );
  if (namespace.change === historyWindowChanged)
    return reject(
      'NAMESPACE_NOT_READY',
      `the topic of ${name} gets the settings of another history window: try again in a moment`,
    );
  if (!positions.some((offset) => offset > 0))
    return reject('BAD_COMMAND', `positions of ${name} are all 0: that acknowledges nothing`);
  const added: Acknowledgement = {
    ...{ reason, positions, by, principal: context.principal, why },
    acknowledgedAtMs: context.nowMs,
  };
  const { acknowledgements: before } = namespace;
  if (before.some((each) => covers(each, added))) return [];
  const acknowledgements = [...before.filter((each) => !covers(added, each)), added];
  const { countMax } = acknowledgementLimits;
  if (acknowledgements.length > countMax)
    return reject(
      'BAD_COMMAND',
      `${name} has ${before.length} acknowledgements, at most ${countMax}: one without a reason, up to where all of them ` +
        'reach, takes the place of all',
    );
  const entity = { ...namespace, acknowledgements };
  const word = newerWord(entity, (field) => field === 'acknowledgements');
  const problem = word && levelProblem(state, heard, { what: 'an acknowledgement', level: word.level });
  if (problem !== undefined) return problem;
  return [{ kind: 'namespace', entity: { ...entity, ...stamp(context, 'FindingsAcknowledged') } }];
};

/** With partitions that somebody added to the topic. */
const partitionsCountedMax = 10 * partitionsMax;

/** Everything that `other` acknowledges, `one` does. */
function covers(one: Acknowledgement, other: Acknowledgement): boolean {
  if (one.reason !== null && one.reason !== other.reason) return false;
  return other.positions.every((offset, partition) => offset <= (one.positions[partition] ?? 0));
}

/**
 * By which a bad record is no finding any more, the newest; `undefined`: it is one. In a partition that was added to the
 * topic a record is one of a wrong partition too.
 */
export function acknowledgementOf(
  { acknowledgements, partitions }: Pick<NamespaceState, 'acknowledgements' | 'partitions'>,
  { reason, partition, offset }: { readonly reason: string; readonly partition: number; readonly offset: number },
): Acknowledgement | undefined {
  const reasons: readonly string[] = partition < partitions ? [reason] : [reason, 'wrongPartition', 'addedPartition'];
  return acknowledgements.findLast(
    (each) => (each.reason === null || reasons.includes(each.reason)) && offset < (each.positions[partition] ?? 0),
  );
}
