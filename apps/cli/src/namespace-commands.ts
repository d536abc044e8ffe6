import { manualPlanKinds } from '@levee/cluster';
import { Command, Option } from 'commander';
import { byteSize, durationMs, wholeNumber } from './arguments';
import { addDigestCommand } from './digest-command';
import { usageFailure } from './exit';
import type { Output, Row } from './output';
import { jsonBody } from './portal-client';
import type { ToolsOf } from './program';
import { rowsOf } from './rows';

export function addNamespaceCommands(program: Command, toolsOf: ToolsOf): void {
  const namespace = program.command('namespace').alias('ns').description('namespaces and their configuration');

  withKnobs(
    namespace
      .command('create <name>')
      .description('create a namespace; what is not named here gets a default that fits the cluster'),
  )
    .option('--dry-run', 'say what it would be and which units it would take, and change nothing')
    .action(async (name: string, { dryRun, ...options }: Row, command: Command) => {
      const { output, portal } = toolsOf(command);
      const created = (await portal.json({
        method: 'POST',
        path: '/v1/namespaces',
        ...jsonBody({ name, ...knobsOf(options) }),
        query: dryRun === true ? { dryRun: 1 } : {},
      })) as Row;
      if (dryRun === true && output.format === 'text') await output.raw('dry run: nothing is changed\n');
      await printDescription(output, created);
    });

  withKnobs(
    namespace
      .command('alter <name>')
      .description(
        'change settings of a namespace; the word none takes a limit away; what cannot change is refused with the reason',
      ),
  ).action(async (name: string, options: Row, command: Command) => {
    const { output, portal } = toolsOf(command);
    const knobs = knobsOf(options);
    if (Object.keys(knobs).length === 0)
      throw usageFailure('name at least one setting to change (levee namespace alter --help)');
    const path = `/v1/namespaces/${encodeURIComponent(name)}`;
    const altered = await portal.json({ method: 'PATCH', path, ...jsonBody(knobs) });
    await printDescription(output, altered as Row);
  });

  namespace
    .command('delete <name>')
    .description('delete a namespace with every key in it, for ever')
    .option('--yes', 'do it: nothing can bring the keys back')
    .option('--number <number>', 'only if it is this creation of the name', wholeNumber)
    .action(async (name: string, options: { yes?: boolean; number?: number }, command: Command) => {
      const { output, portal } = toolsOf(command);
      if (options.yes !== true)
        throw usageFailure(`this deletes every key of ${name} and its binlog for ever: repeat it with --yes`);
      const path = `/v1/namespaces/${encodeURIComponent(name)}`;
      await output.value(await portal.json({ method: 'DELETE', path, query: { number: options.number } }));
    });

  namespace
    .command('list [query]')
    .description(
      "all namespaces, or those that a query selects: 'shop.*' one segment below shop, 'shop.**' all of shop",
    )
    .action(async (query: string | undefined, _options: Row, command: Command) => {
      const { output, portal } = toolsOf(command);
      const rows = rowsOf(await portal.json({ path: '/v1/namespaces', query: { query } }), 'namespaces');
      await output.table(rows, [
        'name',
        'state',
        'partitions',
        'chunks',
        'replicas',
        'ack',
        'consistency',
        'multi',
        'binlog',
      ]);
    });

  namespace
    .command('groups [group]')
    .description('the prefixes of namespaces with totals, or one of them with its namespaces')
    .action(async (group: string | undefined, _options: Row, command: Command) => {
      const { output, portal } = toolsOf(command);
      if (group === undefined) {
        const groups = rowsOf(await portal.json({ path: '/v1/groups' }), 'groups');
        return output.table(groups, ['group', 'namespaces', ...totalColumns]);
      }
      const reply = (await portal.json({ path: `/v1/groups/${encodeURIComponent(group)}` })) as Row;
      if (output.format !== 'text') return output.value(reply);
      const total = { ...reply, name: `all ${String(reply['namespaces'])} of ${group}` };
      await output.table([...rowsOf(reply, 'members'), total], ['name', 'state', ...totalColumns]);
    });

  namespace
    .command('describe <name>')
    .description('the whole configuration, and how other Kafka producers must be set up')
    .action(async (name: string, _options: Row, command: Command) => {
      const { output, portal } = toolsOf(command);
      const described = (await portal.json({ path: `/v1/namespaces/${encodeURIComponent(name)}` })) as Row;
      await printDescription(output, described);
    });

  addDigestCommand(namespace, toolsOf);
}

