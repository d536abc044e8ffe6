import { readFileSync } from 'node:fs';
import type { Simulation } from '@levee/audit';
import { type HealingPolicy, healingPolicy, healingPolicyOf } from '@levee/cluster';
import { failureCode, messageOf } from '@levee/kernel';
import type { Command } from 'commander';
import { byteSize, durationMs, zonedTimeMs } from './arguments';
import type { ToolsOf } from './command-tools';
import { CliFailure, exitCodes, usageFailure } from './exit';
import { logWhere, type WhereOptions, withLog } from './log-where';
import { oneLine } from './output';

interface SimulateOptions extends WhereOptions {
  readonly from: number;
  readonly to: number;
  readonly policy?: string;
  readonly clockMargin?: number;
  readonly rate?: number;
  readonly quiet?: true;
}

/** `levee plan simulate`: the dispatcher's rules over recorded history, beside what was decided. */
export function addSimulateCommand(plan: Command, toolsOf: ToolsOf): void {
  withLog(plan.command('simulate'))
    .description(
      'what the dispatcher’s rules would have proposed in a time that the journal holds, beside what was proposed; ' +
        'exit code 3 when something differs, 1 when nothing could be judged again',
    )
    .requiredOption('--from <time>', 'such as 2026-03-01T12:00:00Z', zonedTimeMs)
    .requiredOption('--to <time>', 'such as 2026-03-01T13:00:00Z', zonedTimeMs)
    .option('--policy <file>', 'other figures for the rules, as JSON: {"hotChunkPerSecond": 20000, "settleMs": 120000}')
    .option('--clock-margin <duration>', 'by how much clocks of brokers may differ (default 5m)', durationMs)
    .option('--rate <size>', 'read at most so many bytes a second, such as 20MiB', byteSize)
    .option('--quiet', 'no progress on standard error')
    .action(async (options: SimulateOptions, command: Command) => {
      const { output, terminal } = toolsOf(command);
      const { from: fromMs, to: toMs, clockMargin: clockMarginMs, rate } = options;
      if (toMs <= fromMs) throw usageFailure('--to must be later than --from');
      const policy = options.policy === undefined ? healingPolicy() : policyIn(options.policy);
      const isOther = options.policy !== undefined;
      const { openAuditDirectly }: typeof import('./direct-evidence') = require('./direct-evidence');
      const audit = await openAuditDirectly(logWhere(options, terminal), terminal, {
        rate,
        tellsProgress: options.quiet !== true,
      });
      const found = await audit
        .simulatePlans({ fromMs, toMs, policy, isOther, clockMarginMs })
        .catch((error: unknown) => {
          if (failureCode(error) !== 'NOT_PROVABLE') throw error;
          throw new CliFailure('NOT_PROVABLE', messageOf(error), exitCodes.difference);
        })
        .finally(() => audit.close());
      await output.value(found, simulationText(found));
      if (found.differs)
        throw new CliFailure('DIFFERENT', 'not all came out as it was recorded: see above', exitCodes.difference);
      if (isAllUnknown(found)) throw new CliFailure('CANNOT_TELL', 'nothing could be judged again, see above');
    });
}

function policyIn(file: string): HealingPolicy {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw usageFailure(`--policy: ${messageOf(error)}`);
  }
  const policy = policyOf(value);
  if ('problem' in policy) throw usageFailure(`--policy ${file}: ${policy.problem}`);
  return policy;
}

/** Rules that would go back and forth are no policy either. */
function policyOf(value: unknown): ReturnType<typeof healingPolicyOf> {
  try {
    return healingPolicyOf(value);
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

const unknownIn = ({ rejudged }: Simulation): number => rejudged.filter(({ verdict }) => verdict === 'unknown').length;

const isAllUnknown = (of: Simulation): boolean => of.rejudged.length > 0 && unknownIn(of) === of.rejudged.length;

const proposals = (count: number): string => `${count} proposal${count === 1 ? '' : 's'}`;

function outcome(of: Simulation): string {
  const unknown = unknownIn(of);
  const besides = unknown === 0 ? '' : `; ${proposals(unknown)} could not be judged again`;
  if (of.differs) return `not all came out as it was recorded${besides}`;
  if (isAllUnknown(of)) return `nothing could be judged again: ${proposals(unknown)}`;
  return `nothing came out otherwise than it was recorded${besides}`;
}

function simulationText(of: Simulation): string {
  const { from, to, rounds, roundMs, policyVersion, decisions, rejudged, unrecorded, notKnown } = of;
  const lines = [
    `${from} to ${to}: ${decisions} decisions, ${rejudged.length} of them proposals of dispatchers`,
    `judged again by policy version ${policyVersion} in ${rounds} rounds, ${roundMs} ms apart`,
    ...rejudged.map(({ verdict, seq, at, recorded, rejection, why, loads }) => {
      const refused = rejection === null ? '' : ` (refused: ${rejection})`;
      return `${verdict.padEnd(8)} decision ${seq}  ${at}  ${recorded}${refused}${why === '' ? '' : `: ${why}`}  [${loads}]`;
    }),
    ...unrecorded.map(
      ({ at, behind, what, rounds: count }) => `besides  behind decision ${behind}  ${at}  ${what} (${count} rounds)`,
    ),
    ...notKnown.map((each) => `not known: ${each}`),
    outcome(of),
  ];
  return lines.map(oneLine).join('\n');
}
