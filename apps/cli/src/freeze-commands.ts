import type { Command } from 'commander';
import { pause } from '@levee/kernel';
import { systemClock, systemTimers } from '@levee/log';
import { durationMs } from './arguments';
import type { Tools, ToolsOf } from './command-tools';
import { CliFailure } from './exit';
import { oneLine, type Row } from './output';
import { jsonBody } from './portal-client';
import { rowsOf } from './rows';

interface WaitOptions {
  readonly wait?: boolean;
  readonly within: number;
}

const lookMs = 250;
const within = ['--within <duration>', 'with --wait: how long at most', durationMs, 60_000] as const;

/** `levee namespace freeze` and `thaw`. */
export function addFreezeCommands(namespace: Command, toolsOf: ToolsOf): void {
  namespace
    .command('freeze <name>')
    .description('freeze the writes of a namespace: every portal refuses them until the thaw; reads go on')
    .requiredOption('--reason <text>', 'why, for whoever is refused')
    .option('--wait', 'until it is certain that nothing of any portal can come to its log any more')
    .option(...within)
    .option('--ended <portal...>', 'portals (or runs of them) that you know to have ended: do not wait for their word')
    .action(
      async (name: string, options: WaitOptions & { reason: string; ended?: readonly string[] }, command: Command) => {
        const { reason, ended } = options;
        const body = jsonBody({ reason, ...(ended && { ended }) });
        await ask(toolsOf(command), { name, method: 'POST', body, options });
      },
    );

  namespace
    .command('thaw <name>')
    .description('end a freeze: portals take writes again')
    .option(
      '--owner <name>',
      'of a freeze that an operation asked for: the operation, once it is certain that it is over',
    )
    .option('--wait', 'until every portal has heard of it')
    .option(...within)
    .action(async (name: string, options: WaitOptions & { owner?: string }, command: Command) => {
      await ask(toolsOf(command), { name, method: 'DELETE', query: { owner: options.owner }, options });
    });
}

interface Asked {
  readonly name: string;
  readonly method: 'POST' | 'DELETE';
  readonly body?: Partial<ReturnType<typeof jsonBody>>;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly options: WaitOptions;
}

async function ask(tools: Tools, { name, method, body = {}, query = {}, options }: Asked): Promise<void> {
  const { output, portal, terminal } = tools;
  const path = `/v1/namespaces/${encodeURIComponent(name)}/freeze`;
  const endAtMs = systemClock.monotonicMs() + options.within;
  let report = (await portal.json({ method, path, query, ...body })) as Row;
  if (options.wait === true) {
    let told = '';
    while (!isOver(report)) {
      const words = inWords(report);
      if (output.format === 'text' && words !== told) terminal.stderr.write(`${(told = words)}\n`);
      if (terminal.interrupted.aborted) throw unfinished(report, 'you stopped waiting');
      if (systemClock.monotonicMs() >= endAtMs) throw unfinished(report, `--within of ${options.within} ms is over`);
      await pause(systemTimers, lookMs);
      report = (await portal.json({ path })) as Row;
      if (method === 'POST' && report['frozenBy'] === null)
        throw new CliFailure('NAMESPACE_NOT_FROZEN', `somebody has thawed ${name} meanwhile`);
    }
  }
  if (output.format === 'text') await output.raw(`${inWords(report)}\n`);
  else await output.value(report);
}

const isOver = (report: Row): boolean =>
  report['frozenBy'] === null ? rowsOf(report, 'waiting').length === 0 : report['confirmed'] === true;

function unfinished(report: Row, why: string): CliFailure {
  const { name, frozenBy } = report;
  const more =
    frozenBy === null
      ? `${String(name)} is thawed`
      : `${String(name)} stays frozen: repeat it to wait on, or levee namespace thaw ${String(name)}`;
  return new CliFailure('FREEZE_NOT_CONFIRMED', `${why}. ${inWords(report)}. ${more}`);
}

function inWords(report: Row): string {
  const { name, frozenBy, frozenReason, frozenAt, confirmed } = report;
  const waiting = rowsOf(report, 'waiting').map(
    (row) =>
      `${String(row['process'])} at ${String(row['address'])} (${String(row['incarnation'])}): ${String(row['why'])}`,
  );
  const shown = waiting.slice(0, 8).map(oneLine).join('; ');
  const rest = waiting.length > 8 ? `; and ${waiting.length - 8} more` : '';
  if (frozenBy === null)
    return waiting.length === 0
      ? `${String(name)} takes writes`
      : `${String(name)} is thawed; not heard by ${shown}${rest}`;
  const who = `writes to ${String(name)} are frozen by ${String(frozenBy)} since ${String(frozenAt)} (${String(frozenReason)})`;
  if (confirmed === true) return `${who}: confirmed, nothing of any portal can come to its log`;
  const helps = 'let a silent portal go on, or end its process and say so: --ended <portal>';
  return waiting.length === 0 ? `${who}: not confirmed yet` : `${who}: not confirmed yet by ${shown}${rest} (${helps})`;
}
