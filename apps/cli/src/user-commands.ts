import type { Command } from 'commander';
import { durationMs } from './arguments';
import type { Tools, ToolsOf } from './command-tools';
import { usageFailure } from './exit';
import type { Row } from './output';
import { jsonBody, type PortalRequest } from './portal-client';
import { keepToken, readSecret } from './sign-in';

interface Rights {
  readonly read?: readonly string[];
  readonly write?: readonly string[];
  readonly admin?: readonly string[];
  readonly operate?: boolean;
  readonly audit?: boolean;
}

interface UserRow extends Row {
  readonly grants: readonly { readonly right: string; readonly namespaces: string | null }[];
  readonly tokens: readonly Row[];
}

const userColumns = ['name', 'state', 'rights', 'password', 'tokens', 'defaultNamespace', 'change'];
const tokenColumns = ['tokenId', 'createdAt', 'expiresAt'];

/** `levee user`, `levee token`, `levee login`. */
export function addUserCommands(program: Command, toolsOf: ToolsOf): void {
  const user = program.command('user').description('who may do what');
  addUserChanges(user, toolsOf);
  user
    .command('list')
    .description('all users, with their rights')
    .action(async (_options: Row, command: Command) => {
      const { output, portal } = toolsOf(command);
      const { users } = (await portal.json({ path: '/v1/users' })) as { readonly users: readonly UserRow[] };
      if (output.format !== 'text') return output.value(users);
      await output.table(users.map(shownUser), userColumns);
    });
  user
    .command('show <name>')
    .description('one user')
    .action((name: string, _options: Row, command: Command) => show(toolsOf(command), { path: pathOf(name) }));
  addTokenCommands(program, toolsOf);
  addLoginCommands(program, toolsOf);
}

function addUserChanges(user: Command, toolsOf: ToolsOf): void {
  withRights(user.command('create <name>'))
    .description('create a user; its password comes from standard input, or it has none and gets tokens')
    .option('--password', 'read a password')
    .option('--default-namespace <namespace>', 'namespace of its connections that name none')
    .action(
      async (name: string, options: Rights & { password?: true; defaultNamespace?: string }, command: Command) => {
        const tools = toolsOf(command);
        const { defaultNamespace } = options;
        const password = options.password ? await readSecret(tools.terminal, `password of ${name}: `) : undefined;
        const body = jsonBody({ name, password, defaultNamespace, grants: grantsOf(options) });
        await show(tools, { method: 'POST', path: '/v1/users', ...body });
      },
    );
  for (const [verb, about] of [
    ['grant', 'give rights to a user'],
    ['revoke', 'take rights away, as they were given; at once, on open connections too'],
  ] as const)
    withRights(user.command(`${verb} <name>`))
      .description(about)
      .action(async (name: string, options: Rights, command: Command) => {
        const grants = grantsOf(options);
        if (grants.length === 0)
          throw usageFailure(`say which rights: --read shop.*, --write, --admin, --operate, --audit`);
        await show(toolsOf(command), { method: 'POST', path: `${pathOf(name)}/${verb}`, ...jsonBody({ grants }) });
      });
  user
    .command('passwd <name>')
    .description('change a password, which comes from standard input')
    .option('--none', 'take it away: only tokens are left')
    .action(async (name: string, { none }: { none?: true }, command: Command) => {
      const tools = toolsOf(command);
      const password = none ? null : await readSecret(tools.terminal, `new password of ${name}: `);
      await show(tools, { method: 'PATCH', path: pathOf(name), ...jsonBody({ password }) });
    });
  for (const [verb, state, about] of [
    ['disable', 'disabled', 'a user may do nothing until it is enabled'],
    ['enable', 'active', 'a user that was disabled may do again what its rights say'],
  ] as const)
    user
      .command(`${verb} <name>`)
      .description(about)
      .action((name: string, _options: Row, command: Command) =>
        show(toolsOf(command), { method: 'PATCH', path: pathOf(name), ...jsonBody({ state }) }),
      );
  user
    .command('delete <name>')
    .description('delete a user with its rights and tokens')
    .action(async (name: string, _options: Row, command: Command) => {
      const { output, portal } = toolsOf(command);
      await output.value(await portal.json({ method: 'DELETE', path: pathOf(name) }));
    });
}

