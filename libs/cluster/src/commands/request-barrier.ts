import { reject } from '../rejection';
import type { Decider } from './decider';

/**
 * `{id, namespace, digest, chunks?}`: the master appends a barrier to every partition of the namespace once the
 * decision is in force; with `digest` the chunks named (none = all) report their state there under `id`.
 */
export const requestBarrier: Decider = (state, fields) => {
  fields.text('id', 128);
  const name = fields.text('namespace');
  fields.optional('digest', () => fields.flag('digest'), false);
  const chunkIds = fields.optional('chunks', () => fields.texts('chunks', 4_096), []);
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  const namespace = state.namespace(name);
  if (namespace === undefined || namespace.state === 'deleted')
    return reject('NAMESPACE_UNKNOWN', `there is no namespace ${name}`);
  if (namespace.state !== 'active')
    return reject('NAMESPACE_NOT_READY', `namespace ${name} is ${namespace.state}: barriers need an active one`);
  const unknown = chunkIds.find((chunkId) => state.chunk(chunkId)?.namespace !== name);
  return unknown === undefined ? [] : reject('CHUNK_UNKNOWN', `namespace ${name} has no chunk ${unknown}`);
};
