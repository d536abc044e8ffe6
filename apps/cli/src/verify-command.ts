import type { Verified } from '@levee/audit';
import { messageOf } from '@levee/kernel';
import type { Command } from 'commander';
import { readFileSync, writeFileSync } from 'node:fs';
import { byteSize } from './arguments';
import type { ToolsOf } from './command-tools';
import { CliFailure, exitCodes, usageFailure } from './exit';
import { logWhere, type WhereOptions, withLog } from './log-where';
import { oneLine } from './output';

interface VerifyOptions extends WhereOptions {
  readonly since?: string;
  readonly signOff?: string;
  readonly namespace?: readonly string[];
  readonly rate?: number;
  readonly quiet?: true;
}

/** `levee audit verify`: is the log what masters and portals can have written? */
export function addVerifyCommand(audit: Command, toolsOf: ToolsOf): void {
  withLog(audit.command('verify'))
    .description(
      'fold the journal, hold the compacted topics against it, walk through the binlogs; exit code 3 when something is wrong',
    )
    .option('--since <file>', 'only what came after the point that this file signs off')
    .option('--sign-off <file>', 'when nothing is wrong, write the point that --since can begin at')
    .option('--namespace <name...>', 'the binlogs of these namespaces only')
    .option('--rate <size>', 'read at most so many bytes a second, such as 20MiB', byteSize)
    .option('--quiet', 'no progress on standard error')
    .action(async (options: VerifyOptions, command: Command) => {
      const { output, terminal } = toolsOf(command);
      const since = options.since === undefined ? undefined : fileText(options.since);
      const { openAuditDirectly }: typeof import('./direct-evidence') = require('./direct-evidence');
      const audit = await openAuditDirectly(logWhere(options, terminal), terminal, {
        rate: options.rate,
        tellsProgress: options.quiet !== true,
      });
      const verified = await audit
        .verify({
          since,
          namespaces: options.namespace,
        })
        .finally(() => audit.close());
      const { signOff, ...row } = verified.found;
      await output.value(row, verifiedText(verified.found));
      if (signOff === undefined)
        throw new CliFailure(
          'FINDINGS',
          `${row.findings.length + row.untold} findings: see above`,
          exitCodes.difference,
        );
      if (options.signOff !== undefined) writeFileSync(options.signOff, verified.signOffText ?? '');
    });
}

function fileText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw usageFailure(`--since: ${messageOf(error)}`);
  }
}

function verifiedText({ findings, untold, journal, projections, binlogs, unverified }: Verified): string {
  const lines = [
    ...findings.map(({ topic, partition, offset, seq, what, rule }) => {
      const where = offset === undefined ? topic : `${topic} ${partition}:${offset}`;
      return `${rule.padEnd(10)} ${where}${seq === undefined ? '' : ` (decision ${seq})`}: ${what}`;
    }),
    ...(untold > 0 ? [`and ${untold} more`] : []),
    `journal: decision ${journal.seq} of term ${journal.term}, digest ${journal.digest}; ` +
      `${journal.decisions} decisions, ${journal.claims} claims, ${journal.voids} void, offsets ${journal.from} to ${journal.to}`,
    ...projections.map(
      ({ topic, entities, checkpointSeq }) =>
        `${topic}: ${entities} entities, complete up to decision ${checkpointSeq}`,
    ),
    ...binlogs.map(({ topic, records, to }) => `${topic}: ${records} records in ${to.length} partitions`),
    ...unverified.map((each) => `not verified: ${each}`),
    findings.length === 0 ? 'nothing is wrong with what was read' : `${findings.length + untold} findings`,
  ];
  return lines.map(oneLine).join('\n');
}
