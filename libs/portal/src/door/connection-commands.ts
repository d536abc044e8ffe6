import { clusterUser, portalDoorName, TrustedPrincipal } from '@levee/auth';
import { failureCode, messageOf } from '@levee/kernel';
import {
  authArguments,
  helloNamesUser,
  helloOptions,
  type Credentials,
  type HelloOptions,
  type ReplyWriter,
} from '@levee/wire';
import { clientCommand } from './client-command';
import { Glob, globBytesMax } from './glob';
import { noAuth } from './door-guard';
import { infoCommand } from './info-command';
import { plainCommand, text, word, type DoorCommand, type PlainCall } from './door-command';

/** Told to clients that look for a Redis version before they use RESP3. */
export const compatibleRedisVersion = '7.4.0';

/** PING ECHO QUIT RESET HELLO AUTH SELECT CLIENT TIME CONFIG INFO. */
export const connectionCommands: readonly DoorCommand[] = [
  plainCommand({
    name: 'PING',
    access: 'user',
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
    access: 'user',
    arity: 2,
    flags: ['fast'],
    summary: 'The message given',
    run: ({ args, reply }) => reply.bulk(args[1] as Buffer),
  }),
  plainCommand({
    name: 'QUIT',
    access: 'open',
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
    access: 'open',
    arity: 1,
    flags: ['fast'],
    summary: 'The connection as it was after connecting: in the default namespace',
    inMulti: 'acts',
    run: ({ context, reply, connection }) => {
      connection.dropDeferred();
      connection.context.reset(context.clock.monotonicMs());
      connection.protocol = 2;
      connection.name = '';
      reply.simple('RESET');
    },
  }),
  plainCommand({
    name: 'HELLO',
    access: 'open',
    arity: -1,
    flags: ['fast'],
    summary: 'Chooses RESP2 or RESP3',
    choosesNamespace: helloNamesUser,
    inMulti: 'refused',
    run: hello,
  }),
  plainCommand({
    name: 'AUTH',
    access: 'open',
    arity: -2,
    flags: ['fast'],
    summary: '[user] password: who the connection is; user@namespace chooses a namespace too',
    choosesNamespace: () => true,
    inMulti: 'refused',
    run: ({ context, args, reply, connection }) => {
      const given = authArguments(args);
      if (given === undefined) return refuseAuth({ context, args, reply, connection }, 'ERR syntax error');
      authenticate({ context, args, reply, connection }, given, () => reply.ok());
    },
  }),
  plainCommand({
    name: 'SELECT',
    access: 'user',
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
    access: 'user',
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
    access: 'user',
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

function hello({ context, args, reply, connection }: PlainCall): void {
  const wanted = helloOptions(args, connection.protocol);
  if (typeof wanted === 'string')
    return helloNamesUser(args) ? refuseAuth({ context, args, reply, connection }, wanted) : reply.error(wanted);
  if (wanted.auth !== undefined)
    return authenticate({ context, args, reply, connection }, wanted.auth, () => greet({ reply, connection }, wanted));
  const { principal } = connection.context;
  if (principal === undefined || principal.problem !== undefined)
    return reply.error(`${noAuth.slice(0, -1)}: HELLO ${wanted.protocol} AUTH <user> <password>`);
  greet({ reply, connection }, wanted);
}

function greet({ reply, connection }: Pick<PlainCall, 'reply' | 'connection'>, { protocol, name }: HelloOptions): void {
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

/** HELLO answers in the protocol it switches to, not in the one it came in. */
function replyIn(protocol: 2 | 3, reply: PlainCall['reply'], build: (writer: ReplyWriter) => void): void {
  reply.write(build, protocol);
}

/**
 * Makes the connection that of a user, and chooses a namespace; `done` answers then. Whoever fails is nobody. With
 * authentication off there are no users: the name chooses the namespace, and the secret is not looked at.
 */
function authenticate(call: PlainCall, { user, secret }: Credentials, done: () => void): void {
  const { context, reply, connection } = call;
  const { authenticator } = context;
  const session = connection.context;
  if (authenticator === undefined) {
    const namespace = user === 'default' || user === '' ? context.defaultNamespace : user;
    const problem = namespaceProblem(call, namespace);
    if (problem) return refuseNamespace(call, problem);
    session.user = user;
    session.use(namespace);
    return done();
  }
  const at = user.indexOf('@');
  const [name, asked] = at < 0 ? [user, undefined] : [user.slice(0, at), user.slice(at + 1)];
  // What was sent behind it waits: it is not carried out as anybody else.
  session.becomeNobody(context.clock.monotonicMs());
  const address = connection.remoteAddress.replace(/:\d+$/, '');
  if (name === clusterUser && context.clusterKey?.proves(portalDoorName, secret)) {
    session.principal = new TrustedPrincipal(`process ${address}`);
    return done();
  }
  reply.holdPipeline();
  authenticator.byPassword(name, secret, address).then(
    (principal) => {
      if (principal === undefined) return refuseAuth(call, wrongPassword);
      session.principal = principal;
      const problem = asked === undefined ? undefined : namespaceProblem(call, asked);
      if (problem !== undefined) return refuseAuth(call, problem);
      session.user = name;
      session.use(asked ?? principal.defaultNamespace ?? context.defaultNamespace);
      done();
    },
    (error: unknown) =>
      refuseAuth(call, `${failureCode(error) === 'LIMIT' ? 'LVLIMIT' : 'LVUNAVAILABLE'} ${messageOf(error)}`),
  );
}

const wrongPassword =
  'WRONGPASS invalid username-password pair or user is disabled. A namespace is chosen behind the name: user@namespace';

/** The connection is nobody's, and has no namespace. */
function refuseAuth(call: PlainCall, problem: string): void {
  const { authenticator, clock } = call.context;
  if (authenticator !== undefined) call.connection.context.becomeNobody(clock.monotonicMs());
  refuseNamespace(call, problem);
}

/** Answers `problem`; the connection has no namespace until it is given one. */
export function refuseNamespace({ args, reply, connection }: Omit<PlainCall, 'context'>, problem: string): void {
  connection.context.refuse(word(args, 0), problem);
  reply.error(problem);
}

/** Why a connection cannot use a namespace; one that is being created may be chosen. */
export function namespaceProblem(
  { context, connection }: Pick<PlainCall, 'context' | 'connection'>,
  name: string,
): string | undefined {
  const { principal } = connection.context;
  if (principal?.knows(name) !== true)
    return `NOPERM ${principal?.name ?? 'nobody'} has no right in namespace '${name.slice(0, 200)}'`;
  if (name === context.defaultNamespace) return undefined;
  const state = context.state().namespace(name)?.state;
  if (state === 'active' || state === 'creating') return undefined;
  return `LVNAMESPACE there is no namespace '${name.slice(0, 200)}'; create it with: levee namespace create ${name.slice(0, 200)}`;
}
