import type { NamespaceState } from '@levee/events';
import { partitionsMax } from '@levee/keyspace';
import type { PayloadFields } from '../../payload';
import { reject, type Rejection } from '../../rejection';
import type { ClusterState } from '../../state/state';

/** Of a namespace, of whose past it is a copy. */
export type ForkOrigin = Pick<NamespaceState, 'forkedFrom' | 'forkedBinlog' | 'forkedAtMs' | 'forkedPositions'>;

/** What a copy has when it is complete. */
export const unfinishedFork = { forkedDigest: null, forkedKeys: null } as const satisfies Partial<NamespaceState>;

/** `change` of a copy whose binlog is there and is being filled: nobody reads or writes it until it is complete. */
export const forkBegun = 'ForkBegun';

const offsetMax = Number.MAX_SAFE_INTEGER;

/** All four fields, or none. What is wrong is in `fields.problem`. */
export function readForkOrigin(fields: PayloadFields): ForkOrigin {
  const forkedFrom = fields.optional('forkedFrom', (name) => fields.text(name), null);
  const isFork = forkedFrom !== null;
  const forkedBinlog = fields.optional('forkedBinlog', (name) => fields.text(name), null);
  const forkedAtMs = fields.optional('forkedAtMs', (name) => fields.integer(name, { min: 1, max: offsetMax }), null);
  const forkedPositions = fields.optional('forkedPositions', (name) => fields.integers(name, partitionsMax), []);
  if ([forkedBinlog !== null, forkedAtMs !== null, forkedPositions.length > 0].some((said) => said !== isFork))
    fields.refuse(
      reject(
        'BAD_KNOB',
        'forkedFrom, forkedBinlog, forkedAtMs and forkedPositions belong together: levee namespace fork',
      ),
    );
  return { forkedFrom, forkedBinlog, forkedAtMs, forkedPositions };
}

/** Why a namespace cannot begin as that copy. */
export function forkProblem(
  state: ClusterState,
  knobs: ForkOrigin & Pick<NamespaceState, 'partitions' | 'hashAlgorithm' | 'recordFormat' | 'sourceTopic'>,
): Rejection | undefined {
  const { forkedFrom, forkedBinlog, forkedPositions, sourceTopic } = knobs;
  if (forkedFrom === null) return undefined;
  const source = state.namespace(forkedFrom);
  if (source?.state !== 'active' || source.binlog !== forkedBinlog)
    return reject('NAMESPACE_UNKNOWN', `there is no active namespace ${forkedFrom} with the binlog ${forkedBinlog}`);
  if (sourceTopic !== null) return reject('BAD_KNOB', 'sourceTopic cannot be set: a fork has a topic of its own');
  for (const knob of ['partitions', 'hashAlgorithm', 'recordFormat'] as const)
    if (knobs[knob] !== source[knob])
      return reject(
        'BAD_KNOB',
        `${knob} is ${knobs[knob]}, and of ${forkedFrom} it is ${source[knob]}: a fork has the same`,
      );
  if (forkedPositions.length === source.partitions) return undefined;
  return reject(
    'BAD_KNOB',
    `forkedPositions has ${forkedPositions.length} offsets, ${forkedFrom} has ${source.partitions} partitions`,
  );
}
