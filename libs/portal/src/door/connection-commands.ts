import type { ReplyWriter } from '@levee/wire';
import { attributeProblem } from './client-attribute';
import { clientCommand } from './client-command';
import { Glob, globBytesMax } from './glob';
import { infoCommand } from './info-command';
import { plainCommand, shown, text, word, type DoorCommand, type PlainCall } from './door-command';

/** Told to clients that look for a Redis version before they use RESP3. */
export const compatibleRedisVersion = '7.4.0';

/** PING ECHO QUIT RESET HELLO AUTH SELECT CLIENT TIME CONFIG INFO. */
export const connectionCommands: readonly DoorCommand[] = [
  plainCommand({
    name: 'PING',
    arity: -1,
    flags: ['fast'],
    summary: 'PONG, or the message given',
    run: ({ args, reply }) => {
      if (args.length > 2) reply.error("ERR wrong number of arguments for 'ping' command");
      else if (args.length === 2) reply.bulk(args[1] as Buffer);
      else reply.simple('PONG');
    },
  }),
  plainCommand({
    name: 'ECHO',
    arity: 2,
    flags: ['fast'],
    summary: 'The message given',
    run: ({ args, reply }) => reply.bulk(args[1] as Buffer),
  }),
  plainCommand({
    name: 'QUIT',
    arity: -1,
    flags: ['fast'],
    summary: 'Ends the connection',
    inMulti: 'acts',
    run: ({ reply, connection }) => {
      reply.ok();
      connection.endAfterReplies();
    },
  }),
  plainCommand({
    name: 'RESET',
    arity: 1,
    flags: ['fast'],
    summary: 'The connection as it was after connecting: in the default namespace',
    inMulti: 'acts',
    run: ({ context, reply, connection }) => {
      connection.dropDeferred();
      connection.context.reset(context.defaultNamespace);
      connection.protocol = 2;
      connection.name = '';
      reply.simple('RESET');
    },
  }),
  plainCommand({
    name: 'HELLO',
    arity: -1,
    flags: ['fast'],
    summary: 'Chooses RESP2 or RESP3',
    choosesNamespace: namesUser,
    inMulti: 'refused',
    run: hello,
  }),
  plainCommand({
    name: 'AUTH',
    arity: -2,
    flags: ['fast'],
    summary: 'The user name selects the namespace',
    choosesNamespace: () => true,
    inMulti: 'refused',
    run: ({ context, args, reply, connection }) => {
      const problem =
        args.length > 3
          ? 'ERR syntax error'
          : authenticate({ context, connection }, args.length === 3 ? text(args, 1) : 'default');
      if (problem) refuseNamespace({ args, reply, connection }, problem);
      else reply.ok();
    },
  }),
  plainCommand({
    name: 'SELECT',
    arity: 2,
    flags: ['fast'],
    summary: 'Only 0: namespaces have names',
    choosesNamespace: () => true,
    inMulti: 'refused',
    run: ({ args, reply, connection }) => {
      if (text(args, 1) !== '0') return refuseNamespace({ args, reply, connection }, noNumbers);
      const problem = connection.context.keepNamespace();
      if (problem) reply.error(problem);
      else reply.ok();
    },
  }),
  clientCommand,
  plainCommand({
    name: 'TIME',
    arity: 1,
    flags: ['fast'],
    summary: 'Seconds and microseconds since 1970',
    run: ({ context, reply }) => {
      const ms = context.clock.nowMs();
      reply.write((w) =>
        w
          .array(2)
          .text(`${Math.floor(ms / 1000)}`)
          .text(`${(ms % 1000) * 1000}`),
      );
    },
  }),
  plainCommand({
    name: 'CONFIG',
    arity: -2,
    flags: ['admin'],
    summary: 'GET pattern …',
    run: ({ context, args, reply }) => {
      if (word(args, 1) !== 'GET' || args.length < 3)
        return reply.error(
          'LVUNSUPPORTED only CONFIG GET: settings are LEVEE_* environment variables, see levee config',
        );
      const problem = patternsProblem(args);
      if (problem !== undefined) return reply.error(problem);
      const patterns = args
        .slice(2)
        .map((arg) => new Glob(Buffer.from(arg.toString('utf8').toLowerCase()), settingNameBytesMax));
      const found = Object.entries(context.settings()).filter(([name]) =>
        patterns.some((pattern) => pattern.matches(Buffer.from(name))),
      );
      reply.write((w) => {
        w.map(found.length);
        for (const [name, value] of found) w.text(name).text(value);
      });
    },
  }),
  infoCommand,
];

