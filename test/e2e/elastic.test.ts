import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Redis from 'ioredis';
import { AppProcess } from '../support/app-process';
import { ClusterProcess } from '../support/cluster-process';
import { failed, underLoad } from '../support/cluster-under-load';
import { ColdKeys } from '../support/cold-keys';
import { failuresOf, tell } from '../support/counts';
import { decisionsIn, type Decision } from '../support/decisions';
import { eventually } from '../support/deadline';
import { drawnLog } from '../support/drawn';
import { Ledger } from '../support/ledger';
import { levee } from '../support/levee-command';
import type { RunningCluster } from '../support/one-process';
import { PartsInOneProcess } from '../support/parts-in-one-process';
import { PlanDoor, type Plan, type Replica, type Route } from '../support/plan-door';
import { RouteWatcher } from '../support/route-news';
import { bound, dice, full } from '../support/seed';
import { scratchFolder } from '../support/standalone-process';
import { becomesWhole } from '../support/whole-cluster';

const units = '24x64MiB:leveldb';
const replicas = 3;
const observeMs = 500;
const planDeadlineMs = 120_000;
/** Nine of ten decisions are at every portal within this time. */
const routeNewsMs = bound(500);
/** File systems stamp by the clock's last tick, which can be so long ago. */
const fileClockMs = 10;

interface Prediction {
  readonly outcome: string;
  readonly replicasMade: number;
  readonly decisions: number;
  readonly chunksAfter: readonly { readonly slotStart: number; readonly slotEnd: number }[];
  readonly nodesAfter: readonly { readonly nodeId: string; readonly replicas: number; readonly unitsFree: number }[];
}

/** A cluster of four nodes and two portals, wherever it runs. */
interface World {
  readonly cluster: RunningCluster;
  /** A fifth one, ready; resolves with the folder of its data. */
  addNode(): Promise<string>;
  /** What did not end cleanly, as text. */
  end(): Promise<string>;
}

const shape = { partitions: 4, chunks: 3, replicas } as const;
const settings = { LEVEE_UNITS: units, LEVEE_BARRIER_INTERVAL: '500ms' } as const;

async function onKafka(dir: string, topicPrefix: string): Promise<World> {
  const brokers = process.env.KAFKA_BROKERS ?? '';
  if (brokers === '') throw new Error('KAFKA_BROKERS is not set: npm test starts a Kafka, npm run kafka:start another');
  const knobs = Object.entries(shape).flatMap(([knob, value]) => [`--${knob}`, `${value}`]);
  const cluster = await ClusterProcess.start(
    ['--brokers', brokers, '--dir', join(dir, 'cluster'), '--masters', '1', '--nodes', '4', ...knobs],
    { ...settings, LEVEE_TOPIC_PREFIX: topicPrefix },
  );
  let added: AppProcess | undefined;
  return {
    cluster,
    addNode: async () => {
      added = await AppProcess.start('data-node', {
        KAFKA_BROKERS: brokers,
        LEVEE_TOPIC_PREFIX: topicPrefix,
        LEVEE_NODE_ID: 'n5',
        LEVEE_DATA_DIR: join(dir, 'n5'),
        LEVEE_UNITS: units,
      });
      await added.ready();
      return join(dir, 'n5');
    },
    end: async () => {
      await added?.end();
      return cluster.end();
    },
  };
}

async function embedded(dir: string, topicPrefix: string): Promise<World> {
  const env = { ...settings, LEVEE_TOPIC_PREFIX: topicPrefix };
  const cluster = await PartsInOneProcess.start(dir, { nodes: 4, portals: 2, namespace: shape }, env);
  return {
    cluster,
    addNode: async () => {
      await cluster.start('n5');
      return join(dir, 'nodes');
    },
    end: () => cluster.end(),
  };
}

