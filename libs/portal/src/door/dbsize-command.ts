import { StoreFailure } from '@levee/client';
import { messageOf } from '@levee/kernel';
import { dataCommand, keyPlaces } from './door-command';

/** DBSIZE. */
export const dbsizeCommand = dataCommand({
  name: 'DBSIZE',
  access: 'read',
  arity: 1,
  flags: ['readonly', 'fast'],
  keys: keyPlaces.noKeys,
  summary: 'Keys in the namespace, at most 1 s old; of more than 10,000, as the nodes last counted them',
  run: ({ context, reply, namespace }) => {
    context.store.counts.of(namespace).then(
      ({ keys }) => reply.integer(keys),
      (error: unknown) => {
        const isRefused = error instanceof StoreFailure && error.code === 'LVSOURCE';
        reply.error(isRefused ? error.text : `LVUNAVAILABLE the keys were not counted: ${messageOf(error)}`);
      },
    );
  },
});
