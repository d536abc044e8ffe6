import { join } from 'node:path';
import { HttpClient } from '../history/http-client';
import { judge, reasonsOf, type Judgement } from '../history/judgement';
import type { Consistency, KeyClient } from '../history/key-client';
import { RespClient } from '../history/resp-client';
import { Workload } from '../history/workload';
import { eventually } from './deadline';
import type { RunningCluster } from './one-process';
import { full, seed } from './seed';

const respClients = 6;
const httpClients = 2;
const readers = 2;
/** Some of twelve clients are always asking; in a quick run they leave the processor to what a fault needs. */
const pauseMs = full ? 4 : 100;
const operationsAround = full ? 200 : 60;

export interface LoadOptions {
  readonly consistency: Consistency;
  readonly random: () => number;
  /** For writes over HTTP; the namespace's default otherwise. */
  readonly ack?: 'logged' | 'primary' | 'all';
}

export interface MasterStatus {
  readonly role: string;
  readonly term: number;
  readonly seq: number;
}

/** Where clients work. */
export interface LoadedDoors {
  readonly respPorts: readonly number[];
  readonly doors: { readonly portals: ReadonlyArray<{ readonly http: string }> };
}

let runs = 0;

/**
 * Redis clients that begin at different portals and HTTP clients that change the portal with every request work while
 * `faults` runs, and a while before and after. Fails when what they saw contradicts what they were promised.
 */
export async function underLoad(
  cluster: LoadedDoors,
  { consistency, random, ack }: LoadOptions,
  faults: () => Promise<void>,
): Promise<Judgement> {
  const ports = cluster.respPorts;
  const urls = cluster.doors.portals.map((portal) => portal.http);
  const clients: KeyClient[] = [];
  for (let i = 0; i < respClients; i++) clients.push(new RespClient(`resp${i}`, { ports, consistency, first: i }));
  for (let i = 0; i < httpClients; i++)
    clients.push(new HttpClient(`http${i}`, { urls, consistency, first: i, ...(ack === undefined ? {} : { ack }) }));
  const run = runs++;
  const workload = new Workload({
    clients,
    readers: Array.from({ length: readers }, (_, i) => new RespClient(`reader${i}`, { ports, consistency, first: i })),
    auditor: new HttpClient('auditor', { urls, consistency: 'strong' }),
    consistency,
    random,
    keyPrefix: `run${process.pid}-${run}:`,
    keys: 8,
    pauseMs,
    oneWriterPerKey: consistency === 'session',
  });
  workload.start();
  let failure: unknown;
  try {
    await workload.reach(operationsAround, 60_000);
    await faults();
    await workload.reach(workload.recorder.size + operationsAround, 60_000);
  } catch (error) {
    failure = error;
  }
  const judgement = judge(await workload.stop());
  if (judgement.faults.length > 0 && process.env.LEVEE_TEST_SCRATCH)
    workload.recorder.writeTo(join(process.env.LEVEE_TEST_SCRATCH, `history-${process.pid}-${run}.ndjson`));
  expect({ seed, faults: judgement.faults }).toEqual({ seed, faults: [] });
  if (failure !== undefined) throw failure;
  return judgement;
}

const repetitionsPerHistory = 10;

/**
 * Many repetitions as several histories, so that none grows beyond what a test can hold. `block` is told how many it
 * repeats and how many came before. Counts add up; of the times the worst history's stand.
 */
export async function inBlocks(
  repetitions: number,
  block: (repeat: number, before: number) => Promise<Judgement>,
): Promise<Judgement> {
  const judgements: Judgement[] = [];
  for (let done = 0; done < repetitions; done += repetitionsPerHistory)
    judgements.push(await block(Math.min(repetitionsPerHistory, repetitions - done), done));
  return judgements.reduce(worstOf);
}

function worstOf(a: Judgement, b: Judgement): Judgement {
  const outcomes = (kind: 'reads' | 'writes'): Judgement['outcomes']['reads'] => ({
    ok: a.outcomes[kind].ok + b.outcomes[kind].ok,
    pending: a.outcomes[kind].pending + b.outcomes[kind].pending,
    definite: a.outcomes[kind].definite + b.outcomes[kind].definite,
    indefinite: a.outcomes[kind].indefinite + b.outcomes[kind].indefinite,
  });
  const latency = (kind: 'reads' | 'writes'): Judgement['latencyMs']['reads'] => ({
    p50: Math.max(a.latencyMs[kind].p50, b.latencyMs[kind].p50),
    p99: Math.max(a.latencyMs[kind].p99, b.latencyMs[kind].p99),
    max: Math.max(a.latencyMs[kind].max, b.latencyMs[kind].max),
  });
  return {
    faults: [...a.faults, ...b.faults],
    keys: a.keys + b.keys,
    outcomes: { reads: outcomes('reads'), writes: outcomes('writes') },
    longestGapMs: {
      reads: Math.max(a.longestGapMs.reads, b.longestGapMs.reads),
      writes: Math.max(a.longestGapMs.writes, b.longestGapMs.writes),
    },
    latencyMs: { reads: latency('reads'), writes: latency('writes') },
    reasons: [...a.reasons, ...b.reasons],
  };
}

/** Failed operations of these kinds with what they said; none is an empty list. */
export function failed(judgement: Judgement, kinds: ReadonlyArray<'reads' | 'writes'> = ['reads', 'writes']) {
  return kinds.flatMap((kind) => {
    const { definite, indefinite } = judgement.outcomes[kind];
    return definite + indefinite === 0 ? [] : [kind, judgement.outcomes[kind], reasonsOf(judgement, kind)];
  });
}

/** What a failure may say while its portal ends or starts: it says so, the connection is gone, or nobody listens. */
const portalComesOrGoes =
  /LVSTOPPING|LVNOTREADY|Connection is closed|ECONNRE|EPIPE|no connection to|SocketError|terminated|other side closed/;

/** Failures that a portal's own end or start does not excuse. */
export const unexcused = ({ reasons }: Judgement): string[] =>
  reasons.filter((reason) => !portalComesOrGoes.test(reason));

export async function masterStatus(
  cluster: Pick<RunningCluster, 'doors'>,
  name: string,
  withinMs = 10_000,
): Promise<MasterStatus> {
  const master = cluster.doors.masters.find((m) => m.name === name);
  const answer = await fetch(`${master?.http}/v1/status`, { signal: AbortSignal.timeout(withinMs) });
  return (await answer.json()) as MasterStatus;
}

/** The master that reigns now, not counting one that is known to be stopped. */
export function reigning(
  cluster: Pick<RunningCluster, 'doors'>,
  { except, deadlineMs = 20_000 }: { readonly except?: string; readonly deadlineMs?: number } = {},
): Promise<{ readonly name: string; readonly status: MasterStatus }> {
  return eventually(
    'a master reigns',
    async () => {
      for (const { name, pid } of cluster.doors.masters) {
        if (pid === undefined || name === except) continue;
        // One that stands still must not keep the others from being asked.
        const status = await masterStatus(cluster, name, 1_000).catch(() => undefined);
        if (status?.role === 'active') return { name, status };
      }
      return undefined;
    },
    deadlineMs,
  );
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
