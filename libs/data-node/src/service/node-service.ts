import { messageOf } from '@levee/kernel';
import { hashOf, slotOf } from '@levee/keyspace';
import {
  entryErrorText,
  FrameFailure,
  nodeCommands,
  parseAwaitCommand,
  parseCopyCommand,
  parseRangeCommand,
  parseReadCommand,
  type ReplySlot,
  type RespConnection,
  type RespService,
} from '@levee/wire';
import { answerCopy } from '../copy/copy-request';
import type { NodeIdentity } from '../digests/digest-work';
import { PageTurns } from './page-turns';
import { letGo, witnessReport } from '../witness/witness-commands';
import { answerAwait } from './await-request';
import { answerRange } from './range-request';
import { ReadAnswer } from './read-request';
import { type Large, whenThereIsRoom } from './room';
import type { ServingContext } from './serving-context';

export interface NodeDoor {
  readonly identity: NodeIdentity;
  /** `undefined` while the control topics are not read to their end [safety]. */
  serving(): ServingContext | undefined;
  /** Why it is not, in words. */
  reason(): string;
  /** LV.STAT and INFO. */
  describe(): object;
}

type Command = (args: readonly Buffer[], reply: ReplySlot, connection: RespConnection<undefined>) => void;

/** The commands of a data node (the table in `@levee/wire`), and as much of Redis as redis-cli needs to talk to it. */
export class NodeService implements RespService<undefined> {
  private readonly commands: ReadonlyMap<string, Command>;
  private pages: PageTurns | undefined;

  constructor(private readonly door: NodeDoor) {
    this.commands = new Map<string, Command>([
      [nodeCommands.read, (args, reply) => this.read(args, reply)],
      [nodeCommands.await, (args, reply) => this.await(args, reply)],
      [nodeCommands.range, (...all) => this.range(...all)],
      [nodeCommands.copy, (...all) => this.copy(...all)],
      [nodeCommands.hello, (args, reply) => this.hello(args, reply)],
      [nodeCommands.stat, (_, reply) => reply.text(JSON.stringify(door.describe()))],
      [nodeCommands.witness, (_, reply) => this.witness(reply)],
      [nodeCommands.letGo, (args, reply) => this.letGo(args, reply)],
      [nodeCommands.get, (args, reply) => this.get(args, reply)],
      ['PING', (args, reply) => (args[1] === undefined ? reply.simple('PONG') : reply.bulk(args[1]))],
      ['ECHO', (args, reply) => (args[1] === undefined ? reply.error('ERR ECHO needs a text') : reply.bulk(args[1]))],
      ['INFO', (_, reply) => reply.text(infoText(door.describe()))],
      ['HELLO', (args, reply, connection) => this.respHello(args, reply, connection)],
      ['COMMAND', (_, reply) => reply.write((writer) => writer.array(0))],
      ['CONFIG', (_, reply) => reply.write((writer) => writer.array(0))],
      ['CLIENT', (_, reply) => reply.ok()],
      ['SELECT', (_, reply) => reply.ok()],
      ['QUIT', (_, reply, connection) => (reply.ok(), connection.endAfterReplies())],
    ]);
  }

  open(): undefined {
    return undefined;
  }

  command(connection: RespConnection<undefined>, args: readonly Buffer[], reply: ReplySlot): void {
    const name = (args[0] as Buffer).toString('latin1');
    const command = this.commands.get(name) ?? this.commands.get(name.toUpperCase());
    if (command === undefined)
      return reply.error(
        `ERR unknown command '${name.slice(0, 64)}': this is data node ${this.door.identity.nodeId}; ` +
          'writes and the other commands are answered by a portal (LEVEE_RESP_PORT)',
      );
    try {
      command(args, reply, connection);
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

  private read(args: readonly Buffer[], reply: ReplySlot): void {
    const context = this.ready(reply);
    if (context === undefined) return;
    const request = parseReadCommand(args);
    const namespace = context.state.namespace(request.namespace);
    if (namespace === undefined) return reply.error(unknownNamespace(request.namespace));
    context.host.io.served();
    new ReadAnswer(context, request, namespace, reply).start();
  }

  private await(args: readonly Buffer[], reply: ReplySlot): void {
    const context = this.ready(reply);
    if (context !== undefined) answerAwait(context, parseAwaitCommand(args), reply);
  }

  private range(args: readonly Buffer[], reply: ReplySlot, connection: RespConnection<undefined>): void {
    const context = this.ready(reply);
    if (context === undefined) return;
    const request = parseRangeCommand(args);
    this.makePage(context, { reply, connection, bytes: request.bytesMax, else: 'LVNOTREADY' }, () =>
      answerRange(context, request, reply),
    );
  }

  private copy(args: readonly Buffer[], reply: ReplySlot, connection: RespConnection<undefined>): void {
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
    const slot = slotOf(hashOf(key, namespace.hashAlgorithm), namespace.partitions);
    const hosted = context.host.at(namespace.name, slot);
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

  /** LV.HELLO clusterId nodeId storeId: refuses whoever looks for somebody else; empty arguments are not checked. */
  private hello(args: readonly Buffer[], reply: ReplySlot): void {
    const { identity } = this.door;
    const [clusterId, nodeId, storeId] = [1, 2, 3].map((i) => args[i]?.toString() ?? '');
    const ours = this.door.serving()?.clusterId ?? '';
    if (clusterId !== '' && ours !== '' && clusterId !== ours)
      return reply.error(`LVWRONGCLUSTER this node belongs to cluster ${ours}, not ${clusterId}`);
    if ((nodeId !== '' && nodeId !== identity.nodeId) || (storeId !== '' && storeId !== identity.storeId))
      return reply.error(`LVWRONGNODE this is ${identity.nodeId} with store ${identity.storeId}`);
    reply.text(JSON.stringify({ clusterId: ours, ...identity }));
  }

  private respHello(args: readonly Buffer[], reply: ReplySlot, connection: RespConnection<undefined>): void {
    const wanted = args[1]?.toString() ?? String(connection.protocol);
    if (wanted !== '2' && wanted !== '3') return reply.error('NOPROTO unsupported protocol version');
    connection.protocol = wanted === '3' ? 3 : 2;
    reply.write((writer) => {
      writer.map(3).text('server').text('levee-data-node').text('node').text(this.door.identity.nodeId);
      writer.text('proto').integer(connection.protocol);
    });
  }
}

function unknownNamespace(name: string): string {
  return `LVNAMESPACE this node knows no namespace '${name.slice(0, 200)}'`;
}

function infoText(description: object): string {
  const lines = Object.entries(description)
    .filter(([, value]) => typeof value !== 'object')
    .map(([name, value]) => `${name}:${String(value)}`);
  return `# levee data node\r\n${lines.join('\r\n')}\r\n`;
}
