import { creationAsked, creationIdOf } from '@levee/cluster';
import { messageOf } from '@levee/kernel';
import { hashOf, slotOf } from '@levee/keyspace';
import {
  entryErrorText,
  FrameFailure,
  helloNamesUser,
  helloOptions,
  nodeCommands,
  parseAwaitCommand,
  parseCopyCommand,
  parseRangeCommand,
  parseReadCommand,
  type ReplySlot,
  type RespConnection,
  type RespService,
  type TlsPeer,
} from '@levee/wire';
import { answerCopy } from '../copy/copy-request';
import type { NodeIdentity } from '../node-identity';
import { PageTurns } from './page-turns';
import { letGo, witnessReport } from '../witness/witness-commands';
import { answerAwait } from './await-request';
import { NodeCallers, readProblem, type NodeAccess, type NodeCaller, type NodeProofs } from './node-callers';
import { answerRange } from './range-request';
import { ReadAnswer } from './read-request';
import { type Large, whenThereIsRoom } from './room';
import type { ServingContext } from './serving-context';
import { UserWaits } from './user-waits';
import { unfitProblem } from './unfit-problem';

export interface NodeDoor {
  readonly identity: NodeIdentity;
  /** `undefined` while the control topics are not read to their end [safety]. */
  serving(): ServingContext | undefined;
  /** Why it is not, in words. */
  reason(): string;
  /** LV.STAT and INFO. */
  describe(): object;
}

/** What each command asks of who sends it. */
export const nodeCommandAccess = {
  AUTH: 'open',
  HELLO: 'open',
  [nodeCommands.hello]: 'open',
  QUIT: 'open',
  RESET: 'open',
  // What clients of Redis send by themselves, and what tells nothing.
  CLIENT: 'known',
  COMMAND: 'known',
  CONFIG: 'known',
  ECHO: 'known',
  PING: 'known',
  SELECT: 'known',
  [nodeCommands.read]: 'read',
  [nodeCommands.range]: 'read',
  INFO: 'cluster',
  [nodeCommands.await]: 'cluster',
  [nodeCommands.copy]: 'cluster',
  [nodeCommands.get]: 'cluster',
  [nodeCommands.letGo]: 'cluster',
  [nodeCommands.stat]: 'cluster',
  [nodeCommands.witness]: 'cluster',
} as const satisfies Readonly<Record<string, NodeAccess>>;

type Command = (args: readonly Buffer[], reply: ReplySlot, connection: RespConnection<NodeCaller>) => void;

/** The commands of a data node (the table in `@levee/wire`), and as much of Redis as redis-cli needs to talk to it. */
export class NodeService implements RespService<NodeCaller> {
  private readonly commands: ReadonlyMap<string, { readonly access: NodeAccess; readonly run: Command }>;
  private readonly callers: NodeCallers;
  private pages: PageTurns | undefined;
  private readonly userWaits = new UserWaits();

  constructor(
    private readonly door: NodeDoor,
    proofs: NodeProofs,
  ) {
    this.callers = new NodeCallers(proofs);
    const commands: Readonly<Record<keyof typeof nodeCommandAccess, Command>> = {
      [nodeCommands.read]: (...all) => this.read(...all),
      [nodeCommands.await]: (args, reply) => this.await(args, reply),
      [nodeCommands.range]: (...all) => this.range(...all),
      [nodeCommands.copy]: (...all) => this.copy(...all),
      [nodeCommands.hello]: (...all) => this.hello(...all),
      [nodeCommands.stat]: (_, reply) => reply.text(JSON.stringify(door.describe())),
      [nodeCommands.witness]: (_, reply) => this.witness(reply),
      [nodeCommands.letGo]: (args, reply) => this.letGo(args, reply),
      [nodeCommands.get]: (args, reply) => this.get(args, reply),
      PING: (args, reply) => (args[1] === undefined ? reply.simple('PONG') : reply.bulk(args[1])),
      ECHO: (args, reply) => (args[1] === undefined ? reply.error('ERR ECHO needs a text') : reply.bulk(args[1])),
      INFO: (_, reply) => reply.text(infoText(door.describe())),
      AUTH: (...all) => this.callers.auth(...all),
      HELLO: (...all) => this.respHello(...all),
      RESET: (_, reply, connection) => this.reset(reply, connection),
      COMMAND: (_, reply) => reply.write((writer) => writer.array(0)),
      CONFIG: (_, reply) => reply.write((writer) => writer.array(0)),
      CLIENT: (_, reply) => reply.ok(),
      SELECT: (_, reply) => reply.ok(),
      QUIT: (_, reply, connection) => (reply.ok(), connection.endAfterReplies()),
    };
    this.commands = new Map(
      Object.entries(commands).map(([name, run]) => [
        name,
        { access: nodeCommandAccess[name as keyof typeof nodeCommandAccess], run },
      ]),
    );
  }

