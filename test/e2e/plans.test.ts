import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { hashOf, slotOf } from '@levee/keyspace';
import { ClassicLevel } from 'classic-level';
import { ClusterProcess } from '../support/cluster-process';
import { failed, reigning, underLoad } from '../support/cluster-under-load';
import { eventually } from '../support/deadline';
import { drawnLog } from '../support/drawn';
import { filesBelow } from '../support/files-below';
import { OneProcess, type RunningCluster } from '../support/one-process';
import { PlanDoor, type Plan, type Replica, type Route } from '../support/plan-door';
import { dice } from '../support/seed';
import { scratchFolder } from '../support/standalone-process';

const nodeIds = ['n1', 'n2', 'n3', 'n4'];
const partitions = 4;

const settings = {
  LEVEE_UNITS: '12x64MiB:leveldb,4x64MiB:memory',
  LEVEE_BARRIER_INTERVAL: '500ms',
  LEVEE_PLAN_OBSERVE: '1s',
};

const onKafka = (dir: string): Promise<ClusterProcess> => {
  const brokers = process.env.KAFKA_BROKERS ?? '';
  if (brokers === '') throw new Error('KAFKA_BROKERS is not set: npm test starts a Kafka, npm run kafka:start another');
  const where = ['--brokers', brokers, '--dir', dir, '--nodes', '4'];
  const shape = ['--partitions', `${partitions}`, '--chunks', '4', '--replicas', '3'];
  return ClusterProcess.start([...where, ...shape], { ...settings, LEVEE_TOPIC_PREFIX: `plans${process.pid}` });
};

const embedded = (dir: string): Promise<OneProcess> => {
  const shape = { LEVEE_PARTITIONS: `${partitions}`, LEVEE_CHUNKS: '4', LEVEE_REPLICAS: '3', LEVEE_NODES: '4' };
  return OneProcess.start(dir, { ...settings, ...shape });
};

