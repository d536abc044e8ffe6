import { rmSync } from 'node:fs';
import { KafkaLog, kafkaLogLimits } from '@levee/log-kafka';
import Redis from 'ioredis';
import { Kafka, logLevel, type Admin } from 'kafkajs';
import { EndClaims } from '../../libs/log-kafka/test/end-claims';
import { BrokerWitness, type Look } from '../../libs/log-kafka/test/old-leader';
import { BrokerNetwork } from '../faults/broker-network';
import { failed, pause, underLoad } from '../support/cluster-under-load';
import { failuresOf, tell } from '../support/counts';
import { CuttableCluster } from '../support/cuttable-cluster';
import { eventually } from '../support/deadline';
import { type Finding, findingsOf } from '../support/findings';
import { levee } from '../support/levee-command';
import { dice, full, seed } from '../support/seed';
import { scratchFolder } from '../support/standalone-process';
import { writeStops } from '../support/write-stops';

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';
const prefix = `three${process.pid}`;
const topic = `${prefix}.binlog.default`;
const partitions = 4;
const partitionsOf = Array.from({ length: partitions }, (_, partition) => partition);
const nodes = ['n1', 'n2', 'n3'];
const brokers = [1, 2, 3];
/** Sees nothing of Kafka but the broker that is cut off, while that is so. */
const blindNode = 'n3';

/** Deposed leaders that went on answering; a repetition in which none did does not count. */
const depositions = full ? 10 : 1;
/** Tails are with the new leader by then: two looks at other brokers, the second of which may find nobody. */
const foundMs = 2 * kafkaLogLimits.leaderLookMs + kafkaLogLimits.requestMs + 3_000;
/** A broker that is slow is not gone: each loss of leadership that nobody brought about could lose records here. */
const patience = { 'broker.session.timeout.ms': '4500', 'replica.lag.time.max.ms': '6000' } as const;
/** A record that a tail waits for at the right broker is read within this, also on a machine that is busy. */
const readMs = 5_000;
/** Past this a leader that nobody confirms is not believed. */
const doubtMs = kafkaLogLimits.leaderDoubtMs + 500;
const heldMs = doubtMs + 3_000;

interface NodeStatus {
  readonly replicas: ReadonlyArray<{
    readonly positions: ReadonlyArray<{
      readonly partition: number;
      readonly nextOffset: number;
      readonly ageMs: number | null;
      readonly cut: { readonly keysAtStake?: number } | null;
    }>;
  }>;
}

