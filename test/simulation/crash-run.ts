import { HistoryRecorder } from '../history/history-recorder';
import { judge } from '../history/judgement';
import type { History } from '../history/operation';
import { Workload } from '../history/workload';
import { dice } from '../support/seed';
import { failuresWithoutExcuse } from './absences';
import type { CrashPoint } from './crash-points';
import { judgeCluster, watchRoutes } from './last-judgement';
import type { PlantedBug } from './planted-bug';
import type { Scenario } from './scenario';
import { type ClientChoice, SimulatedClient } from './simulated-client';
import { namespace, shapeDefault, SimulatedCluster } from './simulated-cluster';
import type { Effect } from './trace';

const limits = {
  /** Virtual time of a whole run. */
  runMs: 240_000,
  overMs: 120_000,
  preloadedKeys: 120,
  preloadedBytes: 200,
  lullMs: 300,
} as const;

export interface RunReport {
  /** What is not as it must be; none = a good run. */
  readonly faults: readonly string[];
  /** Equal for two runs of one seed and one point. */
  readonly hash: string;
  /** With what each process was then, when asked for: from the beginning of the scenario, or from the first fault. */
  readonly effects: readonly Effect[];
  readonly operations: number;
  readonly virtualMs: number;
  readonly events: number;
  /** What all processes said. */
  readonly said: string;
}

export interface RunOptions {
  readonly seed: number;
  /** What befalls; nothing when left out. */
  readonly points?: readonly CrashPoint[];
  /** Keeps the effects, for points to be taken from them. */
  readonly keepEffects?: boolean;
  readonly bug?: PlantedBug;
  /** Virtual time for the scenario to be over, with whatever befell it. */
  readonly overMs?: number;
  /** Load before the scenario begins, and after it is over. */
  readonly lullMs?: number;
}

/** One scenario under load, from the first process to the last judgement, with what befalls it. */
export async function crashRun(scenario: Scenario, options: RunOptions): Promise<RunReport> {
  const cluster = new SimulatedCluster({ ...shapeDefault, ...scenario.shape, seed: options.seed }, options.bug);
  const faults: string[] = [];
  let histories: History[] = [];
  try {
    histories = await cluster.time.run(() => act(cluster, scenario, { ...options, faults }), limits.runMs);
  } catch (error) {
    faults.push(String((error as Error).stack ?? error));
  }
  const { trace, time, world } = cluster;
  await time.run(() => cluster.end(), limits.runMs + 60_000).catch((error: unknown) => faults.push(String(error)));
  for (const history of histories) {
    faults.push(...judge(history).faults);
    faults.push(...failuresWithoutExcuse(history, cluster.absences, cluster.shape.replicas));
  }
  return {
    faults,
    hash: trace.hash(),
    effects: trace.effects,
    operations: histories.reduce((sum, { length }) => sum + length, 0),
    virtualMs: time.nowMs,
    events: time.events,
    said: world.text(),
  };
}

async function act(
  cluster: SimulatedCluster,
  scenario: Scenario,
  {
    seed,
    points = [],
    keepEffects = false,
    overMs = limits.overMs,
    lullMs = limits.lullMs,
    faults,
  }: RunOptions & { readonly faults: string[] },
): Promise<History[]> {
  const { time, trace } = cluster;
  await cluster.start();
  watchRoutes(cluster, faults);
  await preload(cluster, scenario.valueBytes ?? limits.preloadedBytes);
  const workloads = startWorkloads(cluster, seed);
  await time.sleep(lullMs);

  let away = 0;
  const pending = new Set(points);
  trace.describe = (process) => ({
    phase: scenario.phase(cluster),
    role: scenario.roles(cluster).get(process) ?? 'other',
  });
  trace.keep = keepEffects && points.length === 0;
  trace.faults = points.map((point) => ({
    ...point,
    strike: () => {
      pending.delete(point);
      trace.keep = keepEffects;
      away++;
      befall(cluster, point, () => away--);
    },
  }));
  await scenario.begin(cluster);
  const over = (): boolean => away === 0 && pending.size === 0 && scenario.over(cluster);
  await time
    .until(`${scenario.name} being over (it is ${scenario.phase(cluster)})`, over, overMs, 20)
    .catch((error: unknown) => {
      const never = [...pending].map(({ effect }) => `effect ${effect} was never reached; `).join('');
      throw new Error(`I18: ${never}${String(error)}; now ${scenario.phase(cluster)}; ${plansOf(cluster)}`, {
        cause: error,
      });
    });
  trace.keep = false;
  await cluster.ready();
  await time.sleep(lullMs);
  const histories = await Promise.all(workloads.map((workload) => workload.stop()));
  faults.push(...(await judgeCluster(cluster)), ...(scenario.judge?.(cluster) ?? []));
  return histories;
}