  strangerSinceMs({ context }: RespConnection<NodeCaller>): number | undefined {
    return context.who === undefined ? context.nobodySinceMs : undefined;
  }

  open(connection: RespConnection<NodeCaller>, peer?: TlsPeer): NodeCaller {
    return this.callers.open(connection, peer);
  }

  command(connection: RespConnection<NodeCaller>, args: readonly Buffer[], reply: ReplySlot): void {
    const name = (args[0] as Buffer).toString('latin1', 0, nameBytesMax);
    const command = this.commands.get(name) ?? this.commands.get(name.toUpperCase());
    const problem = this.callers.problem(connection.context, command?.access ?? 'known');
    if (problem !== undefined) return reply.error(problem);
    if (command === undefined)
      return reply.error(
        `ERR unknown command '${name}': this is data node ${this.door.identity.nodeId}; ` +
          'writes and the other commands are answered by a portal (LEVEE_RESP_PORT)',
      );
    try {
      command.run(args, reply, connection);
    } catch (error) {
      if (reply.done) throw error;
      if (error instanceof FrameFailure) reply.error(`ERR ${error.message}`);
      else throw error;
    }
  }

  private ready(reply: ReplySlot): ServingContext | undefined {
    const context = this.door.serving();
    if (context === undefined) reply.error(`LVNOTREADY ${this.door.reason()}`);
    return context;
  }

  private read(args: readonly Buffer[], reply: ReplySlot, { context: { who } }: RespConnection<NodeCaller>): void {
    const context = this.ready(reply);
    if (context === undefined) return;
    const request = parseReadCommand(args);
    const named = context.state.namespace(request.namespace);
    const creation = creationAsked((name) => context.state.namespace(name), request.namespace);
    // What is asked for by its creation may have another name here, or none yet; rights are on the name that it has here.
    const namespace = named ?? context.host.namespaceOf(creation ?? '');
    const problem = readProblem(who, namespace?.name ?? request.namespace);
    if (problem !== undefined) return reply.error(problem);
    if (named !== undefined && creation === undefined) return reply.error(anotherNamespace(request.namespace));
    if (creation === undefined || namespace === undefined) return reply.error(unknownNamespace(request.namespace));
    const unfit = unfitProblem(namespace);
    if (unfit !== undefined) return reply.error(unfit);
    context.host.io.served();
    new ReadAnswer(context, request, { creation, namespace }, reply, who, this.userWaits).start();
  }

  private await(args: readonly Buffer[], reply: ReplySlot): void {
    const context = this.ready(reply);
    if (context !== undefined) answerAwait(context, parseAwaitCommand(args), reply);
  }

  private range(args: readonly Buffer[], reply: ReplySlot, connection: RespConnection<NodeCaller>): void {
    const context = this.ready(reply);
    if (context === undefined) return;
    const request = parseRangeCommand(args);
    const { who } = connection.context;
    const named = context.state.namespace(request.namespace);
    const problem = readProblem(who, request.namespace) ?? (named && unfitProblem(named));
    if (problem !== undefined) return reply.error(problem);
    this.makePage(context, { reply, connection, bytes: request.bytesMax, else: 'LVNOTREADY' }, () =>
      answerRange(context, request, reply, who),
    );
  }

  private copy(args: readonly Buffer[], reply: ReplySlot, connection: RespConnection<NodeCaller>): void {
    const context = this.ready(reply);
    if (context === undefined) return;
    const request = parseCopyCommand(args);
    if (request.what !== 'next') return answerCopy(context, request, reply);
    this.makePage(context, { reply, connection, bytes: request.bytesMax, else: 'LVCOPYBUSY' }, () =>
      answerCopy(context, request, reply),
    );
  }

  private makePage(context: ServingContext, page: Large, answer: () => void): void {
    this.pages ??= new PageTurns(context.timers);
    whenThereIsRoom(context.buffers, this.pages, page, answer);
  }

  private witness(reply: ReplySlot): void {
    const context = this.ready(reply);
    if (context !== undefined) reply.text(JSON.stringify(witnessReport(context.host, this.door.identity)));
  }

  private letGo(args: readonly Buffer[], reply: ReplySlot): void {
    const context = this.ready(reply);
    if (context === undefined) return;
    const problem = letGo(context.host, args.slice(1));
    if (problem === undefined) reply.ok();
    else reply.error(`LVNOTWITNESS ${problem}`);
  }

