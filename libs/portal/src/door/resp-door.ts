import { TrustedPrincipal, type Principal } from '@levee/auth';
import { absentNamespace } from '@levee/client';
import type { KindTimes, RequestKind, RequestTimes } from '@levee/kernel';
import { aclCommand } from './acl-command';
import {
  type PackedArguments,
  RespServer,
  type ReplySlot,
  type RespServerOptions,
  type RespService,
  type TlsPeer,
} from '@levee/wire';
import { changesCommand } from './changes-command';
import { commandCommand } from './command-command';
import { connectionCommands, refuseNamespace } from './connection-commands';
import { dbsizeCommand } from './dbsize-command';
import { shown, type DoorCommand, type DoorConnection, type DoorContext } from './door-command';
import { accessProblem } from './door-guard';
import { DoorSession } from './door-session';
import { flushCommands } from './flush-commands';
import { keyFactsCommands } from './key-facts-commands';
import { leveeCommands } from './levee-commands';
import { multiCommands, queueForExec } from './multi-commands';
import { requestKindOf } from './request-kinds';
import { refusalText, refusedCommands } from './refused-commands';
import { scanCommands } from './scan-commands';
import { sdkCommands } from './sdk-commands';
import { stringCommands } from './string-commands';

type TimedCommand = DoorCommand & { readonly requestKind: RequestKind | undefined };

/** Every command of the door, by name. */
export const doorCommands: ReadonlyMap<string, TimedCommand> = new Map(
  [
    ...connectionCommands,
    ...multiCommands,
    ...stringCommands,
    ...keyFactsCommands,
    ...scanCommands,
    ...flushCommands,
    dbsizeCommand,
    aclCommand,
    ...leveeCommands,
    ...sdkCommands,
    changesCommand,
    commandCommand((): ReadonlyMap<string, DoorCommand> => doorCommands),
  ].map((command) => [command.name, { ...command, requestKind: requestKindOf(command) }]),
);

/** What Redis clients talk to. */
export class RespDoor implements RespService<DoorSession> {
  readonly server: RespServer<DoorSession>;
  private readonly context: DoorContext;
  /** Names as sent -> command, so that the usual spelling costs one lookup. */
  private readonly spelled = new Map<string, TimedCommand>();

  constructor(
    context: Omit<DoorContext, 'connections'>,
    options: RespServerOptions,
    /** `undefined`: nobody wants to know how long requests take. */
    readonly times?: RequestTimes,
  ) {
    this.server = new RespServer<DoorSession>(this, options);
    this.context = { ...context, connections: () => this.server.list() };
  }

  open(reader: DoorConnection, peer?: TlsPeer): DoorSession {
    const { store, defaultNamespace, clock } = this.context;
    const stranger = this.strangerAt(reader, peer);
    const user = stranger instanceof TrustedPrincipal ? undefined : stranger && peer?.name;
    const first = stranger?.defaultNamespace ?? defaultNamespace;
    return new DoorSession(store, first, { reader, nowMs: clock.monotonicMs(), stranger, user });
  }

  /** Who it is before it says so. */
  private strangerAt({ remoteAddress }: DoorConnection, peer: TlsPeer | undefined): Principal | undefined {
    const { authenticator, clusterName } = this.context;
    if (authenticator === undefined) return anybody;
    if (peer === undefined) return undefined;
    if (peer.name === clusterName) return new TrustedPrincipal(`process ${remoteAddress}`);
    return authenticator.byCertificate(peer);
  }

  strangerSinceMs({ context }: DoorConnection): number | undefined {
    return context.strangerSinceMs;
  }

  closed({ context }: DoorConnection): void {
    context.endChanges();
  }

  /** Tells those who asked for it that their connections end within a time: they make others, and lose no command. */
  tellOfEnd(withinMs: number): void {
    const seconds = Math.floor(withinMs / 1_000);
    // Half of it passes before they connect again.
    if (seconds < 1) return;
    for (const connection of this.server.list())
      if (connection.context.isToldOfEnd)
        connection.push((writer) => writer.push(4).text('MOVING').integer(1).integer(seconds).null());
  }

  get busy(): boolean {
    return this.context.store.busy;
  }

  many(connection: DoorConnection, args: PackedArguments, reply: ReplySlot): void {
    const command = this.find(args.at(0) as Buffer);
    const canDo = command?.kind === 'data' && command.runMany !== undefined && !connection.context.multi;
    if (canDo) this.command(connection, args.views(1), reply, args);
    else this.command(connection, args.views(), reply);
  }

  /** `many`: all of its arguments, of which `args` are the first. */
  command(connection: DoorConnection, args: readonly Buffer[], reply: ReplySlot, many?: PackedArguments): void {
    const command = this.find(args[0] as Buffer);
    if (command) connection.context.lastCommand = command.name;
    const { context } = this;
    const wrong =
      accessProblem(command?.access ?? 'user', args, connection.context) ??
      (command ? arityProblem(command, many ?? args) : unknownCommand(args));
    if (connection.context.multi && command?.inMulti !== 'acts')
      return queueForExec({ context, args, reply, connection }, command, wrong);
    const kind = command ? command.requestKind : 'other';
    if (!command || wrong !== undefined) {
      this.time(reply, connection, kind, this.times?.ofNone);
      if (command?.choosesNamespace?.(args)) refuseNamespace({ args, reply, connection }, wrong as string);
      else reply.error(wrong as string);
      return;
    }
    if (command.kind === 'plain') {
      this.time(reply, connection, kind, this.times?.ofNone);
      return command.run({ context, args, reply, connection });
    }
    const { problem } = connection.context;
    const current = problem === undefined ? connection.context.current() : undefined;
    this.time(reply, connection, kind, current ? this.times?.of(current.namespace.name) : this.times?.ofNone);
    if (problem !== undefined) return reply.error(problem);
    if (!current) return reply.error(absentNamespace(context.state(), connection.context.namespaceName).text);
    const { namespace, session, order } = current;
    const anew = connection.context.anotherCreation(namespace);
    if (anew !== undefined) return reply.error(anew);
    const { state } = namespace;
    const ack = connection.context.ack ?? state.ack;
    const consistency = connection.context.consistency ?? state.consistency;
    const { user } = connection.context;
    const call = { context, args, reply, connection, namespace, session, order, user, ack, consistency };
    if (many && command.runMany) command.runMany({ ...call, args: many });
    else command.run(call);
  }

  /** From when its connection was last heard or answered: a command that waited for its turn came then, or before. */
  private time(
    reply: ReplySlot,
    connection: DoorConnection,
    kind: RequestKind | undefined,
    times: KindTimes | undefined,
  ): void {
    if (times !== undefined && kind !== undefined) reply.watch(times[kind], connection.lastActiveMs);
  }

  private find(name: Buffer): TimedCommand | undefined {
    if (name.length > nameBytesMax) return undefined;
    const spelling = name.toString('latin1');
    const known = this.spelled.get(spelling);
    if (known) return known;
    const command = doorCommands.get(spelling.toUpperCase());
    if (command && this.spelled.size < spellingsMax) this.spelled.set(spelling, command);
    return command;
  }
}

/** At a door that asks nobody. */
const anybody = new TrustedPrincipal('anybody');

/** No command has a longer name. */
const nameBytesMax = 32;
/** More than enough for GET, get and Get of every command. */
const spellingsMax = 1_000;

function arityProblem({ name, arity }: DoorCommand, { length }: { readonly length: number }): string | undefined {
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