/** What a point says, and its mending a while later. */
function befall(cluster: SimulatedCluster, point: CrashPoint, mended: () => void): void {
  const { victim, action, awayMs } = point;
  const { time } = cluster;
  if (cluster.processOf(victim) === undefined) return mended();
  if (action === 'pause') cluster.pause(victim);
  else cluster.kill(victim, { powerLoss: action === 'power' });
  time.after(awayMs, () => {
    if (action === 'pause') cluster.resume(victim);
    else cluster.restart(victim);
    mended();
  });
}

async function preload(cluster: SimulatedCluster, valueBytes: number): Promise<void> {
  const store = cluster.keyValue('p1');
  const owner = store.namespace(namespace);
  for (let n = 0; n < limits.preloadedKeys; n += 20)
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        store.put(owner, Buffer.from(`old${n + i}`), Buffer.alloc(valueBytes, n + i)),
      ),
    );
  for (let n = 0; n < limits.preloadedKeys; n += 10) await store.delete(owner, Buffer.from(`old${n}`));
}

function startWorkloads(cluster: SimulatedCluster, seed: number): Workload[] {
  const { time } = cluster;
  const shared = { time: { nowMs: () => time.nowMs, pause: (ms: number) => time.sleep(ms) }, pauseMs: 60, keys: 4 };
  let clients = 0;
  const client = (name: string, choice: Pick<ClientChoice, 'consistency' | 'ack'>): SimulatedClient =>
    new SimulatedClient(name, cluster, { namespace, portal: `p${1 + (clients++ % cluster.shape.portals)}`, ...choice });
  const recorder = (): HistoryRecorder => {
    let told = 0;
    // No two moments of a history are the same.
    return new HistoryRecorder(() => (told = Math.max(told + 1, Math.round(time.nowMs * 1e6))));
  };
  const workloads = [
    new Workload({
      ...shared,
      clients: [
        client('logged', { consistency: 'strong', ack: 'logged' }),
        client('primary', { consistency: 'strong', ack: 'primary' }),
        client('all', { consistency: 'strong', ack: 'all' }),
      ],
      auditor: client('auditor', { consistency: 'strong', ack: 'logged' }),
      consistency: 'strong',
      random: dice(seed + 1),
      keyPrefix: 's',
      recorder: recorder(),
    }),
    new Workload({
      ...shared,
      clients: [
        client('session1', { consistency: 'session', ack: 'logged' }),
        client('session2', { consistency: 'session', ack: 'all' }),
      ],
      auditor: client('auditor', { consistency: 'strong', ack: 'logged' }),
      consistency: 'session',
      oneWriterPerKey: true,
      random: dice(seed + 2),
      keyPrefix: 't',
      recorder: recorder(),
    }),
  ];
  for (const workload of workloads) workload.start();
  return workloads;
}

const plansOf = ({ view }: SimulatedCluster): string =>
  [...view.state.plans()]
    .map(({ planId, kind, state, step, attempt, failureCode, failureMessage }) =>
      [planId, kind, state, step, `attempt ${attempt}`, failureCode, failureMessage].filter(Boolean).join(' '),
    )
    .join('; ');