  /** For people: eventual, by key. */
  private get(args: readonly Buffer[], reply: ReplySlot): void {
    const context = this.ready(reply);
    if (context === undefined) return;
    const [, name, key] = args;
    if (name === undefined || key === undefined || args.length !== 3)
      return reply.error('ERR write LV.GET <namespace> <key>');
    const namespace = context.state.namespace(name.toString());
    if (namespace === undefined) return reply.error(unknownNamespace(name.toString()));
    const unfit = unfitProblem(namespace);
    if (unfit !== undefined) return reply.error(unfit);
    const slot = slotOf(hashOf(key, namespace.hashAlgorithm), namespace.partitions);
    const hosted = context.host.at(creationIdOf(namespace), slot);
    if (hosted === undefined) return reply.error(entryErrorText('LVMOVED', context.routeOf(namespace.name, slot)));
    if (!hosted.readable) return reply.error(entryErrorText('LVNOTREADY', hosted.reason));
    const limited = hosted.quota.refusal(namespace.chunkRequestsPerSecond);
    if (limited !== undefined) return reply.error(entryErrorText('LVLIMIT', limited));
    try {
      const found = hosted.replica.get(key, context.clock.nowMs());
      if (found === undefined) reply.null();
      else if (found.readable) reply.bulk(found.value);
      else reply.error(entryErrorText('LVUNREADABLE', `${found.partition}:${found.offset} ${found.reason}`));
    } catch (error) {
      reply.error(entryErrorText(hosted.damagedBy(error) ? 'LVDAMAGED' : 'LVNOTREADY', messageOf(error)));
    }
  }

  /** LV.HELLO clusterId nodeId storeId [proof]: refuses whoever looks for somebody else; empty arguments are not checked. */
  private hello(args: readonly Buffer[], reply: ReplySlot, connection: RespConnection<NodeCaller>): void {
    const { identity } = this.door;
    const problem = this.callers.greets(connection, identity, args[4]?.toString('latin1'));
    if (problem !== undefined) return reply.error(problem);
    const [clusterId, nodeId, storeId] = [1, 2, 3].map((i) => args[i]?.toString() ?? '');
    const ours = this.door.serving()?.clusterId ?? '';
    if (clusterId !== '' && ours !== '' && clusterId !== ours)
      return reply.error(`LVWRONGCLUSTER this node belongs to cluster ${ours}, not ${clusterId}`);
    if ((nodeId !== '' && nodeId !== identity.nodeId) || (storeId !== '' && storeId !== identity.storeId))
      return reply.error(`LVWRONGNODE this is ${identity.nodeId} with store ${identity.storeId}`);
    reply.text(JSON.stringify({ clusterId: ours, ...identity }));
  }

  private respHello(args: readonly Buffer[], reply: ReplySlot, connection: RespConnection<NodeCaller>): void {
    const wanted = helloOptions(args, connection.protocol);
    if (typeof wanted === 'string') {
      if (helloNamesUser(args)) this.callers.forget(connection.context);
      return reply.error(wanted);
    }
    const greet = (): void => {
      if (wanted.name !== undefined) connection.name = wanted.name.toString('latin1');
      connection.protocol = wanted.protocol;
      reply.write((writer) => {
        writer.map(3).text('server').text('levee-data-node').text('node').text(this.door.identity.nodeId);
        writer.text('proto').integer(wanted.protocol);
      }, wanted.protocol);
    };
    if (wanted.auth !== undefined) return this.callers.authenticate(wanted.auth, { reply, connection }, greet);
    const problem = this.callers.problem(connection.context, 'known');
    if (problem !== undefined) reply.error(problem);
    else greet();
  }

  private reset(reply: ReplySlot, connection: RespConnection<NodeCaller>): void {
    this.callers.reset(connection.context);
    connection.protocol = 2;
    connection.name = '';
    reply.simple('RESET');
  }
}

/** No command has a longer name, and errors quote no more. */
const nameBytesMax = 64;

function unknownNamespace(name: string): string {
  return `LVNAMESPACE this node knows no namespace '${name.slice(0, 200)}'`;
}

function anotherNamespace(name: string): string {
  return `LVNAMESPACE ${name.slice(0, 200)} has changed places with another namespace, of which this reader has not heard yet`;
}

function infoText(description: object): string {
  const lines = Object.entries(description)
    .filter(([, value]) => typeof value !== 'object')
    .map(([name, value]) => `${name}:${String(value)}`);
  return `# levee data node\r\n${lines.join('\r\n')}\r\n`;
}
