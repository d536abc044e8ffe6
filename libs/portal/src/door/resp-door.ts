import { absentNamespace } from '@levee/client';
import { RespServer, type ReplySlot, type RespServerOptions, type RespService } from '@levee/wire';
import { commandCommand } from './command-command';
import { connectionCommands, refuseNamespace } from './connection-commands';
import { dbsizeCommand } from './dbsize-command';
import { shown, type DoorCommand, type DoorConnection, type DoorContext } from './door-command';
import { DoorSession } from './door-session';
import { flushCommands } from './flush-commands';
import { keyFactsCommands } from './key-facts-commands';
import { leveeCommands } from './levee-commands';
import { multiCommands, queueForExec } from './multi-commands';
import { refusalText, refusedCommands } from './refused-commands';
import { scanCommands } from './scan-commands';
import { stringCommands } from './string-commands';

/** Every command of the door, by name. */
export const doorCommands: ReadonlyMap<string, DoorCommand> = new Map(
  [
    ...connectionCommands,
    ...multiCommands,
    ...stringCommands,
    ...keyFactsCommands,
    ...scanCommands,
    ...flushCommands,
    dbsizeCommand,
    ...leveeCommands,
    commandCommand(() => doorCommands),
  ].map((command) => [command.name, command]),
);

/** What Redis clients talk to. */
export class RespDoor implements RespService<DoorSession> {
  readonly server: RespServer<DoorSession>;
  private readonly context: DoorContext;
  /** Names as sent -> command, so that the usual spelling costs one lookup. */
  private readonly spelled = new Map<string, DoorCommand>();

  constructor(context: Omit<DoorContext, 'connections'>, options: RespServerOptions) {
    this.server = new RespServer<DoorSession>(this, options);
    this.context = { ...context, connections: () => this.server.list() };
  }

  open(reader: DoorConnection): DoorSession {
    const { store, defaultNamespace, clock } = this.context;
    return new DoorSession(store, defaultNamespace, { reader, nowMs: clock.monotonicMs() });
  }

  get busy(): boolean {
    return this.context.store.busy;
  }

  command(connection: DoorConnection, args: readonly Buffer[], reply: ReplySlot): void {
    const command = this.find(args[0] as Buffer);
    if (command) connection.context.lastCommand = command.name;
    const { context } = this;
    const wrong = command ? arityProblem(command, args) : unknownCommand(args);
    if (connection.context.multi && command?.inMulti !== 'acts')
      return queueForExec({ context, args, reply, connection }, command, wrong);
    if (!command || wrong !== undefined) {
      if (command?.choosesNamespace?.(args)) refuseNamespace({ args, reply, connection }, wrong as string);
      else reply.error(wrong as string);
      return;
    }
    if (command.kind === 'plain') return command.run({ context, args, reply, connection });
    const { problem } = connection.context;
    if (problem !== undefined) return reply.error(problem);
    const current = connection.context.current();
    if (!current) return reply.error(absentNamespace(context.state(), connection.context.namespaceName).text);
    const { namespace, session, order } = current;
    const { state } = namespace;
    const ack = connection.context.ack ?? state.ack;
    const consistency = connection.context.consistency ?? state.consistency;
    const { user } = connection.context;
    command.run({ context, args, reply, namespace, session, order, user, ack, consistency });
  }

  private find(name: Buffer): DoorCommand | undefined {
    if (name.length > nameBytesMax) return undefined;
    const spelling = name.toString('latin1');
    const known = this.spelled.get(spelling);
    if (known) return known;
    const command = doorCommands.get(spelling.toUpperCase());
    if (command && this.spelled.size < spellingsMax) this.spelled.set(spelling, command);
    return command;
  }
}

/** No command has a longer name. */
const nameBytesMax = 32;
/** More than enough for GET, get and Get of every command. */
const spellingsMax = 1_000;

function arityProblem({ name, arity }: DoorCommand, { length }: readonly Buffer[]): string | undefined {
  if (arity >= 0 ? length === arity : length >= -arity) return undefined;
  return `ERR wrong number of arguments for '${name.toLowerCase()}' command`;
}

function unknownCommand(args: readonly Buffer[]): string {
  const name = shown(args, 0);
  const refused = refusedCommands.get(name.toUpperCase());
  if (refused) return refusalText(name.toUpperCase(), refused);
  const rest = args.slice(1, 4).map((arg) => `'${arg.toString('utf8', 0, 32)}' `);
  return `ERR unknown command '${name}', with args beginning with: ${rest.join('')}`;
}
