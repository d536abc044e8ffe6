import { findingReasons } from '@levee/cluster';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ToolsOf } from './command-tools';
import { usageFailure } from './exit';
import { oneLine, type Row } from './output';
import { jsonBody } from './portal-client';
import { rowsOf } from './rows';

interface Position {
  readonly partition: number;
  readonly offset: number;
}

interface AcknowledgeOptions {
  readonly upTo?: readonly Position[];
  readonly all?: true;
  readonly reason?: string;
  readonly by?: string;
  readonly why: string;
}

/** `levee lint ack <namespace>`: bad records that are dealt with are no finding any more. */
export function addAcknowledgeCommand(lint: Command, toolsOf: ToolsOf): void {
  lint
    .command('ack <namespace>')
    .description(
      'say that bad records of a namespace are dealt with, up to a position: levee doctor counts them apart from then ' +
        'on, and levee lint marks them; what comes later is a finding again',
    )
    .option(
      '--up-to <partition:offset,...>',
      'the last record of each partition that is dealt with, such as 0:12,3:40',
      positions,
    )
    .option('--all', 'all that is written now, in every partition')
    .addOption(new Option('--reason <reason>', 'only records that have this wrong').choices(findingReasons))
    .option('--by <who>', 'who dealt with them, if not who gives this command')
    .requiredOption('--why <text>', 'what was done about them')
    .action(async (name: string, options: AcknowledgeOptions, command: Command) => {
      const { output, portal } = toolsOf(command);
      const { upTo, all, reason, by, why } = options;
      if ((upTo === undefined) === (all === undefined))
        throw usageFailure('one of --up-to and --all says up to where they are dealt with');
      const path = `/v1/namespaces/${encodeURIComponent(name)}/acknowledgements`;
      const reply = await portal.json({ method: 'POST', path, ...jsonBody({ upTo, all, reason, by, why }) });
      await output.value(reply, inWords(reply as Row));
    });
}

function positions(text: string): Position[] {
  return text.split(',').map((each) => {
    const [, partition, offset] = /^([0-9]{1,9}):([0-9]{1,15})$/.exec(each.trim()) ?? [];
    if (partition === undefined || offset === undefined)
      throw new InvalidArgumentError('positions such as 0:12,3:40 are needed.');
    return { partition: Number(partition), offset: Number(offset) };
  });
}

function inWords(reply: Row): string {
  const { name, number, reason } = reply;
  const last = rowsOf(reply, 'upTo').map(({ partition, offset }) => `${String(partition)}:${String(offset)}`);
  const shown = `${last.slice(0, 16).join(', ')}${last.length > 16 ? ` and ${last.length - 16} more` : ''}`;
  const what = reason === null ? 'what is wrong' : `what is wrong as ${String(reason)}`;
  return oneLine(`${String(name)}#${String(number)}: ${what} up to ${shown} is acknowledged: no finding any more`);
}