/** Another number of chunks, a node less, a node more, while clients read, write and delete all the time. */
describe.each(
  drawnLog('elastic', [
    ['real Kafka', onKafka],
    ['the embedded log', embedded],
  ]),
)('an elastic cluster on %s', (name, start) => {
  const topicPrefix = `elastic${process.pid}`;
  const random = dice();
  const figures: Record<string, unknown> = {};
  let dir: string;
  let world: World;
  let cluster: RunningCluster;
  let door: PlanDoor;
  let cold: ColdKeys;
  let homeOfAdded = '';
  const watchers: RouteWatcher[] = [];

  beforeAll(async () => {
    dir = scratchFolder('elastic');
    world = await start(dir, topicPrefix);
    cluster = world.cluster;
    door = new PlanDoor(cluster);
    cold = await ColdKeys.write(portOf(0), { prefix: 'cold', count: 1_200, valueBytes: 1_000 });
    await cold.deleteSome(portOf(0));
    for (const { http } of cluster.doors.portals) watchers.push(new RouteWatcher(http));
  }, 180_000);

  afterAll(async () => {
    for (const watcher of watchers) await watcher.close();
    const said = await world?.end();
    process.stdout.write(`elastic on ${name}: ${JSON.stringify(figures)}\n`);
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    expect(said).toBe('');
  }, 120_000);

  const portOf = (portal: number): number => cluster.respPorts[portal] as number;
  const url = (): string => cluster.doors.portals[0]?.http ?? '';
  const ranges = (chunks: readonly { readonly slotStart: number; readonly slotEnd: number }[]): number[][] =>
    chunks.map(({ slotStart, slotEnd }) => [slotStart, slotEnd]);
  const evenly = (chunks: number): number[][] =>
    Array.from({ length: chunks }, (_, i) => [0, 1].map((end) => Math.floor(((i + end) * 1_000_000) / chunks)));
  const replicasOn = (routes: readonly Route[], nodeId: string): number =>
    routes.flatMap((route) => route.replicas).filter((replica) => replica.nodeId === nodeId).length;

  const decisions = (): Promise<Decision[]> => decisionsIn(url(), topicPrefix);

  /** How far the journal and the topic of commands go. What else there is follows from them, a moment later. */
  const ends = async (): Promise<number[]> => {
    const { topics } = await door.get<{ topics: { name: string; offsets: { endOffset: number }[] }[] }>(
      '/v1/log/topics',
    );
    return ['journal', 'commands'].map(
      (name) => topics.find((topic) => topic.name === `${topicPrefix}.${name}`)?.offsets[0]?.endOffset ?? -1,
    );
  };

  /** What the plan would do; asking for it leaves everything as it is. */
  const dryRun = async (payload: object): Promise<Prediction> => {
    const asked = async (): Promise<Prediction> => {
      const before = await ends();
      const { prediction } = await door.post<{ prediction: Prediction }>('/v1/plans?dryRun=1', payload);
      const after = await ends();
      // A machine that is busy lets a node be missed, which is a decision too: one that asking makes comes each time.
      if (`${before}` !== `${after}`) throw new Error(`a dry run takes the log from ${before} to ${after}`);
      return prediction;
    };
    const prediction = await eventually('a dry run decides nothing', asked, planDeadlineMs);
    expect(prediction.outcome).toBe('done');
    return prediction;
  };

  /** Replicas that a plan and its parts made. */
  const replicasMade = async (planId: string): Promise<number> => {
    const { plan, parts } = await door.get<{ plan: Plan; parts: Plan[] }>(`/v1/plans/${planId}`);
    return [plan, ...parts].flatMap(({ targets }) => targets.flatMap((target) => target.replicas)).length;
  };

  /** Predicts it, does it, and compares. */
  const foretold = async (payload: object): Promise<Plan> => {
    const predicted = await dryRun(payload);
    const plan = await door.carryOut(payload, planDeadlineMs);
    const routes = await door.routes();
    expect(await replicasMade(plan.planId)).toBe(predicted.replicasMade);
    for (const range of ranges(predicted.chunksAfter)) expect(ranges(routes)).toContainEqual(range);
    for (const { nodeId, replicas: expected } of predicted.nodesAfter)
      expect([nodeId, replicasOn(routes, nodeId)]).toEqual([nodeId, expected]);
    return plan;
  };

  /** Clients of every kind work while `change` runs; then nothing has failed, nothing is lost and all replicas agree. */
  const unnoticed = async (what: string, change: () => Promise<void>): Promise<void> => {
    const ledger = new Ledger(`ledger ${what} `, 2, full ? 0 : 10);
    const client = new Redis(portOf(1), '127.0.0.1', { maxRetriesPerRequest: 0 });
    const stop = { now: false };
    const writing = ledger.write(client, stop).then(() => stop.now);
    const begunMs = Date.now();
    try {
      const judgement = await underLoad(cluster, { consistency: 'strong', random }, async () => {
        await change();
        figures[`${what}, s`] = (Date.now() - begunMs) / 1000;
      });
      stop.now = true;
      expect(await writing).toBe(true);
      expect(failed(judgement)).toEqual([]);
      expect(await ledger.contradictions(client)).toEqual([]);
      expect(await cold.wrong(portOf(0))).toEqual([]);
      figures[`${what}, longest pause of writes, ms`] = Math.round(judgement.longestGapMs.writes);
      tell({ scenario: `elastic on ${name}: ${what}`, repetitions: 1, failures: failuresOf(judgement) });
    } finally {
      stop.now = true;
      client.disconnect();
    }
    await becomesWhole(cluster, door, { replicas });
  };

  interface Visited {
    readonly chunkId: string;
    readonly nodeIds: readonly string[];
  }

  /** `levee scan` of a range of the cold keys: exactly those that are there, in order; which chunks it visited. */
  const scanned = async (portal: number): Promise<readonly Visited[]> => {
    const [from, to] = ['cold2', 'cold7'];
    const asked = ['scan', '--from', from, '--to', to, '--keys-only', '--consistency', 'strong', '-v', '-o', 'json'];
    const { code, stdout, stderr } = await levee(cluster.doors.portals[portal]?.http ?? '', asked);
    expect([code, stderr]).toEqual([0, '']);
    const entries = JSON.parse(stdout) as ({ readonly key: string } | { readonly visited: readonly Visited[] })[];
    const last = entries.pop();
    expect(entries.map((entry) => ('key' in entry ? entry.key : ''))).toEqual(cold.between(from, to));
    return last !== undefined && 'visited' in last ? last.visited : [];
  };

  it('goes from 3 chunks to 12 and to 6 as foretold, and nobody notices', async () => {
    const scans = { count: 0, stop: false };
    await unnoticed('resize', async () => {
      const scanning = (async () => {
        for (; !scans.stop; scans.count++) await scanned(scans.count % 2);
      })();
      try {
        await foretold({ kind: 'resize', namespace: 'default', chunks: 12, observeMs });
        expect(ranges(await door.routes())).toEqual(evenly(12));
        await foretold({ kind: 'resize', namespace: 'default', chunks: 6, observeMs });
        expect(ranges(await door.routes())).toEqual(evenly(6));
      } finally {
        scans.stop = true;
        await scanning;
      }
    });
    expect(scans.count).toBeGreaterThan(0);
    // At rest: every chunk, since keys lie in any of them, each at a node that has it; and several nodes.
    const visited = await scanned(0);
    const routes = await door.routes();
    expect(visited.map(({ chunkId }) => chunkId)).toEqual(routes.map(({ chunkId }) => chunkId));
    for (const { nodeIds, chunkId } of visited) {
      const holders = routes.find((route) => route.chunkId === chunkId)?.replicas.map(({ nodeId }) => nodeId);
      for (const nodeId of nodeIds) expect(holders).toContain(nodeId);
    }
    expect(new Set(visited.flatMap(({ nodeIds }) => nodeIds)).size).toBeGreaterThan(1);
  }, 300_000);

  it('shows a move step by step as it happens, each with its time, its decision and its evidence', async () => {
    let moved: Plan | undefined;
    let watched = '';
    await unnoticed('move', async () => {
      const [route] = (await door.routes()) as [Route];
      const from = route.replicas[0]?.nodeId as string;
      const to = ['n1', 'n2', 'n3', 'n4'].find((nodeId) => replicasOn([route], nodeId) === 0) as string;
      const asked = ['move', '--chunk', route.chunkId, '--from', from, '--to', to, '--observe', `${2 * observeMs}ms`];
      const { code, stdout, stderr } = await levee(url(), ['plan', 'propose', ...asked, '--watch'], planDeadlineMs);
      expect([code, stderr]).toEqual([0, '']);
      watched = stdout;
      moved = await door.plan(/^p\d+/.exec(stdout)?.[0] as string);
    });
    const stepsIn = (text: string) =>
      [...text.matchAll(/^ {2}(\d)\. .*? +done +(\S+Z) {2}decision (\d+)(?: {2}(\S.*))?$/gm)].map(
        ([, number, at, seq, evidence]) => ({
          number: Number(number),
          atMs: Date.parse(at ?? ''),
          seq: Number(seq),
          evidence,
        }),
      );
    const { stdout: shown } = await levee(url(), ['plan', 'show', moved?.planId ?? ''], planDeadlineMs);
    const told = stepsIn(shown);
    // Where the copy was taken, how far behind it was then, and what both sides held at one barrier.
    const [unit] = moved?.targets.flatMap((target) => target.replicas.map(({ unitId }) => unitId)) ?? [];
    expect(shown).toMatch(
      new RegExp(`^  \\S+ -> ${unit}  copied from n\\d/u\\d+, snapshot at \\d+:\\d+( \\d+:\\d+)*, lag \\d+$`, 'm'),
    );
    expect(shown).toMatch(/^ {2}both sides hold \d+ keys, digest [0-9a-f]{32} at \d+:\d+/m);
    const steps = new Map(told.map((step) => [step.number, step]));
    expect([...steps.keys()]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    // Who follows it sees what comes after the proposal, without evidence.
    const followed = told.filter(({ number }) => number > 3).map((step) => ({ ...step, evidence: undefined }));
    expect(stepsIn(watched)).toEqual(followed);
    // What was told is what the journal says, decision by decision.
    const journal = new Map((await decisions()).map((decision) => [decision.seq, decision]));
    let lastMs = 0;
    for (const { number, atMs, seq, evidence } of steps.values()) {
      expect([number, journal.get(seq)?.decidedAtMs]).toEqual([number, atMs]);
      expect(journal.get(seq)?.planIds).toContain(moved?.planId);
      // A step that needs no evidence shows none.
      expect([number, evidence ?? '{}']).toEqual([number, expect.stringMatching(/^\{/)]);
      expect(atMs).toBeGreaterThanOrEqual(lastMs);
      lastMs = atMs;
    }
    const kinds = [3, 5, 8, 9].map((number) => journal.get(steps.get(number)?.seq ?? 0)?.commandKind);
    expect(kinds).toEqual(['ProposePlan', 'StartPlan', 'SwitchPlan', 'FinishPlan']);
    // Lines came as it went on, not at the end: a step was under way before it was done. Copies are too quick to be seen
    // for certain; the time to observe is not.
    expect(watched).toMatch(/^ {2}[6-9]\. .* running/m);
  }, 180_000);

  it('empties a node that is drained', async () => {
    await unnoticed('drain', async () => {
      await foretold({ kind: 'drain', nodeId: 'n4', observeMs });
      expect((await door.units('n4')).filter(({ state }) => state !== 'free')).toEqual([]);
      const { nodes } = await door.get<{ nodes: { nodeId: string; cordoned: boolean }[] }>('/v1/nodes');
      expect(nodes.filter(({ cordoned }) => cordoned).map(({ nodeId }) => nodeId)).toEqual(['n4']);
    });
  }, 300_000);

  it('gives a node that was added its share', async () => {
    homeOfAdded = await world.addNode();
    expect((await levee(url(), ['node', 'uncordon', 'n4'], planDeadlineMs)).code).toBe(0);
    await unnoticed('rebalance', async () => {
      await foretold({ kind: 'rebalance', namespace: 'default', observeMs });
      const routes = await door.routes();
      const counts = ['n1', 'n2', 'n3', 'n4', 'n5'].map((nodeId) => replicasOn(routes, nodeId));
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    });
  }, 300_000);

  it('gives a node in use other units, and what it held goes on elsewhere', async () => {
    await unnoticed('format', async () => {
      const [first] = (await door.routes()) as [Route];
      const nodeId = first.replicas.find((replica) => replica.nodeId !== 'n5')?.nodeId as string;
      const held = replicasOn(await door.routes(), nodeId);
      expect(held).toBeGreaterThan(0);
      const asked = ['node', 'format', nodeId, '--units', '10x64MiB:leveldb,3x32MiB:memory'];
      const manner = ['--observe', `${observeMs}ms`, '--watch'];
      const { code, stderr } = await levee(url(), [...asked, ...manner], planDeadlineMs);
      expect([code, stderr]).toEqual([0, '']);
      expect(replicasOn(await door.routes(), nodeId)).toBe(0);
      const made = (await door.units(nodeId)).map((unit) => `${unit.engine} ${unit.capacityBytes} ${unit.state}`);
      expect(made.filter((unit) => unit === `leveldb ${64 * 2 ** 20} free`)).toHaveLength(10);
      expect(made.filter((unit) => unit === `memory ${32 * 2 ** 20} free`)).toHaveLength(3);
      expect(made).toHaveLength(13);
    });
  }, 300_000);

  it('has copied nothing before the journal said so', async () => {
    const journal = new Map((await decisions()).map((decision) => [decision.seq, decision]));
    const { plans } = await door.get<{ plans: Plan[] }>('/v1/plans?state=all');
    const routed = new Set((await door.routes()).flatMap((route) => route.replicas.map(unitOf)));
    let compared = 0;
    for (const { history, targets } of plans)
      for (const replica of targets.flatMap((target) => target.replicas)) {
        const folder = folderOf(replica);
        if (!routed.has(unitOf(replica)) || folder === undefined) continue;
        const began = history.findLast(({ step, what }) => step === 'allocate' && what === 'began');
        const { timestampMs = Infinity, commandKind } = journal.get(began?.seq ?? 0) ?? {};
        expect(commandKind).toBe('StartPlan');
        expect(statSync(folder).birthtimeMs).toBeGreaterThanOrEqual(timestampMs - fileClockMs);
        compared++;
      }
    expect(compared).toBe(routed.size);
  });

  it(`has told both portals of every change of a route, of nine in ten within ${routeNewsMs} ms`, async () => {
    const journal = new Map((await decisions()).map((decision) => [decision.seq, decision]));
    const tookMs: number[] = [];
    const [first, second] = watchers as [RouteWatcher, RouteWatcher];
    expect([first.failure, second.failure]).toEqual([undefined, undefined]);
    const begin = Math.max(first.news[0]?.seq ?? 0, second.news[0]?.seq ?? 0);
    const told = new Set([...first.news, ...second.news].map(({ seq }) => seq).filter((seq) => seq > begin));
    // A portal that is busy tells two changes as one, under the number of the later.
    for (const seq of told)
      for (const { news } of watchers) {
        const { atMs } = news.find((one) => one.seq >= seq) ?? { atMs: Infinity };
        tookMs.push(atMs - (journal.get(seq)?.decidedAtMs ?? 0));
      }
    tookMs.sort((a, b) => a - b);
    expect(tookMs.length).toBeGreaterThan(20);
    const at = (share: number): number => tookMs[Math.min(tookMs.length - 1, Math.floor(tookMs.length * share))] ?? NaN;
    figures['decision to both portals, ms'] = { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
    tell({
      scenario: `elastic on ${name}: a route change reaches a portal`,
      repetitions: tookMs.length,
      failures: 0,
      figure: 'ms from the decision',
      values: tookMs,
    });
    expect(at(0.9)).toBeLessThan(routeNewsMs);
  });

  const unitOf = ({ unitId, generation }: Replica): string => `${unitId}@${generation}`;

  /** Where a replica's unit has its data; the folder is made when the first of it is written. */
  const folderOf = ({ nodeId, unitId, generation }: Replica): string | undefined => {
    const home = cluster.doors.nodes.find(({ name }) => name === nodeId)?.dir ?? homeOfAdded;
    const path = join('units', unitId.split('/').at(-1) as string, `g${generation}`);
    return [home, join(home, nodeId)]
      .map((base) => join(base, path))
      .find((each) => statSync(each, { throwIfNoEntry: false }));
  };
});
