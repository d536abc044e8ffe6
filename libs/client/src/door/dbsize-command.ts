import { messageOf } from '@levee/kernel';
import { keyCount } from '../key-count';
import { dataCommand, keyPlaces } from './door-command';

/** DBSIZE. */
export const dbsizeCommand = dataCommand({
  name: 'DBSIZE',
  arity: 1,
  flags: ['readonly', 'fast'],
  keys: keyPlaces.noKeys,
  summary: 'Keys in the namespace as the nodes last counted them',
  run: ({ reply, namespace }) => {
    keyCount(namespace).then(
      (count) => reply.integer(count),
      (error: unknown) => reply.error(`LVUNAVAILABLE the keys were not counted: ${messageOf(error)}`),
    );
  },
});
