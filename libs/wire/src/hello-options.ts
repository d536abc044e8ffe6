import { attributeProblem } from './client-attribute';
import type { RespProtocol } from './reply-writer';

/** What somebody says that proves who he is. */
export interface Credentials {
  readonly user: string;
  /** A password, or a token in its place. */
  readonly secret: string;
}

export interface HelloOptions {
  readonly protocol: RespProtocol;
  readonly auth: Credentials | undefined;
  readonly name: Buffer | undefined;
}

/** What `AUTH [user] secret` says; `undefined` = it has not that form. */
export function authArguments(args: readonly Buffer[]): Credentials | undefined {
  if (args.length !== 2 && args.length !== 3) return undefined;
  return { user: args.length === 3 ? text(args, 1) : 'default', secret: text(args, args.length - 1) };
}

/** What `HELLO [version [AUTH user secret] [SETNAME name]]` asks for; a string is the error. */
export function helloOptions(args: readonly Buffer[], current: RespProtocol): HelloOptions | string {
  let auth: Credentials | undefined;
  let name: Buffer | undefined;
  if (args.length === 1) return { protocol: current, auth, name };
  const version = text(args, 1);
  if (!/^\d+$/.test(version)) return 'ERR Protocol version is not an integer or out of range';
  if (version !== '2' && version !== '3') return 'NOPROTO unsupported protocol version';
  for (let i = 2; i < args.length; i++) {
    const option = shown(args, i);
    if (option.toUpperCase() === 'AUTH' && i + 2 < args.length) {
      auth = { user: text(args, i + 1), secret: text(args, i + 2) };
      i += 2;
    } else if (option.toUpperCase() === 'SETNAME' && i + 1 < args.length) name = args[++i];
    else return `ERR Syntax error in HELLO option '${option}'`;
  }
  const problem = name && attributeProblem('Client names', name);
  return problem ?? { protocol: version === '3' ? 3 : 2, auth, name };
}

/** Whether such a HELLO says who somebody is, also a wrong one. */
export function helloNamesUser(args: readonly Buffer[]): boolean {
  return args.some((_, i) => i > 1 && shown(args, i).toUpperCase() === 'AUTH');
}

function text(args: readonly Buffer[], index: number): string {
  return args[index]?.toString('utf8') ?? '';
}

/** No option is longer, and nothing that an error quotes. */
const wordBytesMax = 128;

function shown(args: readonly Buffer[], index: number): string {
  return args[index]?.toString('utf8', 0, wordBytesMax) ?? '';
}
