import type { ReplyWriter } from '@levee/wire';
import { attributeProblem } from './client-attribute';
import { Glob, globBytesMax } from './glob';
import { plainCommand, shown, text, word, type DoorCommand, type DoorConnection, type PlainCall } from './door-command';

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
  plainCommand({
    name: 'CLIENT',
    arity: -2,
    flags: ['admin'],
    summary: 'Names, ids and a list of clients',
    run: client,
  }),
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
  plainCommand({
    name: 'INFO',
    arity: -1,
    flags: ['fast'],
    summary: 'Facts about this portal, by section',
    run: ({ context, args, reply }) => {
      const wanted = new Set(args.slice(1).map((arg) => arg.toString('utf8').toLowerCase()));
      const all = wanted.size === 0 || ['all', 'default', 'everything'].some((name) => wanted.has(name));
      let out = '';
      for (const [section, facts] of Object.entries(context.facts())) {
        if (!all && !wanted.has(section.toLowerCase())) continue;
        out += `${out === '' ? '' : '\r\n'}# ${section}\r\n`;
        for (const [name, value] of Object.entries(facts)) out += `${name}:${value}\r\n`;
      }
      reply.write((w) => w.verbatim('txt', out));
    },
  }),
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

function client({ context, args, reply, connection }: PlainCall): void {
  switch (word(args, 1)) {
    case 'ID':
      return reply.integer(connection.id);
    case 'GETNAME':
      return connection.name === '' ? reply.null() : reply.text(connection.name);
    case 'SETNAME': {
      if (args.length !== 3) return reply.error("ERR wrong number of arguments for 'client|setname' command");
      const problem = attributeProblem('Client names', args[2] as Buffer);
      if (problem !== undefined) return reply.error(problem);
      connection.name = text(args, 2);
      return reply.ok();
    }
    case 'SETINFO':
      return setInfo({ args, reply, connection });
    case 'INFO':
      return reply.text(`${describe(connection, context.clock.monotonicMs())}\n`);
    case 'LIST': {
      const now = context.clock.monotonicMs();
      return reply.text([...context.connections()].map((each) => `${describe(each, now)}\n`).join(''));
    }
    case 'NO-EVICT':
    case 'NO-TOUCH':
      return reply.ok();
    default:
      return reply.error(
        `LVUNSUPPORTED CLIENT ${word(args, 1)}: there are ID, GETNAME, SETNAME, SETINFO, INFO, LIST, NO-EVICT, NO-TOUCH`,
      );
  }
}

function setInfo({ args, reply, connection }: Omit<PlainCall, 'context'>): void {
  if (args.length !== 4) return reply.error("ERR wrong number of arguments for 'client|setinfo' command");
  const option = word(args, 2);
  if (option !== 'LIB-NAME' && option !== 'LIB-VER') return reply.error(`ERR Unrecognized option '${shown(args, 2)}'`);
  const problem = attributeProblem(option.toLowerCase(), args[3] as Buffer);
  if (problem !== undefined) return reply.error(problem);
  const value = text(args, 3);
  if (option === 'LIB-NAME') connection.context.libraryName = value;
  else connection.context.libraryVersion = value;
  reply.ok();
}

function describe(connection: DoorConnection, nowMs: number): string {
  const { context: session } = connection;
  return [
    `id=${connection.id}`,
    `addr=${connection.remoteAddress}`,
    `name=${connection.name}`,
    `age=${Math.floor((nowMs - session.connectedAtMs) / 1000)}`,
    `idle=${Math.floor((nowMs - connection.lastActiveMs) / 1000)}`,
    `resp=${connection.protocol}`,
    `user=${session.user}`,
    `namespace=${session.namespaceName}`,
    `lib-name=${session.libraryName}`,
    `lib-ver=${session.libraryVersion}`,
  ].join(' ');
}
