import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** A client library and a program that drives it as its users do. It prints one line per fact (`facts`). */
export interface RedisClient {
  readonly name: string;
  readonly version: string;
  readonly language: string;
  /** What must be on the machine: a program, how it is asked whether it is there, and what to install. */
  readonly needs?: readonly [program: string, probe: string | readonly string[], install: string];
  /** Fetches and builds what the program needs, under `.cache`. */
  readonly prepare?: () => Promise<void>;
  readonly command: (port: string) => readonly [program: string, ...args: string[]];
  /** The same over TLS as a user with a password; absent where it is not tried. */
  readonly secure?: (door: SecureDoor) => readonly [program: string, ...args: string[]];
}

export interface SecureDoor {
  readonly port: string;
  /** File with the certificate of the authority. */
  readonly ca: string;
  readonly user: string;
  readonly password: string;
}

const root = join(__dirname, '..', '..');
export const cache = (name: string): string => join(root, '.cache', `interop-${name}`);
const here = (...path: string[]): string => join(__dirname, ...path);
const execute = promisify(execFile);

/** What a program prints. One that does not end within the deadline is killed. */
export async function said(
  program: string,
  args: readonly string[],
  {
    env = {},
    cwd = root,
    timeoutMs = 240_000,
  }: { env?: Record<string, string>; cwd?: string; timeoutMs?: number } = {},
): Promise<string> {
  const limits = { timeout: timeoutMs, maxBuffer: 2 ** 24 };
  const options = { encoding: 'utf8', cwd, ...limits, env: { ...process.env, ...env } } as const;
  return (await execute(program, args, options)).stdout;
}

export const pythonWithVenv = ['python3', ['-c', 'import venv, ensurepip'], 'Python 3.10 or newer, with venv'] as const;

/** The Python of an environment of its own, in which the packages are installed. */
export async function venvWith(name: string, ...packages: string[]): Promise<string> {
  const python = join(cache(`python-${name}`), 'bin', 'python');
  if (!existsSync(python)) await said('python3', ['-m', 'venv', cache(`python-${name}`)]);
  await said(python, ['-m', 'pip', 'install', '--quiet', ...packages]);
  return python;
}

function redisPy(version: string, protocol: string): RedisClient {
  return {
    name: 'redis-py',
    version: `${version}, RESP${protocol}`,
    language: 'Python',
    needs: pythonWithVenv,
    prepare: async () => void (await venvWith(version, `redis==${version}`)),
    command: (port) => [join(cache(`python-${version}`), 'bin', 'python'), here('python', 'client.py'), port, protocol],
    secure: ({ port, ca, user, password }) => [
      join(cache(`python-${version}`), 'bin', 'python'),
      here('python', 'secure.py'),
      ...[port, protocol, ca, user, password],
    ],
  };
}

const node = (name: string, version: string, module: string): RedisClient => ({
  name,
  version,
  language: 'Node.js',
  command: (port) => [process.execPath, here('node', `${name}.mjs`), module, port],
  secure: ({ port, ca, user, password }) => [
    process.execPath,
    here('node', `secure-${name}.mjs`),
    ...[module, port, ca, user, password],
  ],
});

export const clients: readonly RedisClient[] = [
  node('ioredis', '5.11.1', 'ioredis'),
  node('ioredis', '6.0.0', 'ioredis-6'),
  node('node-redis', '4.7.1', 'redis-4'),
  node('node-redis', '5.12.1', 'redis'),
  redisPy('5.2.1', '2'),
  redisPy('5.2.1', '3'),
  redisPy('6.4.0', '2'),
  redisPy('8.1.0', '3'),
  {
    name: 'go-redis',
    version: '9.7.0',
    language: 'Go',
    needs: ['go', 'version', 'Go 1.22 or newer'],
    prepare: async () => {
      await said('go', ['build', '-C', here('go'), '-o', cache('go'), '.']);
      await said('go', ['build', '-C', here('go'), '-o', cache('go-secure'), './secure']);
    },
    command: (port) => [cache('go'), port],
    secure: ({ port, ca, user, password }) => [cache('go-secure'), port, ca, user, password],
  },
  {
    name: 'Jedis',
    version: '7.5.3',
    language: 'Java',
    needs: ['mvn', '--version', 'Java 17 and Maven'],
    prepare: async () => {
      const args = ['-q', '-B', '-f', here('java', 'pom.xml'), 'dependency:copy-dependencies'];
      if (!existsSync(cache('java'))) await said('mvn', [...args, `-DoutputDirectory=${cache('java')}`]);
    },
    command: (port) => ['java', '-cp', join(cache('java'), '*'), here('java', 'Client.java'), port],
    secure: ({ port, ca, user, password }) => [
      ...(['java', '-cp', join(cache('java'), '*'), here('java', 'SecureClient.java')] as const),
      ...[port, ca, user, password],
    ],
  },
  {
    name: 'redis-rs',
    version: '1.8.1',
    language: 'Rust',
    needs: ['cargo', '--version', 'Rust 1.88 or newer'],
    prepare: async () => {
      const args = ['build', '--quiet', '--manifest-path', here('rust', 'Cargo.toml')];
      await said('cargo', args, { env: { CARGO_TARGET_DIR: cache('rust') } });
    },
    command: (port) => [join(cache('rust'), 'debug', 'levee-interop'), port],
  },
];

