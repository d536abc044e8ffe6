import { type Command, Option } from 'commander';
import { CliFailure } from './exit';
import type { Row } from './output';
import type { ToolsOf } from './command-tools';

/** Each has a folder below apps/. */
const processes = ['standalone', 'master', 'dispatcher', 'data-node', 'portal', 'cli'];

export function addConfigCommand(program: Command, toolsOf: ToolsOf): void {
  program
    .command('config')
    .description('every setting: its value here, its default, what it means')
    .addOption(new Option('--app <name>', 'only what this process reads').choices(processes))
    .action(async ({ app }: { app?: string }, command: Command) => {
      const { output, terminal } = toolsOf(command);
      // Loaded only now: Nest, which comes with it, costs more than all other commands together.
      const { settingsReport }: typeof import('./settings-report') = require('./settings-report');
      const report = settingsReport(terminal.env);
      const lines = report.lines.filter((line) => app === undefined || line.apps.includes(app));
      const rows: Row[] = lines.map((line) => ({ ...line, set: line.isSet ? 'yes' : 'no' }));
      if (output.format === 'text') await output.table(rows, ['name', 'value', 'set', 'default', 'meaning']);
      else await output.value(lines);
      if (report.problem !== undefined) throw new CliFailure('BAD_SETTINGS', report.problem);
    });
}
