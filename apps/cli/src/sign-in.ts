import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { CliFailure } from './exit';
import { type Terminal, write } from './terminal';

type Env = Terminal['env'];

/** Where `levee login` keeps tokens, by the origin of their door; readable by its owner alone. */
function tokensFile(env: Env): string {
  return join(env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config'), 'levee', 'tokens.json');
}

function keptTokens(env: Env): Record<string, string> {
  try {
    return JSON.parse(readFileSync(tokensFile(env), 'utf8')) as Record<string, string>;
  } catch {
    return {};
  }
}

/** Keeps a token for a door, or, without one, forgets it; the file that it is in. */
export function keepToken(env: Env, origin: string, token: string | undefined): string {
  const file = tokensFile(env);
  const tokens = keptTokens(env);
  if (token === undefined) delete tokens[origin];
  else tokens[origin] = token;
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, `${JSON.stringify(tokens, null, 2)}\n`, { mode: 0o600 });
  return file;
}

/**
 * What the command line proves itself with: the option, LEVEE_TOKEN, what `levee login` kept for this door, or, for the
 * store that runs in this folder, the token of its first user.
 */
export function tokenFor(
  given: string | undefined,
  env: Env,
  door: { readonly origin: string; readonly dataDir: string | undefined },
): string | undefined {
  const named = given ?? (env['LEVEE_TOKEN'] || undefined) ?? keptTokens(env)[door.origin];
  if (named !== undefined || door.dataDir === undefined) return named;
  const file = join(door.dataDir, 'operator.token');
  try {
    return existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined;
  } catch {
    return undefined;
  }
}

/** One line that nobody shall see: typed without echo, or the first line of standard input. */
export async function readSecret(terminal: Terminal, prompt: string): Promise<string> {
  const { stdin } = terminal;
  const isTerminal = 'isTTY' in stdin && stdin.isTTY === true;
  if (isTerminal) await write(terminal.stderr, prompt);
  if (isTerminal && 'setRawMode' in stdin) (stdin as NodeJS.ReadStream).setRawMode(true);
  let line = '';
  try {
    for await (const chunk of stdin as AsyncIterable<Buffer | string>) {
      for (const char of chunk.toString()) {
        if (char === '\u0003') throw new CliFailure('INTERRUPTED', 'interrupted');
        if (char === '\n' || char === '\r' || char === '\u0004') return line;
        line = char === '\u007f' ? line.slice(0, -1) : line + char;
        if (line.length > secretCharsMax)
          throw new CliFailure('LVLIMIT', `a secret of more than ${secretCharsMax} characters`);
      }
    }
    return line;
  } finally {
    if (isTerminal && 'setRawMode' in stdin) (stdin as NodeJS.ReadStream).setRawMode(false);
    if (isTerminal) await write(terminal.stderr, '\n');
    stdin.destroy();
  }
}

const secretCharsMax = 1_024;
