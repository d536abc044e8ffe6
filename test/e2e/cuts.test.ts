import { rmSync } from 'node:fs';
import { BatchDamage } from '../faults/kafka-batches';
import type { FaultyPath } from '../faults/faulty-path';
import type { Judgement } from '../history/judgement';
import { failed, pause, reigning, underLoad } from '../support/cluster-under-load';
import { failuresOf, tell } from '../support/counts';
import { CuttableCluster } from '../support/cuttable-cluster';
import { shuffled } from '../support/crash-points';
import { eventually } from '../support/deadline';
import { drawnSome } from '../support/drawn';
import { bound, dice, full, seed } from '../support/seed';
import { scratchFolder } from '../support/standalone-process';

const rounds = full ? 3 : 1;
const faultMs = full ? 4_000 : 2_500;

/** All of them in a full run; a few, drawn with the seed, otherwise; of these fewer in a whole run. */
const drawn = (at: string, of: readonly Fault[], few: number, fewOfRun: number): readonly Fault[] => {
  if (full) return of;
  const some = shuffled(of, dice(seed + of.length)).slice(0, few);
  return drawnSome(`cuts, ${at}`, some, fewOfRun, ([name]) => name);
};

type Fault = readonly [name: string, begin: (path: FaultyPath) => () => void];

