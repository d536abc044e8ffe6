import type { Principal } from '@levee/auth';
import { flushProblem, FlushSweep, type NamespaceStore, StoreFailure } from '@levee/client';
import { messageOf } from '@levee/kernel';
import { dataCommand, keyPlaces, word, type DataCall, type DoorCommand } from './door-command';
import { refusalText } from './refused-commands';

/** FLUSHDB FLUSHALL. */
export const flushCommands: readonly DoorCommand[] = ['FLUSHDB', 'FLUSHALL'].map((name) =>
  dataCommand({
    name,
    access: 'admin',
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
function flush(call: DataCall): void {
  const { context, args, reply, namespace, connection } = call;
  const problem = problemOf(word(args, 0), args, namespace);
  if (problem !== undefined) return reply.error(problem);
  // Nothing of this connection comes between, and what it wrote before is deleted too.
  reply.holdPipeline();
  const { principal } = connection.context;
  if (context.trail === undefined || principal === undefined) return sweep(call, principal);
  context.trail.recordAct(principal.name, `${word(args, 0)} ${namespace.name}`).then(
    () => sweep(call, principal),
    (error: unknown) => reply.error(`LVUNAVAILABLE ${messageOf(error)}`),
  );
}

/** Goes on as long as whoever began it may: the sweep asks before its first key, and again and again. */
function sweep({ context, reply, namespace, session, order, ack }: DataCall, by: Principal | undefined): void {
  order.afterWrites(() => {
    const flushing = new FlushSweep(context.store, namespace, {
      ack,
      session,
      write: (append) => order.write(append),
      isOver: () => {
        if (reply.abandoned) return 'the client has gone';
        return by?.may('admin', namespace.name) === false ? 'the right admin was taken away' : undefined;
      },
    });
    ended(flushing).then(
      () => reply.ok(),
      (error: unknown) => reply.error(error instanceof StoreFailure ? error.text : `ERR ${messageOf(error)}`),
    );
  });
}

async function ended(sweep: FlushSweep): Promise<void> {
  for await (const _deleted of sweep.run());
}