/** Data moves while clients read, write and delete it without a pause: between processes, and in one. */
describe.each(
  drawnLog('plans', [
    ['real Kafka', onKafka],
    ['the embedded log', embedded],
  ]),
)('plans under load on %s', (_name, start) => {
  const random = dice();
  let dir: string;
  let cluster: RunningCluster;
  let door: PlanDoor;

  beforeAll(async () => {
    dir = scratchFolder('plans');
    cluster = await start(dir);
    door = new PlanDoor(cluster);
  }, 180_000);

  afterAll(async () => {
    await tellFigures().catch((error: unknown) => process.stdout.write(`plans: ${String(error)}\n`));
    const said = await cluster?.end();
    rmSync(dir, { recursive: true, force: true });
    expect(said).toBe('');
  }, 120_000);

  const readable = ({ replicas }: Route): Replica[] =>
    replicas.filter(({ role }) => role === 'primary' || role === 'follower');

  const nodesOf = (route: Route): string[] => readable(route).map(({ nodeId }) => nodeId);

  const absentFrom = (route: Route): string => nodeIds.find((nodeId) => !nodesOf(route).includes(nodeId)) as string;

  const routeOf = async (chunkId: string): Promise<Route> =>
    (await door.routes()).find((route) => route.chunkId === chunkId) as Route;

  const slots = async (): Promise<number[]> => (await door.routes()).map(({ slotStart }) => slotStart);

  /** The folder of a unit's generation; whether it exists says whether its data does. */
  const folderOf = ({ nodeId, unitId, generation }: Replica): string => {
    const node = cluster.doors.nodes.find(({ name }) => name === nodeId);
    const wanted = join('units', unitId.split('/').at(-1) as string, `g${generation}`);
    const found = filesIn(node?.dir ?? '').find((path) => path.includes(wanted));
    return found === undefined ? '' : found.slice(0, found.indexOf(wanted) + wanted.length);
  };

  it('a move, a split, a shift, a merge and a promotion fail no operation and lose, double, revive or age no value', async () => {
    const judgement = await underLoad(cluster, { consistency: 'strong', random }, async () => {
      const [first] = (await door.routes()) as [Route];
      const to = absentFrom(first);
      const moved = await door.carryOut({ kind: 'move', chunkId: first.chunkId, from: first.replicas[0]?.nodeId, to });
      expect(nodesOf(await routeOf(first.chunkId))).toContain(to);
      // Each step left its trace, with what shows it.
      const steps = ['allocate', 'copy', 'catchUp', 'verify', 'switch', 'observe', 'reclaim'];
      expect([...new Set(moved.history.map(({ step }) => step))]).toEqual(expect.arrayContaining(steps));
      expect(moved.history.find(({ step }) => step === 'verify')?.evidence).toMatch(/barrierId/);

      await door.carryOut({ kind: 'split', chunkId: first.chunkId });
      expect(await slots()).toEqual([0, 125_000, 250_000, 500_000, 750_000]);
      const [left, right] = (await door.routes()) as [Route, Route];
      await door.carryOut({ kind: 'shift', chunkIds: [left.chunkId, right.chunkId], at: 50_000 });
      expect(await slots()).toEqual([0, 50_000, 250_000, 500_000, 750_000]);
      const halves = (await door.routes()).slice(0, 2).map(({ chunkId }) => chunkId);
      await door.carryOut({ kind: 'merge', chunkIds: halves });
      expect(await slots()).toEqual([0, 250_000, 500_000, 750_000]);

      const [whole] = (await door.routes()) as [Route];
      const follower = readable(whole).find(({ role }) => role === 'follower')?.nodeId;
      await door.carryOut({ kind: 'promote', chunkId: whole.chunkId, to: follower });
      const now = await routeOf(whole.chunkId);
      expect(now.replicas.find(({ role }) => role === 'primary')?.nodeId).toBe(follower);
    });
    expect(failed(judgement)).toEqual([]);
    const metrics = await masterMetrics();
    expect(metrics.get('levee_master_plans_stalled_total')).toBe(0);
    expect(metrics.get('levee_master_barriers_total failed')).toBe(0);
    // Barriers were followed through the binlogs to every replica.
    expect(metrics.get('levee_master_barrier_duration_seconds_count')).toBeGreaterThan(0);
  }, 180_000);

  it('a rollback after the switch keeps what was written and deleted in between', async () => {
    const before = (await door.routes())[1] as Route;
    const judgement = await underLoad(cluster, { consistency: 'strong', random }, async () => {
      const planId = await door.propose({ kind: 'split', chunkId: before.chunkId, observeMs: 60_000 });
      await door.becomes(planId, ['observing']);
      expect(await slots()).toEqual([0, 250_000, 375_000, 500_000, 750_000]);
      // The load writes and deletes in the new chunks meanwhile.
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      await door.order(planId, 'rollback');
      expect(await slots()).toEqual([0, 250_000, 500_000, 750_000]);
      await door.becomes(planId, ['rolledBack']);
    });
    expect(failed(judgement)).toEqual([]);
    expect(nodesOf(await routeOf(before.chunkId)).sort()).toEqual(nodesOf(before).sort());
  }, 120_000);

  it('a move that people finish is done long before the end of its time to observe, and then stays', async () => {
    const before = (await door.routes())[1] as Route;
    const judgement = await underLoad(cluster, { consistency: 'strong', random }, async () => {
      const [from, to] = [nodesOf(before)[0] as string, absentFrom(before)];
      const move = { kind: 'move', chunkId: before.chunkId, from, to };
      const planId = await door.propose({ ...move, observeMs: 3_600_000 });
      await door.becomes(planId, ['observing']);
      const reason = 'the graphs are flat';
      await door.order(planId, 'finish', { reason });
      const { history } = await door.becomes(planId, ['done']);
      // The comparison before anything goes is made as ever, and who did without the rest of the time is known.
      const observed = history.filter(({ step }) => step === 'observe');
      expect(observed.map(({ what }) => what)).toEqual(['finished', 'ended']);
      expect(JSON.parse(observed[0]?.evidence ?? '')).toMatchObject({
        finishedBy: expect.stringMatching(/^http /),
        reason,
      });
      expect(observed[1]?.evidence).toMatch(/barrierId/);
      await expect(door.order(planId, 'rollback')).rejects.toThrow(/409 .*PLAN_NOT_READY.*what it superseded is gone/);
      expect(nodesOf(await routeOf(before.chunkId))).toContain(to);
    });
    expect(failed(judgement)).toEqual([]);
  }, 120_000);

  // In one process no part can stand still or die alone.
  const itWithParts = (title: string, test: (parts: ClusterProcess) => Promise<void>, deadlineMs: number): void => {
    if (start === onKafka) it(title, () => test(cluster as ClusterProcess), deadlineMs);
  };

  itWithParts(
    'a plan cancelled before its switch leaves no trace',
    async (parts) => {
      const before = (await door.routes())[2] as Route;
      const judgement = await underLoad(cluster, { consistency: 'session', random }, async () => {
        const to = absentFrom(before);
        const free = await freeUnits(to);
        // Held back by a target that does not run, it is cancelled in the middle of its copy.
        await parts.pause(to);
        const planId = await door.propose({ kind: 'move', chunkId: before.chunkId, from: nodesOf(before)[0], to });
        const [replica] = (await eventually('it has begun', async () => {
          const [target] = (await door.plan(planId)).targets;
          return target !== undefined && target.replicas.length > 0 ? target.replicas : undefined;
        })) as [Replica];
        await door.order(planId, 'cancel');
        await parts.resume(to);
        await door.becomes(planId, ['cancelled']);
        expect(await freeUnits(to)).toEqual(free);
        expect(folderOf({ ...replica, nodeId: to })).toBe('');
      });
      expect(failed(judgement)).toEqual([]);
      expect(await routeOf(before.chunkId)).toMatchObject({
        replicas: before.replicas.map(({ unitId }) => ({ unitId })),
      });
    },
    120_000,
  );

  it('a chunk goes to a memory unit and back; what it leaves is cleared, and another namespace gets the unit', async () => {
    await door.post('/v1/commands', {
      kind: 'CreateNamespace',
      payload: { name: 'other', partitions: 1, chunks: 1, replicas: 1 },
    });
    const chunk = (await door.routes())[3] as Route;
    const leaves = chunk.replicas.find(({ role }) => role === 'follower') as Replica;
    const judgement = await underLoad(cluster, { consistency: 'strong', random }, async () => {
      expect(bytesIn(folderOf(leaves))).toBeGreaterThan(0);
      const to = absentFrom(chunk);
      await door.carryOut({ kind: 'move', chunkId: chunk.chunkId, from: leaves.nodeId, to, engine: 'memory' });
      const inMemory = (await routeOf(chunk.chunkId)).replicas.find(({ nodeId }) => nodeId === to) as Replica;
      expect((await door.units(to)).find(({ unitId }) => unitId === inMemory.unitId)?.engine).toBe('memory');
      expect(bytesIn(folderOf(leaves))).toBe(0);
      // Back to the disk that it left, in another unit.
      const others = (await door.units(leaves.nodeId)).filter(
        ({ state, engine, unitId }) => state === 'free' && engine === 'leveldb' && unitId !== leaves.unitId,
      );
      await door.carryOut({
        kind: 'move',
        chunkId: chunk.chunkId,
        from: to,
        to: leaves.nodeId,
        unitId: others[0]?.unitId,
      });
      const [other] = (await door.routes('other')) as [Route];
      const unit = { to: leaves.nodeId, unitId: leaves.unitId };
      const from = nodesOf(other)[0] as string;
      await door.carryOut({ kind: 'move', chunkId: other.chunkId, from, ...unit });
      const taken = (await door.units(leaves.nodeId)).find(({ unitId }) => unitId === leaves.unitId);
      expect(taken).toMatchObject({ state: 'allocated', chunkId: other.chunkId });
      expect(taken?.generation).toBeGreaterThan(leaves.generation);
    });
    expect(failed(judgement)).toEqual([]);
  }, 120_000);

  itWithParts(
    'a copy that lost a key is found by the digests, is never readable, and the next attempt succeeds',
    async (parts) => {
      const chunk = (await door.routes())[2] as Route;
      const to = absentFrom(chunk);
      const judgement = await underLoad(cluster, { consistency: 'strong', random }, async () => {
        await fill(chunk, 12 * 1024 * 1024);
        // The target goes on once no master does: its copy ends, and nobody goes on to verify it.
        await parts.pause(to);
        const planId = await door.propose({ kind: 'move', chunkId: chunk.chunkId, from: nodesOf(chunk)[0], to });
        await eventually('it is to be copied', async () => (await door.plan(planId)).state === 'running', 30_000, 2);
        for (const { name } of cluster.doors.masters) await parts.pause(name);
        await parts.resume(to);
        const plan = await door.plan(planId);
        expect(['copy', 'catchUp']).toContain(plan.step);
        const copied = async (): Promise<boolean> =>
          (await door.report(planId)).progress.some(({ lagRecords }) => lagRecords >= 0);
        await eventually('the target has all of it', copied, 60_000);
        await parts.kill(to);
        const made = { ...(plan.targets[0]?.replicas[0] as Replica), nodeId: to };
        await loseKeys(folderOf(made));
        for (const { name } of cluster.doors.masters) await parts.resume(name);
        await parts.start(to);
        const stopped = await eventually(
          'the digests differ',
          async () => (await door.plan(planId)).history.find(({ evidence }) => evidence.includes('DIGEST_MISMATCH')),
          60_000,
        );
        expect(stopped.step).toBe('verify');
        // It is tried again by itself, with another copy.
        const done = await door.becomes(planId, ['done'], 60_000);
        expect(done.attempt).toBeGreaterThan(1);
        expect(done.targets[0]?.replicas[0]?.unitId).not.toBe('');
      });
      expect(failed(judgement)).toEqual([]);
    },
    180_000,
  );

  /** Of the master that reigns. */
  async function masterMetrics(): Promise<Map<string, number>> {
    const { name } = await reigning(cluster);
    const url = cluster.doors.masters.find((master) => master.name === name)?.http;
    const text = await (await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(5_000) })).text();
    const found = text.matchAll(/^(levee_[a-z0-9_]+)\{(?:result="(\w+)")?[^}]*\} (\S+)$/gm);
    return new Map(
      [...found].map(([, metric, result, value]) => [`${metric}${result ? ` ${result}` : ''}`, Number(value)]),
    );
  }

  async function tellFigures(): Promise<void> {
    const { plans } = await door.get<{ plans: Plan[] }>('/v1/plans?state=all');
    const figures = plans.map(({ kind, history }) => {
      const switched = history.find(({ step, what }) => step === 'switch' && what === 'ended');
      return `${kind} ${switched === undefined ? 'not switched' : `${switched.atMs - (history[0]?.atMs ?? 0)} ms`}`;
    });
    process.stdout.write(`plans, from proposal to switch: ${figures.join(', ')}\n`);
  }

  async function freeUnits(nodeId: string): Promise<string[]> {
    return (await door.units(nodeId)).filter(({ state }) => state === 'free').map(({ unitId }) => unitId);
  }

  /** Values in the chunk's slots that nobody rewrites, so that a copy takes a while and can lose some of them. */
  async function fill({ slotStart, slotEnd }: Route, bytes: number): Promise<void> {
    const base = cluster.doors.portals.at(-1)?.http;
    const value = 'v'.repeat(64 * 1024);
    const headers = { 'content-type': 'application/octet-stream', 'levee-ack': 'all' };
    const keys: string[] = [];
    for (let i = 0; keys.length < bytes / value.length; i++) {
      const slot = slotOf(hashOf(Buffer.from(`fill-${i}`), 'murmur2'), partitions);
      if (slot >= slotStart && slot < slotEnd) keys.push(`fill-${i}`);
    }
    for (let at = 0; at < keys.length; at += 16)
      await Promise.all(
        keys.slice(at, at + 16).map(async (key) => {
          const answer = await fetch(`${base}/v1/kv/default/${key}`, { method: 'PUT', headers, body: value });
          if (!answer.ok) throw new Error(`fill: ${answer.status} ${await answer.text()}`);
        }),
      );
  }
});

const filesIn = (folder: string): string[] => (folder === '' ? [] : filesBelow(folder));

const bytesIn = (folder: string): number =>
  filesIn(folder).reduce((sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0);

/** Takes every second key out of a replica, as a disk that forgets would. */
async function loseKeys(folder: string): Promise<void> {
  const database = filesIn(folder).find((path) => path.endsWith('CURRENT'));
  if (database === undefined) throw new Error(`no database in ${folder}`);
  const db = new ClassicLevel<Buffer, Buffer>(join(database, '..'), { keyEncoding: 'buffer', valueEncoding: 'buffer' });
  await db.open();
  let lost = 0;
  for await (const key of db.keys({ gte: Buffer.from('d/'), lt: Buffer.from('d0') }))
    if (lost++ % 2 === 0) await db.del(key);
  await db.close();
  if (lost === 0) throw new Error(`no key in ${folder}`);
}