/** What every one of them must print, and what it means. */
export const facts: readonly (readonly [line: string, meaning: string])[] = [
  ['ping PONG', 'connects, and says hello in its default protocol'],
  ['binary true', 'keys and values of any bytes'],
  ['missing true', 'an absent key is its null'],
  ['large true', 'a value of 1 MiB'],
  ['expiry true', '`SET … EX 100`, and `TTL`'],
  ['pipeline 1000', 'a pipeline of 1,000 SETs and GETs, without MULTI: all right'],
  [
    'multi refused: LVUNSUPPORTED left 0',
    '`MULTI` in a namespace with `multi: refuse`: one error, `LVUNSUPPORTED …`, and nothing was written',
  ],
  ['batch OK 1 1', '`MULTI`, SET, GET, DEL, `EXEC` in a namespace with `multi: batch`: the array of replies'],
  [
    'flush OK left 0, refused: LVUNSUPPORTED left 1',
    '`FLUSHDB` in a namespace with `flush: sweep`, after 1,000 `SET`s: all gone; in one with `flush: refuse` nothing happened',
  ],
  ['scan 1000', 'its iterator over SCAN finds every key'],
  ['pool missed 0', '1,000 values, each written by one of ten connections and read by the next: all seen'],
  ['cache OK a b -', '`MSET`, `MGET`'],
  ['limiter refused: LVUNSUPPORTED left 0', '`INCR` is refused, and writes nothing'],
  ['touch refused: LVUNSUPPORTED', '`EXPIRE` is refused'],
  ['nowhere true left 0', 'a user that is no namespace: refused, and nothing is written anywhere'],
  ['del 1 0', '`DEL` counts what was there'],
];

/** What every one of them must print over TLS, where the door asks who somebody is. */
export const secureFacts: readonly (readonly [line: string, meaning: string])[] = [
  ['set OK', 'TLS with an authority of its own, user and password'],
  ['get value', 'the same'],
  ['whoami ann', '`ACL WHOAMI`'],
  ['stranger NOAUTH', 'without a user: `NOAUTH`, as Redis says it'],
  ['wrong WRONGPASS', 'with a wrong password: `WRONGPASS`, as Redis says it'],
  ['url value', '`rediss://user:password@host`'],
];

/** What test/interop/node/libraries.mjs prints: libraries that people put on top of a client. */
export const libraryFacts: readonly (readonly [line: string, meaning: string])[] = [
  [
    'session store, disableTouch false ann touch refused: LVUNSUPPORTED then gone',
    'connect-redis as it comes: sessions are set, read and destroyed, but each request asks for `EXPIRE`, which is refused',
  ],
  ['session store, disableTouch true ann touch taken then gone', 'connect-redis with `disableTouch: true`'],
  [
    'cache in default told LVUNSUPPORTED [null,null,null]',
    'Keyv sets a batch in `MULTI`: refused, nothing was written, and Keyv tells its `error` listeners alone',
  ],
  ['cache in batched told nothing ["1","2",null]', 'Keyv in a namespace with `multi: batch`'],
  [
    'rate limiter refused: LVUNSUPPORTED left 0',
    'rate-limiter-flexible counts in a script: refused, nothing is written',
  ],
];
