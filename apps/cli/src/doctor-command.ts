import type { DoctorReport } from '@levee/audit';
import type { Command } from 'commander';
import { CliFailure, exitCodes } from './exit';
import { oneLine, type Output, type Row } from './output';
import type { ToolsOf } from './command-tools';
import type { Terminal } from './terminal';
import { failureCode, messageOf } from '@levee/kernel';
import { rowsOf } from './rows';

const noPortal = new Set(['UNREACHABLE', 'DEADLINE']);

/** `levee doctor`: every finding with its impact and the command to type. */
export function addDoctorCommand(program: Command, toolsOf: ToolsOf): void {
  program
    .command('doctor')
    .description('what is wrong, what follows from it, what to type; exit code 0 healthy, 1 cannot tell, 3 findings')
    .option('--brokers <list>', 'look at Kafka directly when no portal answers (default: KAFKA_BROKERS)')
    .action(async (options: { brokers?: string }, command: Command) => {
      const { output, portal, terminal } = toolsOf(command);
      let report: Row;
      try {
        report = (await portal.json({ path: '/v1/doctor' })) as Row;
      } catch (error) {
        if (!noPortal.has(failureCode(error) ?? '')) throw error;
        const unreachable = {
          what: 'the cluster, through a portal',
          why: messageOf(error),
          command: 'levee doctor --brokers host:port   # looks at Kafka itself; or start a portal, or set LEVEE_URL',
        };
        const brokers = options.brokers ?? (terminal.env['KAFKA_BROKERS'] || undefined);
        const direct = brokers === undefined ? undefined : await lookedAtDirectly(brokers, terminal);
        report = { ...emptyReport, ...direct, unknown: [unreachable, ...(direct?.unknown ?? [])] };
      }
      const findings = rowsOf(report, 'findings');
      const unknown = rowsOf(report, 'unknown');
      if (output.format === 'text') await print(output, report, { findings, unknown });
      else await output.value(report);
      if (findings.length > 0)
        throw new CliFailure('FINDINGS', `${count(findings.length, 'finding')}, see above`, exitCodes.difference);
      if (unknown.length > 0) throw new CliFailure('CANNOT_TELL', 'not everything could be looked at, see above');
    });
}

/** Loaded only now: Nest and kafkajs, which come with it, cost more than all other commands together. */
function lookedAtDirectly(brokers: string, terminal: Terminal): Promise<DoctorReport> {
  const { examineLogDirectly }: typeof import('./direct-doctor') = require('./direct-doctor');
  return examineLogDirectly(brokers, terminal);
}

const emptyReport = { findings: [], looked: { topics: 0, nodes: 0, replicas: 0 } };

async function print(
  output: Output,
  report: Row,
  { findings, unknown }: { readonly findings: readonly Row[]; readonly unknown: readonly Row[] },
): Promise<void> {
  const line = (of: Row, field: string): string => oneLine(String(of[field] ?? ''));
  for (const each of findings)
    await output.raw(
      `${line(each, 'rule')}  ${line(each, 'finding')}\n  impact:  ${line(each, 'impact')}\n  command: ${line(each, 'command')}\n`,
    );
  for (const each of unknown)
    await output.raw(`cannot tell  ${line(each, 'what')}: ${line(each, 'why')}\n  command: ${line(each, 'command')}\n`);
  for (const each of rowsOf({ weak: report['weak'] ?? [] }, 'weak'))
    await output.raw(
      `weak  ${line(each, 'rule')}  ${line(each, 'finding')}\n  impact:  ${line(each, 'impact')}\n  command: ${line(each, 'command')}\n`,
    );
  for (const each of rowsOf({ acknowledged: report['acknowledged'] ?? [] }, 'acknowledged'))
    await output.raw(
      `acknowledged  ${line(each, 'count')} records of ${line(each, 'namespace')} as ${line(each, 'reason')}, by ` +
        `${line(each, 'by')} at ${line(each, 'at')}: ${line(each, 'why')}\n`,
    );
  const { topics = 0, nodes = 0, replicas = 0 } = (report['looked'] ?? {}) as Record<string, number>;
  const verdict =
    findings.length > 0 ? count(findings.length, 'finding') : unknown.length > 0 ? 'cannot tell' : 'healthy';
  await output.raw(
    `${verdict}: looked at ${count(topics, 'topic')}, ${count(nodes, 'node')}, ${count(replicas, 'replica')}\n`,
  );
}

const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`;
