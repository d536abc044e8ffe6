import { type Command, Option } from 'commander';
import { byteSize, durationMs } from './arguments';
import type { ToolsOf } from './command-tools';
import { type At, cutArgument } from './evidence-commands';
import { usageFailure } from './exit';
import { tellWork } from './work-lines';

interface ForkOptions {
  readonly at: At;
  readonly rate?: number;
  readonly clockMargin?: number;
  readonly quiet?: true;
}

/** `levee namespace fork`: a namespace from the past of another one, while both are used. */
export function addForkCommand(namespace: Command, toolsOf: ToolsOf): void {
  namespace
    .command('fork <source> <name>')
    .description(
      'make a namespace from what another one held at a time; nobody sees it until it is complete; ended, it is given again and goes on',
    )
    .requiredOption('--at <time>', 'refused with exit code 3 when that is not provable for every key', cutArgument)
    .option('--rate <size>', 'read and write at most so many bytes a second, such as 20MiB', byteSize)
    .addOption(
      new Option('--clock-margin <duration>', 'by how much clocks of brokers may differ (default 5m)').argParser(
        durationMs,
      ),
    )
    .option('--quiet', 'no progress on standard error')
    .action(async (source: string, name: string, options: ForkOptions, command: Command) => {
      const { at, rate, clockMargin: clockMarginMs } = options;
      if (!('timeMs' in at.cut)) throw usageFailure('--at is a time here: each partition has its own positions');
      const path = `/v1/namespaces/${encodeURIComponent(name)}/fork`;
      const asked = { from: source, atMs: at.cut.timeMs, clockMarginMs, rate };
      await tellWork(toolsOf(command), { path, asked, quiet: options.quiet === true });
    });
}
