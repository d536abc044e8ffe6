import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { newToken, tokenOf } from '@levee/auth';
import type { CommandRunner } from '@levee/journal';
import { Failure, failureCode, type Logger, messageOf, pause, type Timers } from '@levee/kernel';

const name = 'operator';
/** Everything, so that others can be given what they need. */
const grants = [
  { right: 'operate' },
  { right: 'audit' },
  ...['read', 'write', 'admin'].map((right) => ({ right, namespaces: '**' })),
];

export interface FirstOperatorWorld {
  /** How many users there are. */
  readonly users: () => number;
  readonly commands: CommandRunner;
  readonly logger: Logger;
  readonly timers: Timers;
}

const limits = { attemptsMax: 300, againMs: 2_000 } as const;

/** Tries until the cluster has a master that decides it. Fails as {@link makeFirstOperator} did last. */
export async function insistOnFirstOperator(file: string, world: FirstOperatorWorld): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await makeFirstOperator(file, world);
    } catch (error) {
      if (failureCode(error) === 'BAD_SETTINGS' || attempt === limits.attemptsMax) throw error;
      await pause(world.timers, limits.againMs);
    }
  }
}

/**
 * Makes the first user of a cluster that has none, so that somebody can get in. Its token is in `file`, mode 0600, or is
 * put there by whoever starts the cluster; it is told nowhere else. Who starts again, or beside another portal with the
 * same file, makes the same user. Fails with BAD_SETTINGS.
 */
export async function makeFirstOperator(file: string, { users, commands, logger }: FirstOperatorWorld): Promise<void> {
  if (users() > 0) return;
  const { kept, isNew } = await tokenIn(file);
  try {
    await commands.run({ kind: 'CreateUser', payload: { name, grants, tokens: [kept] }, principal: 'first start' });
  } catch (error) {
    if (failureCode(error) !== 'USER_EXISTS') throw error;
    // Another portal was first: its token is the one that counts.
    if (isNew) await rm(file, { force: true });
    return;
  }
  logger.warn(
    { user: name, file },
    'this cluster had no users: its first one may do everything, and its token is in the file',
  );
}

type Kept = ReturnType<typeof newToken>['kept'];

async function tokenIn(file: string): Promise<{ readonly kept: Kept; readonly isNew: boolean }> {
  const { token, kept } = newToken(name);
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, `${token}\n`, { flag: 'wx', mode: 0o600 });
    return { kept, isNew: true };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST')
      throw new Failure('BAD_SETTINGS', `LEVEE_OPERATOR_TOKEN_FILE cannot be written: ${messageOf(error)}`, {
        cause: error,
      });
  }
  const known = tokenOf(name, (await readFile(file, 'utf8')).trim());
  if (known === undefined)
    throw new Failure(
      'BAD_SETTINGS',
      `${file} holds no token of ${name}: remove it, and the first start of a cluster writes one there (LEVEE_OPERATOR_TOKEN_FILE)`,
    );
  await chmod(file, 0o600).catch(() => undefined);
  return { kept: known, isNew: false };
}
