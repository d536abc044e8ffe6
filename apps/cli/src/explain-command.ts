import { isoTime } from '@levee/kernel';
import type { Command } from 'commander';
import { usageFailure } from './exit';
import type { Row } from './output';
import { cut } from './plan-report';
import type { ToolsOf } from './command-tools';
import { factsInWords } from './facts-in-words';
import { explainThen, isAboutPast, type PastOptions, withPast } from './past-commands';

/** Reasons are what was asked for: they are shown longer than the evidence of a plan's steps. */
const reasonLengthMax = 600;

/** `levee explain`: why something is where it is, or why nothing moves, from what was recorded. */
export function addExplainCommand(program: Command, toolsOf: ToolsOf): void {
  withPast(program.command('explain <subject>'))
    .description(
      'why a chunk, plan or node is as it is: the decisions and evidence behind it, and why nothing more is done; with --at ' +
        'why it was so then, down to who asked for it, exit code 3 when that is not provable',
    )
    .action(async (subject: string, options: PastOptions, command: Command) => {
      if (subject === '') throw usageFailure('name a chunk (default#1/c00001), a plan (p42) or a node (n1)');
      if (isAboutPast(options)) return explainThen(toolsOf(command), subject, options);
      const { output, portal } = toolsOf(command);
      const answer = (await portal.json({ path: '/v1/explain', query: { subject } })) as Row;
      await output.value(answer, linesOf(answer).join('\n'));
    });
}

function linesOf(answer: Row): string[] {
  const chain = Array.isArray(answer['chain']) ? (answer['chain'] as Row[]) : [];
  const reasons = Array.isArray(answer['reasons']) ? (answer['reasons'] as Row[]) : [];
  const line = ({ atMs, seq, what, evidence }: Row): string => {
    const when = typeof atMs === 'number' ? isoTime(atMs) : '-';
    const shown =
      evidence === undefined || evidence === '' || evidence === null
        ? ''
        : `  ${cut(factsText(String(evidence)), reasonLengthMax)}`;
    return `  ${when}${typeof seq === 'number' ? `  decision ${seq}` : ''}  ${String(what)}${shown}`;
  };
  return [
    `${String(answer['subject'])}: ${String(answer['now'])}`,
    ...(chain.length > 0 ? ['how it came to be:', ...chain.map(line)] : []),
    ...(reasons.length > 0 ? ['what the dispatcher thinks of it:', ...reasons.map(line)] : []),
    ...(typeof answer['dispatcher'] === 'string'
      ? [`what the dispatcher thinks of it is not known: ${answer['dispatcher']}`]
      : []),
  ];
}

/** Evidence that is JSON as people read it; other text as it is. */
function factsText(evidence: string): string {
  const begin = evidence.indexOf('{');
  if (begin < 0) return evidence;
  try {
    return `${evidence.slice(0, begin)}${factsInWords(JSON.parse(evidence.slice(begin)) as Row)}`.trimEnd();
  } catch {
    return evidence;
  }
}