/** Ways of one process to others that are cut, half cut, slow, reset or damaged, while everything else works. */
describe('a cluster whose network fails', () => {
  const random = dice(seed);
  const figures: Record<string, unknown> = {};
  const dir = scratchFolder('cuts');
  const damage = new BatchDamage(random);
  let levee: CuttableCluster;

  beforeAll(async () => {
    levee = await CuttableCluster.start({
      args: ['--dir', dir, '--partitions', '8', '--chunks', '8', '--replicas', '3'],
      env: { LEVEE_TOPIC_PREFIX: `cuts${process.pid}` },
      kafkaNodes: 1,
      nodes: 3,
      behind: ['p1', 'n1', 'm1', 'm2'],
      tapOf: (name) => (name === 'p1' || name === 'n1' ? damage.tap : undefined),
    });
  }, 240_000);

  afterAll(async () => {
    const said = await levee?.end();
    for (const [what, figure] of Object.entries(figures))
      process.stdout.write(`cuts, seed ${seed}, ${what}: ${JSON.stringify(figure)}\n`);
    rmSync(dir, { recursive: true, force: true });
    expect(said).toBe('');
  }, 120_000);

  const note = (what: string, judgement: Judgement, excused = false): void => {
    const { faults, outcomes, longestGapMs, latencyMs, reasons } = judgement;
    figures[what] = { outcomes, longestGapMs, latencyMs, reasons };
    const failures = excused ? faults.length : failuresOf(judgement);
    const values = [latencyMs.reads.max];
    tell({ scenario: what, repetitions: rounds, failures, figure: 'ms of the slowest read', values });
  };

  const resets = (path: FaultyPath): (() => void) => {
    const timer = setInterval(() => path.reset(), 250);
    return () => clearInterval(timer);
  };

  const faults: readonly Fault[] = [
    ['cut', (path) => path.cut()],
    ['deaf: nothing comes back', (path) => path.lose('toClient')],
    ['mute: nothing goes out', (path) => path.lose('toServer')],
    ['slow by 100 ms', (path) => path.delay(100)],
    ['reset four times a second', resets],
    ['frames damaged', (path) => path.damage('toClient', { share: 0.02, random, where: 'first byte' })],
  ];
  /** What TCP's checksum misses: noticed by those of requests and answers, wherever the bit is. */
  const flips: readonly Fault[] = [
    ['bits of requests flipped', (path) => path.damage('toServer', { share: 0.2, random, where: 'any bit' })],
    ['bits of answers flipped', (path) => path.damage('toClient', { share: 0.2, random, where: 'any bit' })],
  ];

  /**
   * The fault holds for a while, ends for a while, `rounds` times. Each time it has met traffic: `call` sees to some,
   * where the load alone may leave the path alone. It does not end before `meanwhile` has been done.
   */
  const during = async (
    pathOf: () => FaultyPath | Promise<FaultyPath>,
    begin: (path: FaultyPath) => () => void,
    call: () => Promise<void> = async () => undefined,
    meanwhile: () => Promise<void> = async () => undefined,
  ): Promise<void> => {
    for (let round = 0; round < rounds; round++) {
      const path = await pathOf();
      const { struck } = path;
      const end = begin(path);
      try {
        await Promise.all([pause(faultMs), meanwhile()]);
        await eventually(
          'the fault strikes',
          async () => {
            if (path.struck === struck) await call();
            return path.struck > struck;
          },
          30_000,
        );
      } finally {
        end();
      }
      await pause(1_000);
    }
  };

  /** At the portal of whose ways nothing befalls, one after the other: each is taken. */
  const writeBeside = async (): Promise<void> => {
    const url = `${levee.cluster.doors.portals[1]?.http}/v1/kv/default/beside`;
    for (let i = 0; i < 10; i++) {
      const answer = await fetch(url, { method: 'PUT', body: `${i}`, signal: AbortSignal.timeout(20_000) });
      expect([answer.status, await answer.text()]).toEqual([204, '']);
    }
  };

  /** Keys of all chunks, at any replica: portals call nodes that the load does not ask for anything. */
  const readEverywhere = async (): Promise<void> => {
    const init = { headers: { 'levee-consistency': 'eventual' }, signal: AbortSignal.timeout(20_000) };
    const urls = levee.cluster.doors.portals.flatMap(({ http }) =>
      Array.from({ length: 32 }, (_, i) => `${http}/v1/kv/default/key-${i}`),
    );
    await Promise.all(urls.map(async (url) => (await fetch(url, init)).arrayBuffer()));
  };

  /**
   * The node that strong reads and acks go to most. A node that was cut off may have no primary any more, and nothing
   * gives it one here: the next fault at its door would strike nobody.
   */
  const busiest = async (): Promise<string> => {
    const [portal] = levee.cluster.doors.portals;
    const answer = await fetch(`${portal?.http}/v1/routes/default`, { signal: AbortSignal.timeout(10_000) });
    const { routes } = (await answer.json()) as { routes: { replicas: { nodeId: string; role: string }[] }[] };
    const primaries = new Map<string, number>();
    for (const { replicas } of routes)
      for (const { nodeId, role } of replicas)
        if (role === 'primary') primaries.set(nodeId, (primaries.get(nodeId) ?? 0) + 1);
    const [most] = [...primaries].sort(([, a], [, b]) => b - a);
    if (most === undefined) throw new Error('no chunk has a primary');
    return most[0];
  };

  it.each([...drawn('portals and a node', faults, 2, 1), ...drawn('bits at a door', flips, 2, 1)])(
    'portals and a node: %s; no read or write fails, no strong read is stale',
    async (what, begin) => {
      const nodes = new Set<string>();
      const pathOf = async (): Promise<FaultyPath> => {
        const nodeId = await busiest();
        nodes.add(nodeId);
        return levee.doorOf(nodeId);
      };
      const judgement = await underLoad(levee.cluster, { consistency: 'strong', random }, () =>
        during(pathOf, begin, readEverywhere),
      );
      note(`door of ${[...nodes].join(', ')} ${what}`, judgement);
      expect(failed(judgement)).toEqual([]);
      for (const nodeId of nodes)
        await eventually(`portals talk to ${nodeId} again`, async () => {
          await readEverywhere();
          return levee.doorOf(nodeId).connections > 0;
        });
    },
    rounds * 15_000 + 120_000,
  );

  it.each(drawn('a portal and Kafka', faults, 3, 2))(
    'a portal and Kafka: %s; writes through it wait or fail by kind, the other portal notices nothing, all resumes',
    async (what, begin) => {
      const path = levee.kafkaOf('p1');
      const judgement = await underLoad(levee.cluster, { consistency: 'session', random }, () =>
        during(() => path, begin, undefined, writeBeside),
      );
      note(`p1 and Kafka ${what} (failures of p1 by kind do not count)`, judgement, true);
      expect(judgement.longestGapMs.writes).toBeLessThan(bound(2_000));
      expect(judgement.reasons.filter((reason) => !/LVDEFINITE|LVINDEFINITE|LVBEHIND|LVSTALE/.test(reason))).toEqual(
        [],
      );
    },
    rounds * 15_000 + 120_000,
  );

  it.each(drawn('a node and Kafka', faults, 2, 1))(
    'a data node and Kafka: %s; no read or write fails, no strong read is stale',
    async (what, begin) => {
      const path = levee.kafkaOf('n1');
      const judgement = await underLoad(levee.cluster, { consistency: 'strong', random }, () =>
        during(() => path, begin),
      );
      note(`n1 and Kafka ${what}`, judgement);
      expect(failed(judgement)).toEqual([]);
    },
    rounds * 15_000 + 120_000,
  );

  it.each(drawn('the master and Kafka', faults.slice(0, 3), 1, 1))(
    'the active master and Kafka: %s; another one reigns, the old one stands by afterwards, nobody else notices',
    async (what, begin) => {
      const judgement = await underLoad(levee.cluster, { consistency: 'strong', random }, async () => {
        for (let round = 0; round < rounds; round++) {
          const before = await reigning(levee.cluster);
          const end = begin(levee.kafkaOf(before.name));
          const after = await reigning(levee.cluster, { except: before.name });
          expect(after.status.term).toBeGreaterThan(before.status.term);
          end();
          await eventually(
            'only one reigns',
            async () => {
              const now = await reigning(levee.cluster);
              const other = await reigning(levee.cluster, { except: now.name, deadlineMs: 100 }).catch(() => undefined);
              return other === undefined && now.status.term >= after.status.term;
            },
            60_000,
          );
        }
      });
      note(`active master and Kafka ${what}`, judgement);
      expect(failed(judgement)).toEqual([]);
    },
    rounds * 30_000 + 120_000,
  );

  it(
    'two portals whose routes are of different age, sessions hopping between them: no session reads backwards',
    async () => {
      const { cluster } = levee;
      const versionAt = async (portal: number): Promise<number> => {
        const answer = await fetch(`${cluster.doors.portals[portal]?.http}/v1/routes/default`);
        return ((await answer.json()) as { version: number }).version;
      };
      const judgement = await underLoad(cluster, { consistency: 'session', random }, async () => {
        for (let round = 0; round < rounds; round++) {
          const end = levee.kafkaOf('p1').lose('toClient');
          // What came before the cut may still be on its way through the portal.
          const old = await eventually('the deaf portal stands still', async () => {
            const version = await versionAt(0);
            await pause(200);
            return (await versionAt(0)) === version ? version : undefined;
          });
          // One that leads something: else there is nothing that routes could say anew.
          const killed = await busiest();
          await cluster.kill(killed);
          await eventually('one portal knows newer routes', async () => (await versionAt(1)) > old, 60_000);
          expect(await versionAt(0)).toBe(old);
          await pause(faultMs);
          end();
          await cluster.start(killed);
          await eventually('both know the same', async () => (await versionAt(0)) >= (await versionAt(1)), 30_000);
        }
      });
      note('two portals with routes of different age (failures of p1 by kind do not count)', judgement, true);
      expect(judgement.reasons.filter((reason) => !/LVDEFINITE|LVINDEFINITE|LVBEHIND/.test(reason))).toEqual([]);
    },
    rounds * 60_000 + 120_000,
  );

  it(
    'batches that lose a bit between Kafka and a portal or a node are noticed by their CRC, sent and read again',
    async () => {
      const judgement = await underLoad(levee.cluster, { consistency: 'strong', random }, async () => {
        // Where there is less load, more of it, so that it strikes as often.
        damage.share = full ? 0.01 : 0.08;
        await eventually(
          'batches of both kinds were damaged',
          () => damage.damaged.produced > 2 && damage.damaged.fetched > 2,
          30_000,
        );
        damage.share = 0;
      });
      note(`batches damaged ${JSON.stringify(damage.damaged)}`, judgement);
      expect(failed(judgement)).toEqual([]);
    },
    rounds * 15_000 + 120_000,
  );
});