/** The settings a namespace has. */
function withKnobs(command: Command): Command {
  return command
    .option('--partitions <count>', 'binlog partitions, a divisor of 1,000,000, fixed for ever', wholeNumber)
    .option('--chunks <count>', 'chunks to begin with', wholeNumber)
    .option('--replicas <count>', 'replicas of each chunk', wholeNumber)
    .addOption(new Option('--hash-algorithm <name>', 'how keys become slots').choices(['murmur2', 'murmur2-hashtag']))
    .addOption(new Option('--ack <when>', 'default of when a write is answered').choices(['logged', 'primary', 'all']))
    .addOption(
      new Option('--consistency <level>', 'default of what a read may miss').choices(['eventual', 'session', 'strong']),
    )
    .option('--max-staleness <duration>', 'age above which a replica refuses reads', orNone(durationMs))
    .option('--requests-per-second <count>', 'limit of the namespace at one portal', orNone(wholeNumber))
    .option('--chunk-requests-per-second <count>', 'limit of one chunk at one node', orNone(wholeNumber))
    .option('--chunk-capacity <size>', 'what a chunk may hold', byteSize)
    .addOption(
      new Option(
        '--multi <what>',
        'MULTI of Redis clients: refuse it whole, or carry its commands out one by one, not isolated and not all or nothing',
      ).choices(['refuse', 'batch']),
    )
    .addOption(new Option('--failover-strategy <name>', 'who replaces lost replicas').choices(['automatic', 'manual']))
    .option(
      '--manual-plans <kinds>',
      `kinds of plans, joined by commas, that wait for approval when the dispatcher proposes them: ${manualPlanKinds.join(', ')}; or none`,
      kindsOrNone,
    )
    .option('--expected-bytes <size>', 'what will be stored, for placement', orNone(byteSize))
    .option('--expected-requests-per-second <count>', 'what will be asked, for placement', orNone(wholeNumber))
    .option('--history-window <duration>', 'how long the binlog keeps every version of a key', durationMs)
    .option('--max-ttl <duration>', 'longest time to live a write may ask for', durationMs);
}

const noLimit = 'none';

/** A value, or `none` for no limit; commander itself cannot hold null. */
const orNone =
  (parse: (text: string) => number) =>
  (text: string): number | typeof noLimit =>
    text === noLimit ? noLimit : parse(text);

/** Which kinds there are the master says. */
const kindsOrNone = (text: string): string[] => (text === noLimit ? [] : text.split(',').map((kind) => kind.trim()));

const knobsOf = (options: Row): Row =>
  Object.fromEntries(
    Object.entries(options).map(([option, value]) => [knobOf[option] ?? option, value === noLimit ? null : value]),
  );

/** Options that name their knob without its unit, since the value has one. */
const knobOf: Readonly<Record<string, string>> = {
  maxStaleness: 'maxStalenessMs',
  chunkCapacity: 'chunkCapacityBytes',
  historyWindow: 'historyWindowMs',
  maxTtl: 'maxTtlMs',
};

const totalColumns = [
  'chunks',
  'replicas',
  'capacityBytes',
  'quotaBytes',
  'storedBytes',
  'liveKeys',
  'chunksUntold',
] as const;

/** People get one line a chunk from `levee routes`, and none here; settings as a table. */
async function printDescription(output: Output, described: Row): Promise<void> {
  if (output.format !== 'text') return output.value(described);
  const { placement: _, knobs, units, ...rest } = described;
  if (units !== undefined) await output.raw(`${unitsLine(described, units as CreationUnits)}\n`);
  if (knobs === undefined) return output.value(rest);
  const rows = rowsOf(knobs, 'knobs');
  const settings = new Set(rows.map((row) => row['knob']));
  await output.value(Object.fromEntries(Object.entries(rest).filter(([name]) => !settings.has(name))));
  await output.raw('\n');
  const shown = rows.map((row) => ({ ...row, changes: row['fixedBecause'] === null ? 'yes' : 'no' }));
  await output.table(shown, ['knob', 'value', 'changes', 'allowed']);
}

interface CreationUnits {
  readonly taken: number;
  readonly free: number;
  readonly spare: number;
}

function unitsLine({ name, chunks, replicas }: Row, { taken, free, spare }: CreationUnits): string {
  const has = `${String(name)} has ${taken} units (${String(chunks)} chunks, ${String(replicas)} replicas of each)`;
  return `${has}; ${free} are free, ${spare} of them kept for healing, moves and splits`;
}
