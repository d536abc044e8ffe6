import { flushProblem, FlushSweep, type NamespaceStore, StoreFailure } from '@levee/client';
import { messageOf } from '@levee/kernel';
import { dataCommand, keyPlaces, word, type DataCall, type DoorCommand } from './door-command';
import { refusalText } from './refused-commands';

/** FLUSHDB FLUSHALL. */
export const flushCommands: readonly DoorCommand[] = ['FLUSHDB', 'FLUSHALL'].map((name) =>
  dataCommand({
    name,
    arity: -1,
    flags: ['write'],
    keys: keyPlaces.noKeys,
    summary:
      name === 'FLUSHALL'
        ? 'The same as FLUSHDB: a connection has one namespace'
        : '[SYNC | ASYNC]: deletes every key, one after the other, where the namespace allows it (flush: sweep)',
    problem: (args, _context, namespace) => problemOf(name, args, namespace),
    run: flush,
  }),
);

function problemOf(name: string, args: readonly Buffer[], namespace: NamespaceStore | undefined): string | undefined {
  const mode = word(args, 1);
  if (args.length > 2 || (args.length === 2 && mode !== 'SYNC' && mode !== 'ASYNC')) return 'ERR syntax error';
  const refused = namespace && flushProblem(namespace);
  return refused && refusalText(name, { section: 'all-keys-at-once', ...refused });
}

/** ASYNC too is answered once the keys are gone: nobody who was told so may still find them. */
function flush({ context, args, reply, namespace, session, order, ack }: DataCall): void {
  const problem = problemOf(word(args, 0), args, namespace);
  if (problem !== undefined) return reply.error(problem);
  // Nothing of this connection comes between, and what it wrote before is deleted too.
  reply.holdPipeline();
  order.afterWrites(() => {
    const sweep = new FlushSweep(context.store, namespace, {
      ack,
      session,
      write: (append) => order.write(append),
      isOver: () => (reply.abandoned ? 'the client has gone' : undefined),
    });
    ended(sweep).then(
      () => reply.ok(),
      (error: unknown) => reply.error(error instanceof StoreFailure ? error.text : `ERR ${messageOf(error)}`),
    );
  });
}

async function ended(sweep: FlushSweep): Promise<void> {
  for await (const _deleted of sweep.run());
}
