import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import type { Consistency } from '../history/key-client';
import { RespClient } from '../history/resp-client';
import { ClusterProcess } from '../support/cluster-process';
import { failed, inBlocks, masterStatus, pause, reigning, underLoad, unexcused } from '../support/cluster-under-load';
import { failuresOf, tell } from '../support/counts';
import { eventually } from '../support/deadline';
import { drawnOne } from '../support/drawn';
import { PortalProcess } from '../support/portal-process';
import { bound, dice, full, seed } from '../support/seed';
import { scratchFolder } from '../support/standalone-process';

interface Outcome {
  readonly commandId: string;
  readonly seq: number;
}

const counts = full
  ? { masterKills: 100, masterPauses: 10, nodeKills: 90, nodePauses: 9, portalKills: 10, withoutMastersMs: 60_000 }
  : { masterKills: 1, masterPauses: 1, nodeKills: 2, nodePauses: 1, portalKills: 1, withoutMastersMs: 5_000 };

describe('a cluster of real processes on real Kafka', () => {
  const random = dice(seed);
  const figures: Record<string, unknown> = {};
  const brokers = process.env.KAFKA_BROKERS ?? '';
  let dir: string;
  let cluster: ClusterProcess;

  beforeAll(async () => {
    if (brokers === '')
      throw new Error('KAFKA_BROKERS is not set: npm test starts a Kafka, npm run kafka:start another');
    dir = scratchFolder('cluster');
    cluster = await ClusterProcess.start(
      ['--brokers', brokers, '--dir', dir, '--partitions', '8', '--chunks', '8', '--replicas', '3'],
      { LEVEE_TOPIC_PREFIX: `cluster${process.pid}` },
    );
  }, 180_000);

  afterAll(async () => {
    if (cluster === undefined) return;
    const said = await cluster.end();
    for (const [what, figure] of Object.entries(figures))
      process.stdout.write(`cluster, seed ${seed}, ${what}: ${JSON.stringify(figure)}\n`);
    rmSync(dir, { recursive: true, force: true });
    expect(said).toBe('');
  }, 120_000);

  const command = async (id: string): Promise<Outcome> => {
    const answer = await fetch(`${cluster.doors.portals[0]?.http}/v1/commands`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ id, kind: 'RequestBarrier', payload: { id, namespace: 'default', digest: false } }),
      signal: AbortSignal.timeout(20_000),
    });
    const body = (await answer.json()) as Outcome;
    if (!answer.ok) throw new Error(`${answer.status} ${JSON.stringify(body)}`);
    return body;
  };

  it.each(drawnOne<Consistency>('cluster at rest', ['strong', 'session']))(
    'nothing fails while nothing is broken, and no client sees a contradiction: %s',
    async (consistency) => {
      const judgement = await underLoad(cluster, { consistency, random }, () => pause(2_000));
      figures[`calm ${consistency}`] = judgement.latencyMs;
      expect(failed(judgement)).toEqual([]);
    },
    120_000,
  );

  it(
    `kill -9 of the active master, ${counts.masterKills} times under load: no read or write fails, no command is lost or doubled`,
    async () => {
      const takeoversMs: number[] = [];
      const killing = async (kills: number): Promise<void> => {
        for (let round = 0; round < kills; round++) {
          const before = await reigning(cluster);
          const id = randomUUID();
          const asked = command(id).catch(() => undefined);
          await pause(random() * 20);
          const killedMs = performance.now();
          await cluster.kill(before.name);
          const after = await reigning(cluster);
          takeoversMs.push(performance.now() - killedMs);
          expect(after.name).not.toBe(before.name);
          expect(after.status.term).toBeGreaterThan(before.status.term);
          const first = await asked;
          const outcome = await eventually('the command is decided', () => command(id), 20_000);
          if (first !== undefined) expect(first.seq).toBe(outcome.seq);
          expect((await command(id)).seq).toBe(outcome.seq);
          await cluster.start(before.name);
        }
      };
      const judgement = await inBlocks(counts.masterKills, (kills) =>
        underLoad(cluster, { consistency: 'strong', random }, () => killing(kills)),
      );
      tell({
        scenario: 'active master killed: reads and writes',
        repetitions: counts.masterKills,
        failures: failuresOf(judgement),
        figure: 'ms until the next term serves',
        values: takeoversMs,
      });
      takeoversMs.sort((a, b) => a - b);
      const at = (share: number): number => Math.round(takeoversMs[Math.floor(share * takeoversMs.length)] ?? 0);
      const takeoverMs = { p50: at(0.5), p99: at(0.99) };
      figures['master killed'] = { takeoverMs, ...judgement.latencyMs, longestGapMs: judgement.longestGapMs };
      expect(failed(judgement)).toEqual([]);
      expect(takeoverMs.p50).toBeLessThan(bound(2_000));
      expect(takeoverMs.p99).toBeLessThan(bound(4_000));
    },
    counts.masterKills * 30_000 + 120_000,
  );

  it(
    `a master stopped past its takeover and continued, ${counts.masterPauses} times under load, stands by and decides nothing`,
    async () => {
      const judgement = await underLoad(cluster, { consistency: 'strong', random }, async () => {
        for (let round = 0; round < counts.masterPauses; round++) {
          const before = await reigning(cluster);
          await cluster.pause(before.name);
          const after = await reigning(cluster, { except: before.name });
          await command(randomUUID());
          await cluster.resume(before.name);
          // On a machine that is busy a master is silent for longer than others wait, and another one takes over once more.
          await eventually(
            'the deposed one stands by, and one of a later term reigns',
            async () => {
              const all = await Promise.all(cluster.doors.masters.map(({ name }) => masterStatus(cluster, name)));
              const [one, ...more] = all.filter(({ role }) => role === 'active');
              const isLater = one !== undefined && one.term >= after.status.term;
              return isLater && more.length === 0 && all.every(({ term }) => term === one.term);
            },
            60_000,
          );
        }
      });
      tell({
        scenario: 'active master paused past its takeover',
        repetitions: counts.masterPauses,
        failures: failuresOf(judgement),
      });
      expect(failed(judgement)).toEqual([]);
    },
    counts.masterPauses * 30_000 + 120_000,
  );

  it.each(
    drawnOne<Consistency>('cluster, nodes killed', ['strong', 'session']).map(
      (consistency) =>
        [consistency, consistency === 'strong' ? counts.nodeKills : Math.ceil(counts.nodeKills / 3)] as const,
    ),
  )(
    'kill -9 of each data node in turn under load with 3 replicas loses nothing, reads go on, the node comes back: %s, %i times',
    async (consistency, kills) => {
      const first = Math.floor(random() * cluster.doors.nodes.length);
      const killing = async (repeat: number, before: number): Promise<void> => {
        for (let round = first + before; round < first + before + repeat; round++) {
          const node = cluster.doors.nodes[round % cluster.doors.nodes.length]?.name as string;
          await pause(200 + random() * 500);
          await cluster.kill(node);
          await pause(2_000 + random() * 1_000);
          await cluster.start(node);
        }
      };
      const judgement = await inBlocks(kills, (repeat, before) =>
        underLoad(cluster, { consistency, random, ack: 'primary' }, () => killing(repeat, before)),
      );
      tell({
        scenario: `data node killed, ${consistency} reads, HTTP writes ack=primary`,
        repetitions: kills,
        failures: failuresOf(judgement) + judgement.outcomes.writes.pending,
        figure: 'ms of the slowest read of a history',
        values: [judgement.latencyMs.reads.max],
      });
      figures[`node killed ${consistency}`] = {
        ...judgement.latencyMs,
        longestGapMs: judgement.longestGapMs,
        outcomes: judgement.outcomes,
      };
      expect(failed(judgement)).toEqual([]);
      // A read that waited for a dead node would take its 5 s.
      expect(judgement.latencyMs.reads.p99).toBeLessThan(bound(1_000));
      // Writes over HTTP wait for the primary: pending would say that no other one took its place in time.
      expect(judgement.outcomes.writes.pending).toBe(0);
    },
    counts.nodeKills * 30_000 + 120_000,
  );

  it(
    `a data node stopped for some seconds and continued, ${counts.nodePauses} times under load, never answers with what is old`,
    async () => {
      const judgement = await underLoad(cluster, { consistency: 'strong', random }, async () => {
        for (let round = 0; round < counts.nodePauses; round++) {
          const node = cluster.doors.nodes[round % cluster.doors.nodes.length]?.name as string;
          await cluster.pause(node);
          await pause(2_500 + random() * 1_000);
          await cluster.resume(node);
          await pause(1_000);
        }
      });
      figures['node paused'] = {
        ...judgement.latencyMs,
        longestGapMs: judgement.longestGapMs,
        outcomes: judgement.outcomes,
      };
      tell({ scenario: 'data node paused', repetitions: counts.nodePauses, failures: failuresOf(judgement) });
      expect(failed(judgement)).toEqual([]);
    },
    counts.nodePauses * 15_000 + 120_000,
  );

  it.each(drawnOne<Consistency>('cluster, a portal killed', ['session', 'strong']))(
    `kill -9 of a portal, ${counts.portalKills} times under load, breaks connections and no promise: %s`,
    async (consistency) => {
      const judgement = await underLoad(cluster, { consistency, random }, async () => {
        const first = Math.floor(random() * cluster.doors.portals.length);
        for (let round = first; round < first + counts.portalKills; round++) {
          const portal = cluster.doors.portals[round % cluster.doors.portals.length]?.name as string;
          await pause(200 + random() * 300);
          await cluster.kill(portal);
          await pause(random() * 500);
          await cluster.start(portal);
        }
      });
      const failures = judgement.faults.length + unexcused(judgement).length;
      tell({ scenario: `portal killed, ${consistency}`, repetitions: counts.portalKills, failures });
      expect(unexcused(judgement)).toEqual([]);
    },
    counts.portalKills * 30_000 + 120_000,
  );

  it(
    `without any master for ${counts.withoutMastersMs / 1000} s no read or write fails, and a portal started meanwhile serves`,
    async () => {
      const names = cluster.doors.masters.map((master) => master.name);
      const judgement = await underLoad(cluster, { consistency: 'strong', random }, async () => {
        for (const name of names) await cluster.kill(name);
        await pause(counts.withoutMastersMs / 2);
        const portal = await PortalProcess.start({ KAFKA_BROKERS: brokers, LEVEE_TOPIC_PREFIX: cluster.doors.prefix });
        const late = new RespClient('late', { ports: [portal.respPort], consistency: 'strong' });
        await late.set('written-without-masters', 'yes');
        expect(await late.get('written-without-masters')).toBe('yes');
        late.close();
        expect(await portal.end()).toBe(0);
        await pause(counts.withoutMastersMs / 2);
        for (const name of names) await cluster.start(name);
        await reigning(cluster);
      });
      figures['no master'] = { ...judgement.latencyMs, longestGapMs: judgement.longestGapMs };
      tell({
        scenario: `no master for ${counts.withoutMastersMs / 1000} s, a portal starts meanwhile`,
        repetitions: 1,
        failures: failuresOf(judgement),
      });
      expect(failed(judgement)).toEqual([]);
    },
    counts.withoutMastersMs + 180_000,
  );
});
