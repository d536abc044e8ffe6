import type { Linted } from '@levee/audit';
import { printable } from '@levee/codec';
import { isoTime } from '@levee/kernel';
import type { Command } from 'commander';
import { addAcknowledgeCommand } from './acknowledge-command';
import { byteSize, zonedTimeMs } from './arguments';
import type { ToolsOf } from './command-tools';
import { CliFailure, exitCodes } from './exit';
import { logWhere, type WhereOptions, withLog } from './log-where';
import { oneLine, type Row } from './output';

interface LintOptions extends WhereOptions {
  readonly since?: number;
  readonly rate?: number;
  readonly quiet?: true;
}

/** `levee lint <namespace>`: which records of its binlog are not what it reads, by producer, and what to set there. */
export function addLintCommand(program: Command, toolsOf: ToolsOf): void {
  const lint = withLog(program.command('lint'))
    .description(
      'read the binlog of a namespace and tell what producers write wrongly: keys in wrong partitions, values that ' +
        'cannot be read, records without keys, and which setting to change; exit code 3 when a record is lost or unreadable',
    )
    .argument('<namespace>')
    .option('--since <time>', 'records from that time on, such as 2026-03-01T12:00:00Z', zonedTimeMs)
    .option('--rate <size>', 'read at most so many bytes a second, such as 20MiB', byteSize)
    .option('--quiet', 'no progress on standard error')
    .action(async (name: string, options: LintOptions, command: Command) => {
      const { output, terminal } = toolsOf(command);
      const { openAuditDirectly }: typeof import('./direct-evidence') = require('./direct-evidence');
      const audit = await openAuditDirectly(logWhere(options, terminal), terminal, {
        rate: options.rate,
        tellsProgress: options.quiet !== true,
      });
      const found = await audit.lint({ name, sinceMs: options.since }).finally(() => audit.close());
      await output.value(lintRow(found), lintText(found, { isWhole: options.since === undefined }));
      const harmful = found.offenders
        .filter(({ harm, acknowledged }) => harm !== 'advice' && acknowledged === undefined)
        .reduce((sum, { count }) => sum + count, 0);
      const { lost, unreadable } = found.untold;
      const all = harmful + lost + unreadable + found.openTransactions.length;
      if (all > 0) throw new CliFailure('FINDINGS', `${all} findings: see above`, exitCodes.difference);
    });
  addAcknowledgeCommand(lint, toolsOf);
}

/** Of a longer key its beginning tells whose it is. */
const keyBytesShown = 64;

function shownKey(key: Buffer | null | undefined): string | null {
  if (key === null || key === undefined) return null;
  const head = key.subarray(0, keyBytesShown);
  const text = printable(head) ?? `hex ${head.toString('hex')}`;
  return key.length > keyBytesShown ? `${text}... (${key.length} bytes)` : text;
}

function lintRow({ offenders, ...found }: Linted): Row {
  return {
    ...found,
    offenders: offenders.map(({ oldestAtMs, newestAtMs, examples, ...of }) => ({
      ...of,
      oldest: oldestAtMs === undefined ? null : isoTime(oldestAtMs),
      newest: newestAtMs === undefined ? null : isoTime(newestAtMs),
      examples: examples.map(({ key, ...at }) => ({ ...at, key: shownKey(key) })),
    })),
  };
}

const consequence: Readonly<Record<keyof Linted['untold'], string>> = {
  lost: 'not applied: their keys look as if nothing was written',
  unreadable: 'applied, and their keys cannot be read',
  advice: 'read as they are',
  acknowledged: 'acknowledged: no finding any more',
};

function lintText(
  { namespace, topic, records, offenders, untold, openTransactions, read }: Linted,
  { isWhole }: { readonly isWhole: boolean },
): string {
  const lines = offenders.flatMap((of) => {
    const { reason, producerId, count, harm, acknowledged, oldestAtMs, newestAtMs, examples, setting } = of;
    const who = producerId < 0 ? 'a producer that the log does not name' : `producer ${producerId}`;
    const when =
      oldestAtMs === undefined || newestAtMs === undefined
        ? ''
        : `, from ${isoTime(oldestAtMs)} to ${isoTime(newestAtMs)}`;
    return [
      `${reason}: ${count} of ${who}${when}; ${consequence[harm]}`,
      ...(acknowledged === undefined
        ? []
        : [`  acknowledged by ${acknowledged.by} at ${acknowledged.at}: ${acknowledged.why}`]),
      ...examples.map(({ partition, offset, key, why }) => {
        const of = key === undefined || key === null ? '' : ` ${shownKey(key)}`;
        return `  ${partition}:${offset}${of}: ${why}`;
      }),
      `  set: ${setting}`,
    ];
  });
  const ends = openTransactions.flatMap(({ finding, command }) => [`open transaction: ${finding}`, `  ${command}`]);
  const more = (Object.keys(consequence) as (keyof Linted['untold'])[])
    .filter((harm) => untold[harm] > 0)
    .map((harm) => `and ${untold[harm]} more, of other producers or reasons; ${consequence[harm]}`);
  const isOpen = isWhole && offenders.some(({ harm, acknowledged }) => harm !== 'advice' && acknowledged === undefined);
  const ack = isOpen
    ? [`once all of this is dealt with: levee lint ack ${namespace} ${lastRead(read)} --why <text>`]
    : [];
  const nothing = lines.length + ends.length === 0 ? ['nothing is wrong with what was read'] : [];
  const looked = `${topic}: ${records} records in ${read.length} partitions`;
  return [...lines, ...more, ...ends, looked, ...nothing, ...ack].map(oneLine).join('\n');
}

/** What was read, in every partition, and not what was written since: a line may be long, but it hides nothing new. */
function lastRead(read: Linted['read']): string {
  const last = read.filter(({ to }) => to > 0).map(({ partition, to }) => `${partition}:${to - 1}`);
  return `--up-to ${last.join(',')}`;
}
