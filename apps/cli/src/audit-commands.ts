import type { Command } from 'commander';
import { addAccessCommand } from './access-command';
import { addEvidenceCommands } from './evidence-commands';
import { addProofsCommand } from './proofs-command';
import { CliFailure, exitCodes } from './exit';
import { logWhere, withLog } from './log-where';
import { addRebuildCommands } from './rebuild-commands';
import { addRehearseCommand } from './rehearse-command';
import { addReportCommand } from './report-command';
import { addVerifyCommand } from './verify-command';
import type { Output, Row } from './output';
import type { ToolsOf } from './command-tools';
import type { Terminal } from './terminal';

interface RepairOptions {
  readonly brokers?: string;
  readonly dataDir?: string;
  readonly yes?: true;
  readonly acceptLoss?: true;
}

/** `levee audit`: what the log proves, and how what it lost comes back. */
export function addAuditCommands(program: Command, toolsOf: ToolsOf): void {
  const audit = program.command('audit').description('what the log proves, and how what it lost comes back');
  addEvidenceCommands(audit, toolsOf);
  addVerifyCommand(audit, toolsOf);
  addRebuildCommands(audit, toolsOf);
  addProofsCommand(audit, toolsOf);
  addAccessCommand(audit, toolsOf);
  addRehearseCommand(audit, toolsOf);
  addReportCommand(audit, toolsOf);
  withLog(audit.command('repair'))
    .description(
      'compare the journal with those who have seen it and say what can be brought back; with --yes do it; ' +
        'exit code 3 when there is something to do',
    )
    .option('--yes', 'carry it out')
    .option('--accept-loss', 'also where something is lost for good')
    .action(async (options: RepairOptions, command: Command) => {
      const { output, terminal } = toolsOf(command);
      await repair(options, { output, terminal });
    });
}

async function repair(
  options: RepairOptions,
  { output, terminal }: { readonly output: Output; readonly terminal: Terminal },
): Promise<void> {
  const where = logWhere(options, terminal);
  // Loaded only now: Kafka and LevelDB are not needed for anything else here.
  const { openJournalDirectly }: typeof import('./direct-audit') = require('./direct-audit');
  const journal = await openJournalDirectly(where, terminal);
  try {
    const examined = await journal.examine();
    const { plan } = examined;
    if (plan.kind === 'nothing') {
      await output.value(plan, `nothing to do: ${plan.why}`);
      return;
    }
    await output.value(plan, describe(plan as unknown as Row));
    if (options.yes !== true && plan.kind === 'accept-loss')
      throw new CliFailure(
        'NOT_DONE',
        'nothing was changed: see above. A newer copy of the log brings everything back; without one, ' +
          '--yes --accept-loss goes on from what the journal holds',
        exitCodes.difference,
      );
    if (options.yes !== true)
      throw new CliFailure('NOT_DONE', 'nothing was changed: see above, then give it with --yes', exitCodes.difference);
    if (plan.kind === 'accept-loss' && options.acceptLoss !== true)
      throw new CliFailure(
        'LOSS_NOT_ACCEPTED',
        'nothing was changed: something is lost for good. Restore the journal from a backup, or give it with --accept-loss',
        exitCodes.difference,
      );
    await journal.repair(examined);
    await output.note(
      'done: masters reign again by themselves. A process that goes on saying JOURNAL_SHORT has seen what is lost: restart it',
    );
  } finally {
    await journal.close();
  }
}

function describe(plan: Row): string {
  const witnesses = (plan['witnesses'] as readonly { who: string; seq: number; term: number }[]).map(
    ({ who, seq, term }) => `  ${who} has seen decision ${seq} of term ${term}`,
  );
  const holes = (plan['holes'] as readonly { fromOffset: number; toOffset: number }[]).map(
    ({ fromOffset, toOffset }) => `  would pass over: offsets ${fromOffset} to ${toOffset - 1} of the journal`,
  );
  const writes =
    plan['kind'] === 'rewrite' || plan['kind'] === 'pass-over'
      ? `would write: ${plan['rewritten']} entities of the compacted topics, and their checkpoints`
      : `would write: ${plan['claims']} claims, ${plan['decisions']} decisions that change ${plan['entities']} entities, ` +
        'and the compacted topics anew';
  return [
    `${plan['kind']}: ${plan['why']}`,
    `the journal ${holes.length > 0 ? 'can be followed to' : 'ends at'} decision ${plan['seq']} of term ${plan['term']}; ${plan['foreignRecords']} foreign records in it are passed over`,
    ...witnesses,
    ...holes,
    writes,
  ].join('\n');
}
