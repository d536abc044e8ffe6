import type { CauseLink, ExplainedThen, PastAnswer, RoutesThen } from '@levee/audit';
import type { Command } from 'commander';
import { byteSize, durationMs, type MomentArgument, momentArgument } from './arguments';
import type { Tools } from './command-tools';
import type { Audit } from './direct-evidence';
import { CliFailure, exitCodes, usageFailure } from './exit';
import { factsInWords } from './facts-in-words';
import { type LogWhere, logWhere } from './log-where';
import { oneLine, type Row } from './output';
import { cut } from './plan-report';
import { replicasByRole } from './replicas-by-role';

export interface PastOptions {
  readonly at?: MomentArgument;
  readonly brokers?: string;
  readonly dataDir?: string;
  readonly clockMargin?: number;
  readonly rate?: number;
  readonly quiet?: true;
}

/** Options of what can be asked about the past: through a portal, or of a log that is opened here. */
export const withPast = (command: Command): Command =>
  command
    .option('--at <time|decision>', 'how it was then, from the journal alone; now: as the journal ends', momentArgument)
    .option('--brokers <list>', 'with --at: read Kafka itself, host:port separated by commas, not through a portal')
    .option('--data-dir <folder>', 'with --at: read the embedded log in this folder, whose process must be stopped')
    .option('--clock-margin <duration>', 'with --brokers: by how much clocks may differ (default 5m)', durationMs)
    .option('--rate <size>', 'with --brokers, --data-dir: read at most so many bytes a second', byteSize)
    .option('--quiet', 'no progress on standard error');

/** Asked with `--at`; options that only go with it are refused without. */
export function isAboutPast(options: PastOptions): boolean {
  if (options.at !== undefined) return true;
  const alone = ['brokers', 'dataDir', 'clockMargin', 'rate'].find((name) => options[name as 'rate'] !== undefined);
  if (alone !== undefined)
    throw usageFailure('--brokers, --data-dir, --clock-margin and --rate go with --at: how it is now a portal tells');
  return false;
}

export async function routesThen(tools: Tools, namespace: string, options: PastOptions): Promise<void> {
  const then = (await ask(tools, options, {
    direct: (audit, question) => audit.routesThen({ namespace, ...question }),
    path: `/v1/past/routes/${encodeURIComponent(namespace)}`,
  })) as RoutesThen;
  const { output } = tools;
  if (output.format !== 'text') await output.value(then);
  else {
    await output.raw(`${headLines(then).map(oneLine).join('\n')}\n`);
    const rows = (then.routes?.routes ?? []).map((route) => ({ ...route, ...replicasByRole(route as unknown as Row) }));
    if (then.routes !== null)
      await output.table(rows, [
        'chunkId',
        'slotStart',
        'slotEnd',
        'version',
        'primary',
        'followers',
        'retired',
        'dead',
      ]);
    await output.raw(restsOn(then));
  }
  insistOnProof(then);
}

export async function explainThen(tools: Tools, subject: string, options: PastOptions): Promise<void> {
  const then = (await ask(tools, options, {
    direct: (audit, question) => audit.explainThen({ subject, ...question }),
    path: '/v1/past/explain',
    query: { subject },
  })) as ExplainedThen;
  const lines = [
    ...headLines(then),
    ...(then.was === null ? [] : [`${subject}: ${then.was}`]),
    ...then.chain.map(line),
  ];
  await tools.output.value(then, `${lines.map(oneLine).join('\n')}\n${restsOn(then)}`.trimEnd());
  insistOnProof(then);
}

type Question = Pick<Parameters<Audit['routesThen']>[0], 'moment' | 'clockMarginMs'>;

async function ask(
  { terminal, portal }: Tools,
  { at: moment = { newest: true }, brokers, dataDir, clockMargin, rate, quiet }: PastOptions,
  to: {
    readonly direct: (audit: Audit, question: Question) => Promise<unknown>;
    readonly path: string;
    readonly query?: Readonly<Record<string, string>>;
  },
): Promise<unknown> {
  if (brokers === undefined && dataDir === undefined) {
    const query = 'seq' in moment ? { decision: moment.seq } : 'timeMs' in moment ? { timeMs: moment.timeMs } : {};
    return portal.json({ path: to.path, query: { ...to.query, ...query } });
  }
  const where: LogWhere = logWhere({ ...(brokers && { brokers }), ...(dataDir && { dataDir }) }, terminal);
  const { openAuditDirectly }: typeof import('./direct-evidence') = require('./direct-evidence');
  const audit = await openAuditDirectly(where, terminal, { rate, tellsProgress: quiet !== true });
  return to.direct(audit, { moment, clockMarginMs: clockMargin }).finally(() => audit.close());
}

function headLines({ verdict, reason, message, decision, until }: PastAnswer): string[] {
  if (decision === null)
    return [verdict === 'proved' ? 'proved: nothing was decided yet' : `not provable (${reason}: ${message})`];
  return [
    verdict === 'proved' ? 'proved' : `not provable (${reason}: ${message})`,
    `as of decision ${decision.seq} of term ${decision.term}, at offset ${decision.offset} of the journal, ${decision.at}`,
    until === null ? 'until now: no decision follows' : `until decision ${until.seq}, ${until.at}`,
  ];
}

const restsOn = ({ preconditions }: PastAnswer): string =>
  preconditions.map(({ name, state, what }) => `${state.padEnd(7)} ${name}: ${oneLine(what)}\n`).join('');

/** Facts are what was asked for: they are shown longer than the evidence of a plan's steps. */
const factsLengthMax = 600;

function line({ link, seq, what, facts }: CauseLink): string {
  const told = factsInWords(facts);
  return `${link.padEnd(9)} ${String(seq).padStart(5)}  ${what}${told === '' ? '' : `: ${cut(told, factsLengthMax)}`}`;
}

function insistOnProof({ verdict, message }: PastAnswer): void {
  if (verdict !== 'proved') throw new CliFailure('NOT_PROVABLE', message ?? '', exitCodes.difference);
}
