import { partitionsMax } from '@levee/keyspace';
import { reject } from '../rejection';
import type { Decider } from './decider';

/**
 * `{id, namespace, digest, chunks?, partitions?}`: the master appends a barrier to every partition of the namespace, or to
 * these, once the decision is in force; with `digest` the chunks named (none = all) report their state there under `id`.
 */
export const requestBarrier: Decider = (state, fields) => {
  fields.text('id', 128);
  const name = fields.text('namespace');
  fields.optional('digest', () => fields.flag('digest'), false);
  const chunkIds = fields.optional('chunks', () => fields.texts('chunks', 4_096), []);
  const partitions = fields.optional('partitions', () => fields.integers('partitions', partitionsMax), []);
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  const namespace = state.namespace(name);
  if (namespace === undefined || namespace.state === 'deleted')
    return reject('NAMESPACE_UNKNOWN', `there is no namespace ${name}`);
  if (namespace.state !== 'active')
    return reject('NAMESPACE_NOT_READY', `namespace ${name} is ${namespace.state}: barriers need an active one`);
  const unknown = chunkIds.find((chunkId) => state.chunk(chunkId)?.namespace !== name);
  if (unknown !== undefined) return reject('CHUNK_UNKNOWN', `namespace ${name} has no chunk ${unknown}`);
  const beyond = partitions.find((partition) => partition >= namespace.partitions);
  if (beyond === undefined) return [];
  return reject(
    'BAD_COMMAND',
    `namespace ${name} has no partition ${beyond}: they are 0 to ${namespace.partitions - 1}`,
  );
};
