import type { Command } from 'commander';
import { wholeNumber } from './arguments';
import { CliFailure, exitCodes } from './exit';
import { oneLine } from './output';
import { jsonBody } from './portal-client';
import type { Tools, ToolsOf } from './command-tools';

interface Options {
  readonly partition?: number;
  readonly yes?: boolean;
  readonly producersStopped?: boolean;
  readonly without?: readonly string[];
}

/** Answers that say: something differs, or cannot be proven. */
const undecided = new Set(['CONFLICT', 'NOT_PROVABLE']);

/** `levee log repair` and `levee log accept-loss`: what people decide when a log lost what replicas hold. */
export function addLogRepairCommands(log: Command, toolsOf: ToolsOf): void {
  log
    .command('repair <namespace>')
    .description('bring back what the log lost and its witnesses hold; without --yes it only says what it would do')
    .option('-p, --partition <number>', 'only this partition', wholeNumber)
    .option('--yes', 'do it')
    .option('--producers-stopped', 'you have stopped every producer: do not ask portals whether they stopped')
    .option('--without <name...>', 'leave out of account what these nodes, or units of nodes, hold')
    .action((namespace: string, options: Options, command: Command) => {
      const { partition, yes = false, producersStopped = false, without = [] } = options;
      return order(toolsOf(command), '/v1/log/repair', { namespace, partition, yes, producersStopped, without });
    });

  log
    .command('accept-loss <namespace>')
    .description(
      'let go what the log lost: its witnesses are built anew; without --yes it only says what would be lost',
    )
    .option('-p, --partition <number>', 'only this partition', wholeNumber)
    .option('--yes', 'do it')
    .action((namespace: string, { partition, yes = false }: Options, command: Command) =>
      order(toolsOf(command), '/v1/log/accept-loss', { namespace, partition, yes }),
    );
}

/** Prints the lines as they come; a failure is the last one. */
async function order({ output, portal }: Tools, path: string, body: object): Promise<void> {
  for await (const line of portal.lines({ method: 'POST', path, ...jsonBody(body) })) {
    if (line['event'] === undefined) {
      const code = String(line['code']);
      const exit = undecided.has(code) ? exitCodes.difference : exitCodes.failure;
      throw new CliFailure(code, String(line['message']), exit);
    }
    await output.row(line, oneLine(String(line['message'])));
  }
}