function addTokenCommands(program: Command, toolsOf: ToolsOf): void {
  const token = program.command('token').description('secrets that stand for a user');
  token
    .command('create <user>')
    .description('make a token; it is shown this once')
    .option('--expires <duration>', 'after which it is worth nothing, such as 12h or 90d', durationMs)
    .action(async (name: string, { expires }: { expires?: number }, command: Command) => {
      const { output, portal } = toolsOf(command);
      const body = jsonBody({ expiresInMs: expires });
      const made = (await portal.json({ method: 'POST', path: `${pathOf(name)}/tokens`, ...body })) as Row;
      // Alone, so that a script can take it.
      await output.value(made, String(made['token']));
    });
  token
    .command('list <user>')
    .description('tokens of a user, without their secrets')
    .action(async (name: string, _options: Row, command: Command) => {
      const { output, portal } = toolsOf(command);
      const { tokens } = (await portal.json({ path: pathOf(name) })) as UserRow;
      await output.table(output.format === 'text' ? tokens.map(shownToken) : tokens, tokenColumns);
    });
  token
    .command('revoke <user> <id>')
    .description('make a token worth nothing, at once')
    .action((name: string, id: string, _options: Row, command: Command) =>
      show(toolsOf(command), { method: 'DELETE', path: `${pathOf(name)}/tokens/${encodeURIComponent(id)}` }),
    );
}

function addLoginCommands(program: Command, toolsOf: ToolsOf): void {
  program
    .command('login')
    .description('keep a token for this door, which comes from standard input')
    .action(async (_options: Row, command: Command) => {
      const { output, portal, terminal } = toolsOf(command);
      const token = (await readSecret(terminal, 'token: ')).trim();
      const who = (await portal.as(token).json({ path: '/v1/whoami' })) as Row;
      await output.note(`${String(who['name'])}; kept in ${keepToken(terminal.env, portal.origin, token)}`);
    });
  program
    .command('logout')
    .description('forget the token of this door')
    .action((_options: Row, command: Command) => {
      const { portal, terminal } = toolsOf(command);
      keepToken(terminal.env, portal.origin, undefined);
    });
  program
    .command('whoami')
    .description('who this command line is to the portal')
    .action(async (_options: Row, command: Command) => {
      const { output, portal } = toolsOf(command);
      const who = (await portal.json({ path: '/v1/whoami' })) as Row;
      await output.value(who, String(who['name']));
    });
}

function withRights(command: Command): Command {
  return command
    .option('--read <namespaces...>', 'read keys of these namespaces: shop.*, or ** for all')
    .option('--write <namespaces...>', 'write and delete keys')
    .option('--admin <namespaces...>', 'create, change, empty and delete such namespaces')
    .option('--operate', 'nodes, plans, users: the cluster itself')
    .option('--audit', 'read the log');
}

function grantsOf(rights: Rights): object[] {
  const onNamespaces = (['read', 'write', 'admin'] as const).flatMap((right) =>
    (rights[right] ?? []).map((namespaces) => ({ right, namespaces })),
  );
  const others = (['operate', 'audit'] as const).filter((right) => rights[right]);
  return [...onNamespaces, ...others.map((right) => ({ right }))];
}

async function show({ output, portal }: Tools, request: PortalRequest): Promise<void> {
  const user = (await portal.json(request)) as UserRow;
  if (output.format !== 'text') return output.value(user);
  await output.table([shownUser(user)], userColumns);
}

function shownUser(user: UserRow): Row {
  const rights = user.grants.map(({ right, namespaces }) => (namespaces === null ? right : `${right}:${namespaces}`));
  const password = user['hasPassword'] === true ? 'yes' : null;
  return { ...user, rights: rights.join(' ') || null, password, tokens: user.tokens.length };
}

function shownToken(token: Row): Row {
  const time = (atMs: unknown): string | null => (typeof atMs === 'number' ? new Date(atMs).toISOString() : null);
  return { ...token, createdAt: time(token['createdAtMs']), expiresAt: time(token['expiresAtMs']) ?? 'never' };
}

function pathOf(name: string): string {
  return `/v1/users/${encodeURIComponent(name)}`;
}
