import {
  defaultHistoryWindowMs,
  defaultPartitions,
  defaultReplicas,
  manualPlanKinds,
  recordFormatChoices,
} from '@levee/cluster';
import { hashAlgorithms } from '@levee/keyspace';
import { Command, Option } from 'commander';
import { byteSize, durationMs, wholeNumber } from './arguments';
import { addFreezeCommands } from './freeze-commands';
import { addDigestCommand } from './digest-command';
import { CliFailure, usageFailure } from './exit';
import { addExportCommands, settingsOfExport } from './export-commands';
import { printAlteration, printCreation, printDescription } from './namespace-report';
import { addForkCommand } from './fork-command';
import { addRepartitionCommand } from './repartition-command';
import { addRewindCommand } from './rewind-command';
import { oneLine, type Row } from './output';
import { jsonBody } from './portal-client';
import type { ToolsOf } from './command-tools';
import { rowsOf } from './rows';

export function addNamespaceCommands(program: Command, toolsOf: ToolsOf): void {
  const namespace = program.command('namespace').alias('ns').description('namespaces and their configuration');

  withSettings(
    namespace
      .command('create <name>')
      .description('create a namespace; what is not named here gets a default that fits the cluster'),
    'create',
  )
    .option('--dry-run', 'say what it would be and which units it would take, and change nothing')
    .option('--like <export>', 'with the settings of a namespace that was exported, but for those that are named here')
    .action(async (name: string, { dryRun, like, ...options }: Row, command: Command) => {
      const { output, portal } = toolsOf(command);
      const exported = like === undefined ? {} : await settingsOfExport(String(like));
      const created = (await portal.json({
        method: 'POST',
        path: '/v1/namespaces',
        ...jsonBody({ name, ...exported, ...knobsOf(options) }),
        query: dryRun === true ? { dryRun: 1 } : {},
      })) as Row;
      await printCreation(output, created, { dryRun: dryRun === true });
    });

  withSettings(
    namespace
      .command('alter <name>')
      .description(
        'change settings of a namespace; the word none takes a limit away; what cannot change is refused with the reason',
      ),
    'alter',
  ).action(async (name: string, options: Row, command: Command) => {
    const { output, portal } = toolsOf(command);
    const knobs = knobsOf(options);
    if (Object.keys(knobs).length === 0)
      throw usageFailure('name at least one setting to change (levee namespace alter --help)');
    const path = `/v1/namespaces/${encodeURIComponent(name)}`;
    const altered = await portal.json({ method: 'PATCH', path, ...jsonBody(knobs) });
    await printAlteration(output, altered as Row, Object.keys(knobs));
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
      await output.value(
        await portal.json({
          method: 'DELETE',
          path,
          query: { number: options.number },
          headers: { 'levee-confirm': name },
        }),
      );
    });

  namespace
    .command('flush <name>')
    .description('delete every key of a namespace, one after the other; it must allow that (alter --flush sweep)')
    .option('--yes', 'do it: nothing can bring the keys back')
    .action(async (name: string, { yes }: { yes?: boolean }, command: Command) => {
      const { output, portal } = toolsOf(command);
      if (yes !== true) throw usageFailure(`this deletes every key of ${name}: repeat it with --yes`);
      const path = `/v1/namespaces/${encodeURIComponent(name)}/flush`;
      const headers = { 'levee-confirm': name };
      for await (const line of portal.lines({ method: 'POST', path, headers })) {
        if (line['event'] === undefined) throw new CliFailure(String(line['code']), String(line['message']));
        await output.row(line, oneLine(String(line['message'])));
      }
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
        'flush',
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

  addFreezeCommands(namespace, toolsOf);
  addDigestCommand(namespace, toolsOf);
  addExportCommands(namespace, toolsOf);
  addForkCommand(namespace, toolsOf);
  addRewindCommand(namespace, toolsOf);
  addRepartitionCommand(namespace, toolsOf);
}

/** The settings a namespace has. `alter` shows those that can change, and takes all: the master says why one cannot. */
function withSettings(command: Command, verb: 'create' | 'alter'): Command {
  for (const { option, otherwise, fixed } of settings()) {
    if (verb === 'create') option.description += ` (default: ${otherwise})`;
    command.addOption(fixed && verb === 'alter' ? option.hideHelp() : option);
  }
  return command;
}

interface Setting {
  readonly option: Option;
  /** What it is where nobody says anything, in words. */
  readonly otherwise: string;
  readonly fixed?: true;
}

const settings = (): Setting[] => [
  {
    option: new Option('--partitions <count>', 'binlog partitions, a divisor of 1,000,000, fixed for ever').argParser(
      wholeNumber,
    ),
    otherwise: String(defaultPartitions),
    fixed: true,
  },
  {
    option: new Option('--chunks <count>', 'chunks to begin with').argParser(wholeNumber),
    otherwise: 'few, by what is free and expected; the dispatcher splits them as they grow',
    fixed: true,
  },
  {
    option: new Option('--replicas <count>', 'replicas of each chunk').argParser(wholeNumber),
    otherwise: `${defaultReplicas}, or as many as there are failure domains`,
    fixed: true,
  },
  {
    option: new Option(
      '--hash-algorithm <name>',
      "how keys become partitions and slots: as Java, by a part in {}, as librdkafka's or as sarama's default",
    ).choices(hashAlgorithms),
    otherwise: 'murmur2',
    fixed: true,
  },
  {
    option: new Option(
      '--record-format <name>',
      'how records say a value: an Avro Put, or raw, the value of the record as it is',
    ).choices(recordFormatChoices),
    otherwise: 'put',
    fixed: true,
  },
  {
    option: new Option(
      '--from-topic <topic>',
      'serve this existing topic as it is: nothing is changed at it, and nothing written to it without --writable',
    ),
    otherwise: 'a topic of its own',
    fixed: true,
  },
  {
    option: new Option(
      '--expire-with-retention',
      'of a topic that forgets by age (cleanup.policy with delete): values expire before the topic removes their records',
    ),
    otherwise: 'the topic must not forget',
    fixed: true,
  },
  {
    option: new Option(
      '--writable',
      'of --from-topic: clients of Levee may write to the topic too, plain keys and values without a time to live',
    ),
    otherwise: 'with --from-topic only its producers write',
    fixed: true,
  },
  {
    option: new Option('--ack <when>', 'default of when a write is answered').choices(['logged', 'primary', 'all']),
    otherwise: 'logged',
  },
  {
    option: new Option('--consistency <level>', 'default of what a read may miss').choices([
      'eventual',
      'session',
      'strong',
    ]),
    otherwise: 'session',
  },
  {
    option: new Option('--max-staleness <duration>', 'age above which a replica refuses reads').argParser(
      orNone(durationMs),
    ),
    otherwise: noLimit,
  },
  {
    option: new Option('--requests-per-second <count>', 'limit of the namespace at one portal').argParser(
      orNone(wholeNumber),
    ),
    otherwise: noLimit,
  },
  {
    option: new Option('--chunk-requests-per-second <count>', 'limit of one chunk at one node').argParser(
      orNone(wholeNumber),
    ),
    otherwise: noLimit,
  },
  {
    option: new Option('--chunk-capacity <size>', 'what a chunk may hold').argParser(byteSize),
    otherwise: 'the smallest unit of the cluster',
  },
  {
    option: new Option(
      '--multi <what>',
      'MULTI of Redis clients: refuse it whole, or carry its commands out one by one, not isolated and not all or nothing',
    ).choices(['refuse', 'batch']),
    otherwise: 'refuse',
  },
  {
    option: new Option(
      '--flush <what>',
      'FLUSHDB of Redis clients: refuse it, or delete all keys one after the other',
    ).choices(['refuse', 'sweep']),
    otherwise: 'refuse',
  },
  {
    option: new Option('--failover-strategy <name>', 'who replaces lost replicas').choices(['automatic', 'manual']),
    otherwise: 'automatic',
  },
  {
    option: new Option(
      '--manual-plans <kinds>',
      `kinds of plans, joined by commas, that wait for approval when the dispatcher proposes them: ${manualPlanKinds.join(', ')}; or none`,
    ).argParser(kindsOrNone),
    otherwise: noLimit,
  },
  {
    option: new Option('--expected-bytes <size>', 'what will be stored, for placement').argParser(orNone(byteSize)),
    otherwise: 'unknown',
  },
  {
    option: new Option('--expected-requests-per-second <count>', 'what will be asked, for placement').argParser(
      orNone(wholeNumber),
    ),
    otherwise: 'unknown',
  },
  {
    option: new Option('--history-window <duration>', 'how long the binlog keeps every version of a key').argParser(
      durationMs,
    ),
    otherwise: `${defaultHistoryWindowMs / 86_400_000}d`,
  },
  {
    option: new Option(
      '--max-ttl <duration>',
      'longest time to live of a value; a write that asks for none gets it',
    ).argParser(orNone(durationMs)),
    otherwise: noLimit,
  },
];

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
  fromTopic: 'sourceTopic',
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
