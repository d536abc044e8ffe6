import { Command, Option } from 'commander';
import { durationMs, keyBytes, type KeyEncoding, keyEncodings, percentEncode, wholeNumber } from './arguments';
import { usageFailure } from './exit';
import type { Row } from './output';
import { jsonBody } from './portal-client';
import type { ToolsOf } from './command-tools';
import { isAboutPast, type PastOptions, routesThen, withPast } from './past-commands';
import { replicasByRole } from './replicas-by-role';
import { rowsOf } from './rows';
import { watchRoutes } from './watch-routes';

interface RoutesOptions {
  readonly namespace?: string;
  readonly knownVersion?: number;
  readonly watch?: boolean;
}
type RoutesCommand = RoutesOptions & PastOptions;

/** Where things are: nodes, units, routes, one key, the whole cluster. */
export function addPlacementCommands(program: Command, toolsOf: ToolsOf): void {
  const node = program.command('node').description('data nodes and their units');

  node
    .command('list')
    .description('all data nodes')
    .action(async (_options: Row, command: Command) => {
      const { output, portal } = toolsOf(command);
      const rows = rowsOf(await portal.json({ path: '/v1/nodes' }), 'nodes');
      if (output.format !== 'text') return output.value(rows);
      const counted = rows.map((row) => ({
        ...row,
        cordoned: row['cordoned'] === true ? 'yes' : null,
        units: counts(row['units']),
        replicas: counts(row['replicas']),
      }));
      await output.table(counted, [
        'nodeId',
        'state',
        'cordoned',
        'maintenanceUntil',
        'domain',
        'respAddress',
        'httpAddress',
        'units',
        'replicas',
      ]);
    });

  node
    .command('units <node>')
    .description('the storage units of a node')
    .action(async (nodeId: string, _options: Row, command: Command) => {
      const { output, portal } = toolsOf(command);
      const rows = rowsOf(await portal.json({ path: `/v1/nodes/${encodeURIComponent(nodeId)}/units` }), 'units');
      await output.table(rows, ['unitId', 'state', 'engine', 'capacityBytes', 'generation', 'chunkId']);
    });

  node
    .command('maintenance <node>')
    .description('let a node be away for a while: it is neither suspect nor lost, and its primaries move at once')
    .option('--for <duration>', 'for how long, such as 20m', durationMs)
    .option('--end', 'end it now')
    .action(async (nodeId: string, options: { for?: number; end?: boolean }, command: Command) => {
      const { output, portal } = toolsOf(command);
      if ((options.for === undefined) === (options.end !== true))
        throw usageFailure('say either --for <duration>, such as --for 20m, or --end');
      const path = `/v1/nodes/${encodeURIComponent(nodeId)}/maintenance`;
      const begin = { method: 'POST', path, ...jsonBody({ forMs: options.for }) } as const;
      const reply = (await portal.json(options.end === true ? { method: 'DELETE', path } : begin)) as Row;
      if (output.format !== 'text') return output.value(reply);
      await output.table([reply], ['nodeId', 'state', 'maintenanceUntil', 'domain', 'respAddress', 'httpAddress']);
    });

  addCordon(node, toolsOf);

  withPast(program.command('routes [namespace]'))
    .description(
      'which replicas serve which slots; with --at which of them were entitled to answer then, exit code 3 when that is ' +
        'not provable',
    )
    .option('-n, --namespace <name>', 'namespace (default: default)')
    .option(
      '--known-version <version>',
      'a version that is known already: says whether there is a newer one',
      wholeNumber,
    )
    .option('-w, --watch', 'go on with every change, until interrupted; comes back by itself when a portal goes away')
    .action(async (named: string | undefined, options: RoutesCommand, command: Command) => {
      const { knownVersion: version } = options;
      if (named !== undefined && options.namespace !== undefined && named !== options.namespace)
        throw usageFailure(`name one namespace, ${named} or ${options.namespace}`);
      const namespace = named ?? options.namespace ?? 'default';
      const tools = toolsOf(command);
      if (options.at !== undefined && (options.watch === true || version !== undefined))
        throw usageFailure('--at tells how it was: without --watch and --known-version');
      if (isAboutPast(options)) return routesThen(tools, namespace, options);
      if (options.watch === true) return watchRoutes(tools, namespace, version);
      const { output, portal } = tools;
      const path = `/v1/routes/${encodeURIComponent(namespace)}`;
      const reply = (await portal.json({ path, query: { version } })) as Row;
      if (output.format !== 'text') return output.value(reply);
      if (reply['change'] === 'notChange') return output.value(reply, `version ${String(version)} is the newest`);
      const routes = rowsOf(reply, 'routes').map((route) => ({ ...route, ...replicasByRole(route) }));
      await output.table(routes, ['chunkId', 'slotStart', 'slotEnd', 'primary', 'followers', 'retired', 'dead']);
    });

  program
    .command('where <key>')
    .description('slot, partition, chunk and replicas of a key')
    .option('-n, --namespace <name>', 'namespace', 'default')
    .addOption(
      new Option('--key-encoding <encoding>', 'how the key is written here').choices(keyEncodings).default('utf8'),
    )
    .action(async (key: string, options: { namespace: string; keyEncoding: KeyEncoding }, command: Command) => {
      const { output, portal } = toolsOf(command);
      const bytes = keyBytes(key, options.keyEncoding);
      if (bytes === undefined || bytes.length === 0)
        throw usageFailure(`'${key}' is no key in ${options.keyEncoding} (--key-encoding)`);
      const path = `/v1/where/${encodeURIComponent(options.namespace)}/${percentEncode(bytes)}`;
      await output.value(await portal.json({ path }));
    });

  program
    .command('status')
    .description('master, nodes, namespaces and positions as the portal sees them')
    .action(async (_options: Row, command: Command) => {
      const { output, portal } = toolsOf(command);
      await output.value(await portal.json({ path: '/v1/status' }));
    });
}

function addCordon(node: Command, toolsOf: ToolsOf): void {
  const verbs = {
    cordon: { method: 'POST', about: 'keep new replicas away from a node; what it has stays and serves' },
    uncordon: { method: 'DELETE', about: 'let a node take replicas again, after a cordon or a drain' },
  } as const;
  for (const [verb, { method, about }] of Object.entries(verbs))
    node
      .command(`${verb} <node>`)
      .description(about)
      .action(async (nodeId: string, _options: Row, command: Command) => {
        const { output, portal } = toolsOf(command);
        const reply = (await portal.json({ method, path: `/v1/nodes/${encodeURIComponent(nodeId)}/cordon` })) as Row;
        if (output.format !== 'text') return output.value(reply);
        const shown = { ...reply, cordoned: reply['cordoned'] === true ? 'yes' : null };
        await output.table([shown], ['nodeId', 'state', 'cordoned', 'domain', 'respAddress', 'httpAddress']);
      });
}

/** `{free: 24, allocated: 8}` as `24 free, 8 allocated`. */
function counts(by: unknown): string {
  const some = Object.entries((by ?? {}) as Row).filter(([, count]) => typeof count === 'number' && count > 0);
  return some.map(([what, count]) => `${String(count)} ${what}`).join(', ') || '-';
}
