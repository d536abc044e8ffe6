import {
  accessTrail,
  type AuditWorld,
  dumpJournal,
  type ExplainedThen,
  explainThen,
  exportNamespace,
  historyOf,
  importNamespace,
  type Linted,
  lintNamespace,
  type KeyHistory,
  type LogWorld,
  readSignOff,
  type Rebuilt,
  rebuildNamespace,
  reportFromLog,
  type RoutesThen,
  routesThen,
  type Simulation,
  simulatePlans,
  type StateAt,
  stateAt,
  type Trail,
  type TrailQuery,
  type Verified,
  verifyLog,
  writeSignOff,
} from '@levee/audit';
import { controlTopics } from '@levee/journal';
import { ByteRate } from '@levee/kernel';
import { systemClock, systemTimers } from '@levee/log';
import { loadSettings } from '@levee/settings';
import { openLogDirectly } from './direct-log';
import type { LogWhere } from './log-where';
import { Progress } from './progress';
import { clockOfStopped } from './stopped-clock';
import type { Terminal } from './terminal';

type Question<Ask extends (world: never, question: never) => unknown> = Parameters<Ask>[1];

export interface Audit {
  stateAt(question: Question<typeof stateAt>): Promise<StateAt>;
  historyOf(question: Question<typeof historyOf>): Promise<KeyHistory>;
  /** `since`: the text of a signed-off point. */
  verify(options: {
    readonly since: string | undefined;
    readonly namespaces: readonly string[] | undefined;
  }): Promise<{ readonly found: Verified; readonly signOffText: string | undefined }>;
  access(query: TrailQuery): Promise<Trail>;
  routesThen(question: Question<typeof routesThen>): Promise<RoutesThen>;
  explainThen(question: Question<typeof explainThen>): Promise<ExplainedThen>;
  simulatePlans(question: Question<typeof simulatePlans>): Promise<Simulation>;
  dumpJournal(software: string): AsyncIterable<string>;
  reportFromLog(options: Question<typeof reportFromLog>): ReturnType<typeof reportFromLog>;
  lint(options: { readonly name: string; readonly sinceMs: number | undefined }): Promise<Linted>;
  rebuild(options: Parameters<typeof rebuildNamespace>[1]): Promise<Rebuilt>;
  exportNamespace(options: Parameters<typeof exportNamespace>[1]): ReturnType<typeof exportNamespace>;
  /** The one that writes. */
  importNamespace(options: Parameters<typeof importNamespace>[1]): ReturnType<typeof importNamespace>;
  close(): Promise<void>;
}

/** Asks the log itself, and only reads it, but for an import. */
export async function openAuditDirectly(
  where: LogWhere,
  terminal: Terminal,
  { rate, tellsProgress }: { readonly rate?: number | undefined; readonly tellsProgress: boolean },
): Promise<Audit> {
  const { LEVEE_TOPIC_PREFIX } = loadSettings(terminal.env, ['LEVEE_TOPIC_PREFIX']);
  const log = await openLogDirectly(where, terminal);
  const progress = new Progress(terminal, tellsProgress);
  const signal = terminal.interrupted;
  const shared = { log, topics: controlTopics(LEVEE_TOPIC_PREFIX), clock: systemClock, signal };
  const known = where.dataDir === undefined ? systemClock : await clockOfStopped(log, signal);
  const asked: LogWorld = { ...shared, clock: known, progress: (next, end) => progress.tell('read', next, end) };
  const walked: AuditWorld = {
    ...shared,
    ...(rate === undefined ? {} : { rate: new ByteRate(rate, systemClock, systemTimers) }),
    progress: (what, next, end) => progress.tell(what, next, end),
  };
  const worldFor = (atMs: number | undefined): AuditWorld =>
    atMs === undefined ? walked : { ...walked, clock: known };
  return {
    stateAt: (question) => stateAt(asked, question),
    historyOf: (question) => historyOf(asked, question),
    verify: async ({ since, namespaces }) => {
      const found = await verifyLog(walked, {
        since: since === undefined ? undefined : readSignOff(since),
        namespaces,
      });
      return { found, signOffText: found.signOff && writeSignOff(found.signOff) };
    },
    access: (query) => accessTrail(walked, query),
    routesThen: (question) => routesThen({ ...walked, clock: known }, question),
    explainThen: (question) => explainThen({ ...walked, clock: known }, question),
    simulatePlans: (question) => simulatePlans({ ...walked, clock: known }, question),
    dumpJournal: (software) => dumpJournal(walked, software),
    reportFromLog: (options) => reportFromLog({ ...walked, timers: systemTimers }, options),
    lint: (options) => lintNamespace(walked, { ...options, brokers: where.brokers ?? '' }),
    rebuild: (options) => rebuildNamespace(worldFor(options.atMs), options),
    exportNamespace: (options) => exportNamespace(worldFor(options.atMs), options),
    importNamespace: (options) => importNamespace(walked, options),
    close: () => log.close(),
  };
}
