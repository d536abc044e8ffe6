import { existsSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { AuditReport, DoctorReport, Looked } from '@levee/audit';
import { failureCode, isoTime, messageOf } from '@levee/kernel';
import { systemClock } from '@levee/log';
import type { Command } from 'commander';
import { byteSize, positiveNumber } from './arguments';
import type { Tools, ToolsOf } from './command-tools';
import { CliFailure, exitCodes, usageFailure } from './exit';
import { type LogWhere, logWhere, type WhereOptions, withLog } from './log-where';
import { oneLine } from './output';
import { portalDoctor } from './portal-doctor';
import { softwareVersion } from './software-version';

interface ReportOptions extends WhereOptions {
  readonly namespace?: readonly string[];
  readonly accessLimit: number;
  readonly rate?: number;
  readonly quiet?: true;
}

/** `levee audit report`: all that the audit can say, in two files to lay before somebody. */
export function addReportCommand(audit: Command, toolsOf: ToolsOf): void {
  withLog(audit.command('report <name>'))
    .description(
      'verify the log, gather what proofs, the doctor and the access trail say, and write <name>.json and <name>.html, with ' +
        'what was not checked; exit code 0 nothing found, 1 not everything could be checked, 3 findings',
    )
    .option('--namespace <name...>', 'the binlogs of these namespaces only')
    .option('--access-limit <count>', 'newest commands of the access trail', positiveNumber, 1000)
    .option('--rate <size>', 'read at most so many bytes a second, such as 20MiB', byteSize)
    .option('--quiet', 'no progress on standard error')
    .action(async (name: string, options: ReportOptions, command: Command) => {
      const tools = toolsOf(command);
      const { output, terminal } = tools;
      const files = { json: `${name}.json`, html: `${name}.html` };
      for (const file of Object.values(files))
        if (existsSync(file)) throw usageFailure(`${file} is there already: give another name`);
      // Said now, and not after hours of reading.
      if (!existsSync(dirname(name))) throw usageFailure(`there is no folder ${dirname(name)} for ${files.html}`);
      const where = logWhere(options, terminal);
      const { openAuditDirectly }: typeof import('./direct-evidence') = require('./direct-evidence');
      const { rate, namespace: namespaces, accessLimit } = options;
      const audit = await openAuditDirectly(where, terminal, { rate, tellsProgress: options.quiet !== true });
      const { clusterId, ...parts } = await audit
        .reportFromLog({ namespaces, accessLimit })
        .finally(() => audit.close());
      const doctor = await examined(tools, where, clusterId);
      const { auditReport, reportPage }: typeof import('./audit-lib') = require('./audit-lib');
      const log =
        where.dataDir === undefined ? `Kafka at ${where.brokers ?? ''}` : `the embedded log in ${where.dataDir}`;
      const head = { madeAt: isoTime(systemClock.nowMs()), software: softwareVersion(), log };
      const report = auditReport(head, { ...parts, doctor });
      writeFileSync(files.json, `${JSON.stringify(report, null, 2)}\n`, { flag: 'wx' });
      writeFileSync(files.html, reportPage(report), { flag: 'wx' });
      if (output.format === 'text') await output.raw(summary(report, files.html));
      else await output.value(report);
      insistOnNothing(report);
    });
}

/** What the doctor says of the cluster that runs on that log. Of a folder that no process has open nothing runs. */
async function examined(
  { portal, terminal }: Tools,
  { brokers, dataDir }: LogWhere,
  clusterId: string | undefined,
): Promise<Looked<DoctorReport>> {
  if (dataDir !== undefined) return { left: 'nothing runs on a log whose process is stopped' };
  try {
    return await portalDoctor(portal, clusterId);
  } catch (error) {
    const code = failureCode(error);
    if (code !== 'UNREACHABLE' && code !== 'DEADLINE') return { failed: messageOf(error) };
  }
  const { examineLogDirectly }: typeof import('./direct-doctor') = require('./direct-doctor');
  try {
    return { found: await examineLogDirectly(brokers ?? '', terminal) };
  } catch (error) {
    return { failed: messageOf(error) };
  }
}

function summary({ verdict, coverage, findings, untold }: AuditReport, page: string): string {
  const lines = [
    ...coverage.map(({ part, state, what }) => `${state.padEnd(20)} ${part}: ${what}`),
    ...findings.map(({ part, where, what }) => `finding              ${part}, ${where}: ${what}`),
    ...(untold > 0 ? [`and ${untold} more findings`] : []),
    `${verdict}; ${page} is the page, and the JSON beside it holds the same`,
  ];
  return `${lines.map(oneLine).join('\n')}\n`;
}

function insistOnNothing({ verdict, findings, untold }: AuditReport): void {
  if (verdict === 'findings')
    throw new CliFailure('FINDINGS', `${findings.length + untold} findings, see above`, exitCodes.difference);
  if (verdict !== 'nothing was found')
    throw new CliFailure('CANNOT_TELL', 'not everything could be checked, see above');
}
