import { absentNamespace } from '@levee/client';
import { defined } from '@levee/kernel';
import { refuseNamespace } from './connection-commands';
import { plainCommand, type DoorCommand, type DoorContext, type PlainCall } from './door-command';
import type { DoorSession, OpenMulti } from './door-session';
import { refusalText } from './refused-commands';
import { ofKey } from './shown-key';

/** MULTI EXEC DISCARD UNWATCH. */
export const multiCommands: readonly DoorCommand[] = [
  plainCommand({
    name: 'MULTI',
    access: 'user',
    arity: 1,
    flags: ['fast'],
    summary: 'Queues the commands that follow, until EXEC or DISCARD',
    inMulti: 'acts',
    run: ({ reply, connection }) => {
      const { context: session } = connection;
      if (session.multi) return reply.error('ERR MULTI calls can not be nested');
      session.multi = { problem: undefined };
      reply.ok();
    },
  }),
  plainCommand({
    name: 'EXEC',
    access: 'user',
    arity: 1,
    flags: ['slow'],
    summary: "Refuses what MULTI queued, or carries it out as a batch: as the namespace's multi says",
    inMulti: 'acts',
    run: exec,
  }),
  plainCommand({
    name: 'DISCARD',
    access: 'user',
    arity: 1,
    flags: ['fast'],
    summary: 'Forgets what MULTI queued',
    inMulti: 'acts',
    run: ({ reply, connection }) => {
      if (!connection.context.multi) return reply.error('ERR DISCARD without MULTI');
      endMulti(connection);
      reply.ok();
    },
  }),
  plainCommand({
    name: 'UNWATCH',
    access: 'user',
    arity: 1,
    flags: ['fast'],
    summary: 'Nothing: no key can be watched',
    run: ({ reply }) => reply.ok(),
  }),
];

/** Nothing of what MULTI queued is carried out. */
function endMulti(connection: PlainCall['connection']): void {
  connection.context.multi = undefined;
  connection.dropDeferred();
}

function exec({ context, reply, connection }: PlainCall): void {
  const { multi } = connection.context;
  if (!multi) return reply.error('ERR EXEC without MULTI');
  const count = connection.deferredCommands;
  const problem = multi.problem ?? (count === 0 ? undefined : batchProblem(context, connection.context));
  if (problem !== undefined) {
    endMulti(connection);
    return reply.error(problem);
  }
  connection.context.multi = undefined;
  // Each of them has its own reply: the elements of this array.
  reply.write((w) => w.array(count));
  connection.beginDeferred();
}

/** Why the namespace of a connection carries out nothing of what MULTI queued. */
function batchProblem(context: DoorContext, session: DoorSession): string | undefined {
  if (session.problem !== undefined) return session.problem;
  const namespace = session.current()?.namespace;
  if (!namespace) return absentNamespace(context.state(), session.namespaceName).text;
  if (namespace.state.multi === 'batch') return undefined;
  return refusalText('EXEC', {
    section: 'multi',
    why: 'nothing was carried out, because these commands would be neither isolated nor all or nothing',
    instead:
      'send them without MULTI (redis-py: pipeline(transaction=False), ioredis: pipeline(), node-redis: ' +
      `execAsPipeline()), or allow batches: levee namespace alter ${namespace.name} --multi batch`,
  });
}

/**
 * Keeps a command for EXEC. What is wrong with it (`problem`: as a command of its own) is said now, and EXEC carries out
 * nothing then. That the namespace carries out no batch is said at the first command, and again by EXEC: some clients
 * show their users what a queued command was told (redis-rs), others what EXEC was (ioredis, Jedis).
 */
export function queueForExec(call: PlainCall, command: DoorCommand | undefined, problem: string | undefined): void {
  const { reply, connection } = call;
  const multi = defined(connection.context.multi, 'a MULTI that is open');
  const isFirst = multi.problem === undefined && connection.deferredCommands === 0;
  const wrong = problem ?? (command && problemInMulti(command, call));
  const refusal = wrong === undefined && isFirst ? batchProblem(call.context, connection.context) : undefined;
  const said = wrong ?? refusal ?? roomProblem(multi, call);
  if (said === undefined) return reply.simple('QUEUED');
  multi.problem ??= refusal ?? `EXECABORT Transaction discarded because of previous errors: ${said}`;
  connection.dropDeferred();
  if (command?.choosesNamespace?.(call.args)) refuseNamespace(call, said);
  else reply.error(said);
}

function problemInMulti(command: DoorCommand, { context, args, connection }: PlainCall): string | undefined {
  if (command.inMulti === 'refused')
    return `ERR Command not allowed inside a transaction: send ${command.name} before MULTI, or after EXEC`;
  if (command.kind === 'plain') return undefined;
  const [first, last, step] = command.keys;
  // A subcommand may come without its key.
  const end = Math.min(args.length - 1, last < 0 ? args.length + last : last);
  for (let i = first; first > 0 && i <= end; i += step) {
    const key = args[i] as Buffer;
    const problem = context.store.keyProblem(key);
    if (problem) return ofKey(problem, key);
  }
  const session = connection.context;
  return session.problem ?? command.problem?.(args, context, session.current()?.namespace);
}

function roomProblem(multi: OpenMulti, { args, connection }: PlainCall): string | undefined {
  // Nothing is carried out any more: nothing needs to be kept.
  if (multi.problem !== undefined) return undefined;
  const why = connection.defer(args);
  return why === undefined ? undefined : `LVLIMIT ${why}: send them in several parts`;
}
