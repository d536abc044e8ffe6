import { type Command, Option } from 'commander';
import { byteSize, durationMs } from './arguments';
import type { ToolsOf } from './command-tools';
import { type At, cutArgument } from './evidence-commands';
import { usageFailure } from './exit';
import { tellWork } from './work-lines';

interface RewindOptions {
  readonly at?: At;
  readonly undo?: true;
  readonly cancel?: true;
  readonly ended?: readonly string[];
  readonly rate?: number;
  readonly clockMargin?: number;
  readonly quiet?: true;
}

/** `levee namespace rewind`: back to what a namespace held at a time, and forth again. */
export function addRewindCommand(namespace: Command, toolsOf: ToolsOf): void {
  namespace
    .command('rewind <name>')
    .description(
      'take a namespace back to what it held at a time; what it was is kept under another name; ended, it is given again and goes on',
    )
    .option('--at <time>', 'refused with exit code 3 when that is not provable for every key', cutArgument)
    .option('--undo', 'take a rewind back: the namespace is again what it was before')
    .option('--cancel', 'let go of a rewind that was begun: portals take writes again')
    .option('--ended <portal...>', 'portals (or runs of them) that you know to have ended: do not wait for their word')
    .option('--rate <size>', 'read and write at most so many bytes a second, such as 20MiB', byteSize)
    .addOption(
      new Option('--clock-margin <duration>', 'by how much clocks of brokers may differ (default 5m)').argParser(
        durationMs,
      ),
    )
    .option('--quiet', 'no progress on standard error')
    .action(async (name: string, options: RewindOptions, command: Command) => {
      const { at, undo, cancel, ended, rate, clockMargin: clockMarginMs } = options;
      if ([at, undo, cancel].filter((each) => each !== undefined).length !== 1)
        throw usageFailure('one of --at, --undo and --cancel says what is to be done');
      if (at !== undefined && !('timeMs' in at.cut))
        throw usageFailure('--at is a time here: each partition has its own positions');
      const atMs = at !== undefined && 'timeMs' in at.cut ? at.cut.timeMs : undefined;
      const path = `/v1/namespaces/${encodeURIComponent(name)}/rewind`;
      const asked = { atMs, undo, cancel, ended, clockMarginMs, rate };
      await tellWork(toolsOf(command), { path, asked, quiet: options.quiet === true });
    });
}
