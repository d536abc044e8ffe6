import { Command, Option } from 'commander';
import { byteSize, durationMs, wholeNumber } from './arguments';
import { addDigestCommand } from './digest-command';
import { CliFailure } from './exit';
import type { Output, Row } from './output';
import type { ToolsOf } from './program';
import { rowsOf } from './rows';

export function addNamespaceCommands(program: Command, toolsOf: ToolsOf): void {
  const namespace = program.command('namespace').alias('ns').description('namespaces and their configuration');

  namespace
    .command('create <name>')
    .description('create a namespace; what is not named here gets the default of the cluster')
    .option('--partitions <count>', 'binlog partitions, a divisor of 1,000,000, fixed for ever', wholeNumber)
    .option('--chunks <count>', 'chunks to begin with', wholeNumber)
    .option('--replicas <count>', 'replicas of each chunk', wholeNumber)
    .addOption(new Option('--hash-algorithm <name>', 'how keys become slots').choices(['murmur2', 'murmur2-hashtag']))
    .addOption(new Option('--ack <when>', 'default of when a write is answered').choices(['logged', 'primary', 'all']))
    .addOption(
      new Option('--consistency <level>', 'default of what a read may miss').choices(['eventual', 'session', 'strong']),
    )
    .option('--max-staleness <duration>', 'age above which a replica refuses reads', durationMs)
    .option('--requests-per-second <count>', 'limit of the namespace at one portal', wholeNumber)
    .option('--chunk-requests-per-second <count>', 'limit of one chunk at one node', wholeNumber)
    .option('--chunk-capacity <size>', 'what a chunk may hold', byteSize)
    .addOption(new Option('--failover-strategy <name>', 'who replaces lost replicas').choices(['automatic', 'manual']))
    .option('--expected-bytes <size>', 'what will be stored, for placement', byteSize)
    .option('--expected-requests-per-second <count>', 'what will be asked, for placement', wholeNumber)
    .option('--history-window <duration>', 'how long the binlog keeps every version of a key', durationMs)
    .option('--max-ttl <duration>', 'longest time to live a write may ask for', durationMs)
    .action(async (name: string, options: Row, command: Command) => {
      const { output, portal } = toolsOf(command);
      const knobs = Object.entries(options).map(([option, value]) => [knobOf[option] ?? option, value]);
      const body = Buffer.from(JSON.stringify({ name, ...Object.fromEntries(knobs) }));
      const headers = { 'content-type': 'application/json' };
      const created = await portal.json({ method: 'POST', path: '/v1/namespaces', body, headers });
      await printDescription(output, created as Row);
    });

  namespace
    .command('list')
    .description('all namespaces')
    .action(async (_options: Row, command: Command) => {
      const { output, portal } = toolsOf(command);
      const rows = rowsOf(await portal.json({ path: '/v1/namespaces' }), 'namespaces');
      await output.table(rows, ['name', 'state', 'partitions', 'chunks', 'replicas', 'ack', 'consistency', 'binlog']);
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

  for (const verb of ['alter', 'delete'] as const)
    namespace
      .command(`${verb} <name>`)
      .description(`not supported yet: ${verb} a namespace`)
      .allowUnknownOption()
      .allowExcessArguments()
      .action((name: string) => {
        throw new CliFailure(
          'NOT_SUPPORTED',
          `this version cannot ${verb} a namespace: ${name} is as it was; create another one under a new name`,
        );
      });
}

/** Options that name their knob without its unit, since the value has one. */
const knobOf: Readonly<Record<string, string>> = {
  maxStaleness: 'maxStalenessMs',
  chunkCapacity: 'chunkCapacityBytes',
  historyWindow: 'historyWindowMs',
  maxTtl: 'maxTtlMs',
};

/** People get one line a chunk from `levee routes`, and none here. */
async function printDescription(output: Output, described: Row): Promise<void> {
  const { placement: _, ...rest } = described;
  await output.value(output.format === 'text' ? rest : described);
}