/** Three brokers and a controller of their own, with proxies wherever they call each other. */
describe('three brokers of which one is cut off, or comes back alone', () => {
  const random = dice(seed);
  const dir = scratchFolder('three-brokers');
  const figures: Record<string, unknown> = {};
  let network: BrokerNetwork;
  let deployment: CuttableCluster;
  let admin: Admin;
  let redis: Redis;
  let reader: Redis;

  /** Each at a portal of its own. */
  function connect(): void {
    for (const each of [redis, reader]) each?.disconnect();
    [redis, reader] = deployment.cluster.respPorts.map((port) => {
      const client = new Redis(port, '127.0.0.1', { commandTimeout: 20_000 });
      return client.on('error', () => undefined);
    }) as [Redis, Redis];
  }

  beforeAll(async () => {
    network = await BrokerNetwork.of(brokers.length);
    deployment = await CuttableCluster.start({
      args: ['--dir', dir, '--masters', '1', '--partitions', `${partitions}`, '--chunks', '4', '--replicas', '3'],
      env: { LEVEE_TOPIC_PREFIX: prefix, LEVEE_LOG_LEVEL: 'error' },
      kafkaNodes: 3,
      kafkaSettings: { 'unclean.leader.election.enable': 'true', ...patience },
      kafkaWishes: { apart: true, between: network },
      nodes: nodes.length,
      behind: [blindNode],
    });
    const client = { clientId: 'three', brokers: [...deployment.kafka.brokers], logLevel: logLevel.NOTHING };
    admin = new Kafka(client).admin();
    await admin.connect();
    connect();
  }, 240_000);

  afterAll(async () => {
    for (const each of [redis, reader]) each?.disconnect();
    await admin?.disconnect().catch(() => undefined);
    const said = await deployment?.end();
    await network?.close();
    for (const [what, figure] of Object.entries(figures))
      process.stdout.write(`three brokers, seed ${seed}, ${what}: ${JSON.stringify(figure)}\n`);
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    expect(said).toBe('');
  }, 120_000);

  const positionOf = async (name: string, partition: number) => {
    const url = deployment.cluster.doors.nodes.find((node) => node.name === name)?.http;
    const answer = await fetch(`${url}/v1/node`, { signal: AbortSignal.timeout(3_000) });
    const { replicas } = (await answer.json()) as NodeStatus;
    const found = replicas.flatMap(({ positions }) => positions).find((each) => each.partition === partition);
    if (found === undefined) throw new Error(`${name} shows no partition ${partition}`);
    return found;
  };
  const inSync = async (): Promise<number[][]> => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return (topics[0]?.partitions ?? []).map(({ isr }) => isr);
  };
  const allInSync = (): Promise<boolean> =>
    eventually(
      'all replicas are in sync',
      async () => (await inSync()).every((isr) => isr.length === brokers.length),
      60_000,
      200,
    );

  describe('a leader that is cut off from controller and brokers, but not from clients', () => {
    interface Round {
      /** Answers of the deposed leader with its old watermark, after the new one had more. */
      readonly staleAnswers: number;
      readonly foundAfterMs: number;
      readonly ageMs: number;
    }

    async function deposed(): Promise<Round> {
      const partition = Math.floor(random() * partitions);
      const witnesses = brokers.map((_, i) => new BrokerWitness(addressOf(deployment.kafka.brokers[i] as string)));
      const witness = (id: number): BrokerWitness => witnesses[id - 1] as BrokerWitness;
      const blindWay = deployment.kafkaOf(blindNode);
      const sighted = await KafkaLog.open({ brokers: deployment.kafka.brokers, clientId: 'sighted' });
      const blind = await KafkaLog.open({ brokers: blindWay.addresses, clientId: 'blind' });
      const seeing = new EndClaims(sighted, topic, partition);
      const unseeing = new EndClaims(blind, topic, partition);
      const mends: Array<() => void> = [];
      try {
        await eventually('both stand at the end', () => seeing.claims.length > 3 && unseeing.claims.length > 3);
        await allInSync(); // else there is nobody to follow the leader
        const before = await eventually('a leader', async () => {
          const now = await witness(1).leadership(topic, partition);
          return now.leader > 0 ? now : undefined;
        });
        const old = witness(before.leader);
        const peers = brokers.filter((id) => id !== before.leader);
        const peer = witness(peers[0] as number);
        const others = peers.map(witness);
        old.begin({ topicId: before.topicId, leaderEpoch: before.epoch, partition });
        await eventually('it tells its end', () => old.looks.at(-1)?.errorCode === 0, 30_000);
        mends.push(blindWay.cutTo(peers.map((id) => id - 1)), network.cut(before.leader));
        await eventually(
          'another leader',
          async () => {
            const now = await peer.leadership(topic, partition);
            return now.epoch > before.epoch && now.leader !== before.leader && now.leader > 0;
          },
          60_000,
        );
        const deposedMs = performance.now();
        // On a machine that is busy the next leader may be followed by another one: both of the others are asked.
        for (const one of others) one.begin({ topicId: before.topicId, leaderEpoch: -1, partition });
        // Its last word may be older than what it has: asked again, it says what it had when it was cut off.
        const looks = old.looks.length;
        await eventually('the deposed leader tells its end again', () => old.looks.length >= looks + 2, 30_000);
        const ownEnd = (): number => old.looks.at(-1)?.highWatermark ?? NaN;
        const fresh = (): Look[] => others.flatMap(({ looks: of }) => of.filter(({ errorCode }) => errorCode === 0));
        const newEnd = (): number => Math.max(...fresh().map(({ highWatermark }) => highWatermark));
        await eventually(
          'the new leader takes appends',
          () => {
            const said = others.map(({ looks: of, trouble }) => trouble ?? JSON.stringify(of.at(-1)));
            return newEnd() > ownEnd() || Promise.reject(new Error(`${ownEnd()}, the others ${said.join(' and ')}`));
          },
          60_000,
        );
        const end = newEnd();
        // By then tails are with it; what it takes later is read soon.
        const foundUntilMs = Math.max(deposedMs + foundMs, performance.now() + readMs);
        await eventually('a tail reads them', () => seeing.nextOffset >= end, foundUntilMs - performance.now());
        for (const name of nodes.filter((each) => each !== blindNode))
          await eventually(
            `${name} applies them`,
            async () => (await positionOf(name, partition)).nextOffset >= end,
            Math.max(readMs, foundUntilMs - performance.now()),
          );
        const foundAfterMs = performance.now() - deposedMs;
        await pause(deposedMs + heldMs - performance.now());

        const told = fresh();
        const stale = old.looks.filter(
          ({ atMs, errorCode, highWatermark }) =>
            errorCode === 0 && told.some((look) => look.atMs < atMs && look.highWatermark > highWatermark),
        );
        const { ageMs, nextOffset } = await positionOf(blindNode, partition);
        const acknowledged = told.map(({ atMs, highWatermark }) => ({ atMs, offset: highWatermark - 1 }));
        // Until somebody else has said who leads, a few seconds, its word counts; not a moment longer.
        const untrue = [seeing, unseeing].map((claims) =>
          claims.falseAt(acknowledged).filter(({ endAskedMs }) => endAskedMs > deposedMs + doubtMs),
        );
        expect(untrue).toEqual([[], []]);
        expect(nextOffset).toBeLessThan(end);
        expect(ageMs).toBeGreaterThan(heldMs - doubtMs - 1_000);
        for (const mend of mends.splice(0)) mend();
        await eventually('who was blind reads on', () => unseeing.nextOffset >= end, 30_000);
        await eventually(
          `${blindNode} applies them`,
          async () => (await positionOf(blindNode, partition)).nextOffset >= end,
          30_000,
        );
        for (const { failure, offsets } of [seeing, unseeing]) {
          expect(failure).toBeUndefined();
          expect(offsets.findIndex((offset, i) => i > 0 && offset <= (offsets[i - 1] as number))).toBe(-1);
        }
        return { staleAnswers: stale.length, foundAfterMs, ageMs: ageMs ?? NaN };
      } finally {
        for (const mend of mends) mend();
        await Promise.all([seeing, unseeing].map((claims) => claims.end()));
        await Promise.all([sighted, blind].map((log) => log.close()));
        await Promise.all(witnesses.map((each) => each.end()));
      }
    }

    it(
      `I4, I5: ${depositions} times: it answers fetches with its old watermark; tails leave it, its word ages, strong reads have every acknowledged write`,
      async () => {
        const rounds: Round[] = [];
        const judgement = await underLoad(deployment.cluster, { consistency: 'strong', random }, async () => {
          for (let tries = 0; rounds.length < depositions && tries < depositions + 2; tries++) {
            const round = await deposed();
            if (round.staleAnswers >= 10) rounds.push(round);
            await allInSync();
          }
        });
        figures['deposed leaders'] = { rounds, ...judgement };
        tell({
          scenario: `leader cut off from its peers, not from clients: ${rounds.reduce((sum, { staleAnswers }) => sum + staleAnswers, 0)} stale answers; strong reads`,
          repetitions: rounds.length,
          failures: failuresOf(judgement),
          figure: 'ms until tails were with the new leader',
          values: rounds.map(({ foundAfterMs }) => foundAfterMs),
        });
        expect(rounds).toHaveLength(depositions);
        expect(failed(judgement)).toEqual([]);
      },
      depositions * 150_000 + 120_000,
    );
  });

  describe('an unclean election', () => {
    const kept = Array.from({ length: 60 }, (_, i) => `kept:${i}`);
    const lost = Array.from({ length: 200 }, (_, i) => `lost:${i}`);
    const more = Array.from({ length: 80 }, (_, i) => `more:${i}`);
    const portal = (): string => deployment.cluster.doors.portals[0]?.http ?? '';
    const witnesses = (): Promise<Finding[]> => findingsOf(portal(), 'replica-witness');

    /** Acknowledged by every replica. */
    async function write(pairs: ReadonlyArray<readonly [string, string | null]>): Promise<void> {
      await redis.call('LV.ACK', 'all');
      const pipeline = redis.pipeline();
      for (const [key, value] of pairs) value === null ? pipeline.del(key) : pipeline.set(key, value);
      for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error;
    }
    const read = async (names: readonly string[], consistency: 'eventual' | 'strong') => {
      await reader.call('LV.CONSISTENCY', consistency);
      return reader.mget(...names);
    };
    const said = (work: Promise<unknown>): Promise<string> =>
      work.then(String, (error: Error) => error.message.split(' ')[0] as string);
    const rebuilds = async (): Promise<number> => {
      const texts = await Promise.all(
        deployment.cluster.doors.nodes.map(async ({ http }) => (await fetch(`${http}/metrics`)).text()),
      );
      return texts.reduce(
        (sum, text) => sum + Number(/^levee_node_rebuilds_total\S* (\d+)/m.exec(text)?.[1] ?? NaN),
        0,
      );
    };

    /** This broker misses what `meanwhile` writes, and then leads alone: what it missed is gone from the log. */
    async function comesBackAlone(stale: number, meanwhile: () => Promise<void>): Promise<void> {
      const { kafka } = deployment;
      const others = brokers.filter((id) => id !== stale);
      await kafka.kill(stale);
      await eventually(
        'the others go on without it',
        async () => (await inSync()).every((isr) => isr.length === others.length && !isr.includes(stale)),
        30_000,
        100,
      );
      await meanwhile();
      const before = new BrokerWitness(addressOf(kafka.brokers[(others[0] as number) - 1] as string));
      const epochs = await Promise.all(partitionsOf.map((partition) => before.leadership(topic, partition)));
      await before.end();
      await kafka.kill(...others);
      await kafka.restart(stale);
      const alone = new BrokerWitness(addressOf(kafka.brokers[stale - 1] as string));
      await eventually(
        'it leads everything',
        async () => {
          const now = await Promise.all(partitionsOf.map((partition) => alone.leadership(topic, partition)));
          return now.every(({ leader, epoch }, i) => leader === stale && epoch > (epochs[i]?.epoch ?? NaN));
        },
        30_000,
        100,
      );
      await alone.end();
      await kafka.restart(...others);
      await allInSync();
    }

    /** Everybody who must says what is at stake; nothing is cleared; who reads `eventual` goes on. */
    async function standsStill(): Promise<void> {
      const namesAll = (finding: string): boolean =>
        partitionsOf.every((partition) =>
          new RegExp(
            `partition ${partition} from offset \\d+ to \\d+ \\(\\d+ keys such as [^;]+; deletions not counted\\)`,
          ).test(finding),
        );
      await eventually(
        'the doctor names every replica',
        async () => (await witnesses()).filter(({ finding }) => namesAll(finding)).length === nodes.length,
        90_000,
        500,
      );
      const [first] = await witnesses();
      expect(first?.finding).toMatch(/^the log of default lost partition \d+ from offset \d+ to \d+/);
      expect(first?.command).toContain('levee log repair default');
      for (const { http } of deployment.cluster.doors.nodes) {
        const ready = await fetch(`${http}/health/ready`, { signal: AbortSignal.timeout(3_000) });
        expect(ready.status).toBe(503);
        const text = await ready.text();
        for (const partition of partitionsOf)
          expect(text).toMatch(new RegExp(`partition ${partition} from offset \\d+ to \\d+, \\d+ keys such as`));
      }
      for (const name of nodes)
        for (const partition of partitionsOf)
          expect(Number((await positionOf(name, partition)).cut?.keysAtStake)).toBeGreaterThan(0);
      await eventually('it takes no writes', async () => (await writeStops(redis)).length === partitions, 60_000, 200);
      expect(await said(redis.set(lost[0] as string, 'other'))).toBe('LVSTOPPED');
    }

    async function goesOn(): Promise<void> {
      await eventually('no witness is left', async () => (await witnesses()).length === 0, 60_000, 250);
      for (const door of [redis, reader])
        await eventually('no partition stands still', async () => (await writeStops(door)).length === 0, 60_000, 250);
      await eventually('writes go on', () => write(kept.map((key) => [`${key}:after`, '1'])).then(() => true), 60_000);
    }

    it('I14: the stale broker is elected, the log loses acknowledged writes, the replicas keep them, and repair brings them back', async () => {
      const stale = 1 + Math.floor(random() * brokers.length);
      await write(kept.map((key) => [key, 'old']));
      await comesBackAlone(stale, () =>
        write([
          ...lost.map((key) => [key, key] as const),
          ...kept.slice(0, 20).map((key) => [key, null] as const),
          ...kept.slice(20, 30).map((key) => [key, 'changed'] as const),
        ]),
      );
      await standsStill();
      const values = kept.map((_, i) => (i < 20 ? null : i < 30 ? 'changed' : 'old'));
      expect(await read(lost, 'eventual')).toEqual(lost);
      expect(await read(kept, 'eventual')).toEqual(values);
      expect(await rebuilds()).toBe(0);

      const dry = await levee(portal(), ['log', 'repair', 'default']);
      expect([dry.code, dry.stderr]).toEqual([0, '']);
      expect(dry.stdout).toContain('nothing was changed; with --yes');
      const done = await levee(portal(), ['log', 'repair', 'default', '--yes', '--timeout', '120s']);
      expect([done.code, done.stderr]).toEqual([0, '']);
      await goesOn();
      expect(await read(lost, 'strong')).toEqual(lost);
      expect(await read(kept, 'strong')).toEqual(values);
      await allInSync();
    }, 300_000);

    it('I14: and in another one accept-loss lets go what was lost, and only that', async () => {
      const stale = 1 + Math.floor(random() * brokers.length);
      await comesBackAlone(stale, () => write(more.map((key) => [key, key])));
      await standsStill();
      expect(await read(more, 'eventual')).toEqual(more);
      const done = await levee(portal(), ['log', 'accept-loss', 'default', '--yes', '--timeout', '120s']);
      expect([done.code, done.stderr]).toEqual([0, '']);
      // Kafka gives lost positions again: who has seen one begins anew.
      connect();
      await goesOn();
      expect(await read(more, 'strong')).toEqual(more.map(() => null));
      expect(await read(lost, 'strong')).toEqual(lost);
      tell({
        scenario: 'unclean election of three brokers: repair, then accept-loss',
        repetitions: 2,
        failures: 0,
      });
    }, 300_000);
  });
});

function addressOf(text: string): { host: string; port: number } {
  const [host = '', port] = text.split(':');
  return { host, port: Number(port) };
}
