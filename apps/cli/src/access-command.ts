import type { Access } from '@levee/audit';
import { isoTime } from '@levee/kernel';
import type { Command } from 'commander';
import { positiveNumber, zonedTimeMs } from './arguments';
import type { ToolsOf } from './command-tools';
import { CliFailure, exitCodes } from './exit';
import { logWhere, type WhereOptions, withLog } from './log-where';
import type { Row } from './output';

interface AccessOptions extends WhereOptions {
  readonly since?: number;
  readonly principal?: string;
  readonly all?: true;
  readonly limit: number;
  readonly quiet?: true;
}

/** `levee audit access`: who read the evidence, deleted something, or changed who may do what. */
export function addAccessCommand(audit: Command, toolsOf: ToolsOf): void {
  withLog(audit.command('access'))
    .description(
      'who asked for evidence, deleted a namespace, or changed users and rights, as the journal has it; exit code 3 when ' +
        'part of the journal cannot be read',
    )
    .option('--since <time>', 'from that time on, such as 2026-03-01T12:00:00Z', zonedTimeMs)
    .option('--principal <name>', 'of this user')
    .option('--all', 'every command, of processes too')
    .option('--limit <count>', 'newest ones', positiveNumber, 1000)
    .option('--quiet', 'no progress on standard error')
    .action(async (options: AccessOptions, command: Command) => {
      const { output, terminal } = toolsOf(command);
      const { openAuditDirectly }: typeof import('./direct-evidence') = require('./direct-evidence');
      const evidence = await openAuditDirectly(logWhere(options, terminal), terminal, {
        tellsProgress: options.quiet !== true,
      });
      const { since: sinceMs, principal, all, limit } = options;
      const { accesses, leftOut, findings } = await evidence
        .access({ sinceMs, principal, all, limit })
        .finally(() => evidence.close());
      const rows = accesses.map(accessRow);
      if (output.format !== 'text') await output.value(rows);
      else await output.table(rows, ['at', 'seq', 'principal', 'kind', 'what', 'refused']);
      if (leftOut > 0) await output.note(`${leftOut} older ones are not shown: --limit, or --since`);
      const [finding] = findings;
      if (finding !== undefined)
        throw new CliFailure(
          'FINDINGS',
          `the journal is not whole, so something may be missing: at offset ${finding.offset}, ${finding.what}. ` +
            'levee audit verify says more',
          exitCodes.difference,
        );
    });
}

function accessRow({ seq, offset, submittedAtMs, decidedAtMs, principal, kind, payload, refused }: Access): Row {
  return {
    at: isoTime(submittedAtMs),
    seq,
    offset,
    principal,
    kind,
    what: whatOf(payload),
    refused: refused ?? '-',
    decidedAt: isoTime(decidedAtMs),
  };
}

/** The fields of a command for people; hashes of secrets say nothing to them. */
function whatOf(payload: string): string {
  let fields: unknown;
  try {
    fields = JSON.parse(payload);
  } catch {
    // Refused as such; whoever tried is in the trail all the same.
    return payload.slice(0, 200);
  }
  // Whom the master heard is its own note, and nothing that was asked for.
  const { heard: _heard, ...asked } = Object(fields) as Row;
  if (typeof asked['what'] === 'string' && Object.keys(asked).length === 1) return asked['what'];
  return JSON.stringify(asked, (key, value: unknown) => (key === 'passwordHash' || key === 'sha256' ? '…' : value));
}
