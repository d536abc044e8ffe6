import type { Command } from 'commander';
import { byteSize } from './arguments';
import type { ToolsOf } from './command-tools';
import { usageFailure } from './exit';
import { tellWork } from './work-lines';

interface RepartitionOptions {
  readonly dryRun?: true;
  readonly cancel?: true;
  readonly producersStopped?: true;
  readonly beyondTombstones?: true;
  readonly ended?: readonly string[];
  readonly rate?: number;
  readonly quiet?: true;
}

/** `levee namespace repartition`: records that stand in wrong partitions come home. */
export function addRepartitionCommand(namespace: Command, toolsOf: ToolsOf): void {
  namespace
    .command('repartition <name>')
    .description(
      'bring records home that a producer wrote into wrong partitions, once it is set right; a key whose right partition ' +
        'holds a later record is left alone; writes are frozen meanwhile; ended, it is given again and goes on',
    )
    .option('--dry-run', 'count what would be done, by reason, and write nothing')
    .option('--cancel', 'let go of one that was begun: portals take writes again')
    .option(
      '--producers-stopped',
      'you know that nobody writes into wrong partitions any more: do not wait five minutes',
    )
    .option('--beyond-tombstones', 'also records so old that a later deletion may be gone without a trace')
    .option('--ended <portal...>', 'portals (or runs of them) that you know to have ended: do not wait for their word')
    .option('--rate <size>', 'read and write at most so many bytes a second, such as 20MiB', byteSize)
    .option('--quiet', 'no progress on standard error')
    .action(async (name: string, options: RepartitionOptions, command: Command) => {
      const { quiet, ...asked } = options;
      if (asked.dryRun && asked.cancel)
        throw usageFailure('--dry-run writes nothing, and --cancel does nothing else: say one');
      const path = `/v1/namespaces/${encodeURIComponent(name)}/repartition`;
      await tellWork(toolsOf(command), { path, asked, quiet: quiet === true });
    });
}