const noNumbers = 'LVUNSUPPORTED databases have no numbers here: choose a namespace with LV.USE or by the AUTH user';

const settingNameBytesMax = 64;
const patternsMax = 64;

function patternsProblem(args: readonly Buffer[]): string | undefined {
  if (args.length - 2 > patternsMax) return `LVLIMIT ${args.length - 2} patterns: at most ${patternsMax} at once`;
  const long = args.findIndex((arg, i) => i >= 2 && arg.length > globBytesMax);
  return long < 0 ? undefined : patternTooLong(args[long] as Buffer);
}

export function patternTooLong(pattern: Buffer): string {
  return `LVLIMIT a pattern of ${pattern.length} bytes: at most ${globBytesMax} bytes`;
}

/** HELLO … AUTH user password. */
function namesUser(args: readonly Buffer[]): boolean {
  return args.some((_, i) => i > 1 && word(args, i) === 'AUTH');
}

function hello({ context, args, reply, connection }: PlainCall): void {
  const refuse = (problem: string): void =>
    namesUser(args) ? refuseNamespace({ args, reply, connection }, problem) : reply.error(problem);
  const wanted = helloOptions(args, connection.protocol);
  if (typeof wanted === 'string') return refuse(wanted);
  const { protocol, user, name } = wanted;
  const problem = user === undefined ? undefined : authenticate({ context, connection }, user);
  if (problem !== undefined) return refuse(problem);
  if (name !== undefined) connection.name = name.toString('latin1');
  connection.protocol = protocol;
  replyIn(protocol, reply, (w) =>
    w
      .map(7)
      .text('server')
      .text('levee')
      .text('version')
      .text(compatibleRedisVersion)
      .text('proto')
      .integer(protocol)
      .text('id')
      .integer(connection.id)
      .text('mode')
      .text('standalone')
      .text('role')
      .text('master')
      .text('modules')
      .array(0),
  );
}

/** What HELLO asks for; a string is the error. */
function helloOptions(
  args: readonly Buffer[],
  current: 2 | 3,
): { protocol: 2 | 3; user: string | undefined; name: Buffer | undefined } | string {
  let user: string | undefined;
  let name: Buffer | undefined;
  if (args.length === 1) return { protocol: current, user, name };
  const version = text(args, 1);
  if (!/^\d+$/.test(version)) return 'ERR Protocol version is not an integer or out of range';
  if (version !== '2' && version !== '3') return 'NOPROTO unsupported protocol version';
  for (let i = 2; i < args.length; i++) {
    const option = word(args, i);
    if (option === 'AUTH' && i + 2 < args.length) {
      user = text(args, i + 1);
      i += 2;
    } else if (option === 'SETNAME' && i + 1 < args.length) name = args[++i];
    else return `ERR Syntax error in HELLO option '${shown(args, i)}'`;
  }
  const problem = name && attributeProblem('Client names', name);
  return problem ?? { protocol: version === '3' ? 3 : 2, user, name };
}

/** HELLO answers in the protocol it switches to, not in the one it came in. */
function replyIn(protocol: 2 | 3, reply: PlainCall['reply'], build: (writer: ReplyWriter) => void): void {
  reply.write(build, protocol);
}

/** Chooses the namespace that the user is named after; the error when there is none. */
function authenticate(of: Pick<PlainCall, 'context' | 'connection'>, user: string): string | undefined {
  const namespace = user === 'default' || user === '' ? of.context.defaultNamespace : user;
  const problem = namespaceProblem(of.context, namespace);
  if (problem) return problem;
  of.connection.context.user = user;
  of.connection.context.use(namespace);
  return undefined;
}

/** Answers `problem`; the connection has no namespace until it is given one. */
export function refuseNamespace({ args, reply, connection }: Omit<PlainCall, 'context'>, problem: string): void {
  connection.context.refuse(word(args, 0), problem);
  reply.error(problem);
}

/** Why a connection cannot use a namespace; one that is being created may be chosen. */
export function namespaceProblem(context: PlainCall['context'], name: string): string | undefined {
  if (name === context.defaultNamespace) return undefined;
  const state = context.state().namespace(name)?.state;
  if (state === 'active' || state === 'creating') return undefined;
  return `LVNAMESPACE there is no namespace '${name.slice(0, 200)}'; create it with: levee namespace create ${name.slice(0, 200)}`;
}
