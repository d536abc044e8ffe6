import { Kafka, logLevel, type Admin } from 'kafkajs';
import { KafkaLog, type KafkaLogLimits } from '@levee/log-kafka';
import { tell } from '../../../test/support/counts';
import { eventually } from '../../../test/support/deadline';
import { dice, full, seed } from '../../../test/support/seed';
import { expectTruth, Follower, Ledger } from './append-ledger';
import { KafkaProcess } from './kafka-process';

const partitions = 4;
const rounds = full ? 12 : 2;
/** Another seed begins with another one. */
const firstNode = Math.floor(dice()() * 3);
/** Sixteen callers without a rest take whatever processor there is, from what a fault needs too. */
const callersRestMs = full ? 0 : 4;
/** Faults of the last scenario, of all kinds together. */
const faults = full ? 100 : 6;
/** Longer than the session (1 s) and the client's patience (3 s): another leader is elected and used. */
const pausedMs = 4000;

let kafka: KafkaProcess;
let admin: Admin;

beforeAll(async () => {
  kafka = await KafkaProcess.start(3);
  admin = new Kafka({ clientId: 'faults', brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
}, 120_000);

afterAll(async () => {
  await admin?.disconnect();
  await kafka?.stop();
}, 30_000);

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Load {
  readonly rounds: number;
  readonly limits?: Partial<KafkaLogLimits>;
  readonly restMs?: (caller: number) => number;
}

async function underLoad(
  name: string,
  { rounds: count, limits = {}, restMs = () => callersRestMs }: Load,
  round: (n: number, topic: string) => Promise<void>,
): Promise<Ledger> {
  const log = await KafkaLog.open({ brokers: kafka.brokers, clientId: 'kills', limits });
  try {
    const settings = { 'min.insync.replicas': '2', 'message.timestamp.type': 'LogAppendTime' };
    const topic = `${name}-${process.pid}`;
    await log.ensureTopics([{ name: topic, partitions, settings, replicationFactor: 3 }]);
    const follower = new Follower(log, topic, partitions);
    const ledger = new Ledger(log, topic, { partitions, callersPerPartition: 4, restMs });
    await eventually('the load begins', () => ledger.acknowledged.length > 200, 40_000);
    for (let n = 0; n < count; n++) {
      await round(n, topic);
      // Every partition goes on after each fault.
      const before = ledger.acknowledged.length;
      const goOn = (): boolean => {
        const since = ledger.acknowledged.slice(before);
        return Array.from({ length: partitions }, (_, p) => p).every((p) => since.some((a) => a.partition === p));
      };
      await eventually('every partition takes appends again', goOn, 40_000);
    }
    await ledger.end();
    await follower.reach((await log.offsets(topic)).map(({ endOffset }) => endOffset));
    expectTruth(ledger, follower);
    // A process that was not there reads the same.
    const another = await KafkaLog.open({ brokers: kafka.brokers, clientId: 'afterwards' });
    const late = new Follower(another, topic, partitions);
    await late.reach((await another.offsets(topic)).map(({ endOffset }) => endOffset));
    await another.close();
    expectTruth(ledger, late);
    return ledger;
  } finally {
    await log.close();
  }
}

async function leaderOf(topic: string, partition: number): Promise<{ leader: number; replicas: number[] }> {
  return eventually('a leader', async () => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const found = topics[0]?.partitions.find(({ partitionId }) => partitionId === partition);
    return found !== undefined && found.leader > 0 ? found : undefined;
  });
}

/** Takes the partition away from its leader while batches wait there for their followers, then gives it back. */
async function depose(topic: string, partition: number): Promise<void> {
  const { leader, replicas } = await leaderOf(topic, partition);
  const others = [1, 2, 3].filter((node) => node !== leader);
  const assign = (to: number[]): Promise<unknown> =>
    admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment: [{ partition, replicas: to }] }] });
  await assign(others);
  await eventually('another leader', async () => (await leaderOf(topic, partition)).leader !== leader);
  await assign([...others, ...replicas.filter((node) => node === leader)]);
  await eventually('three replicas again', async () => {
    const now = await leaderOf(topic, partition);
    return new Set(now.replicas).size === 3;
  });
}

describe('log-kafka on three brokers', () => {
  it('I15: brokers killed in turn under load: nothing is lost, doubled or reordered, and nobody hears of it', async () => {
    const ledger = await underLoad('kills', { rounds }, async (n) => {
      const node = ((firstNode + n) % 3) + 1;
      await kafka.kill(node);
      await pause(300);
      await kafka.restart(node);
    });
    expect(ledger.failures).toEqual([]);
    expect(ledger.acknowledged.length).toBeGreaterThan(1000);
  }, 300_000);

  it('a broker that stands still and comes back as a deposed leader neither loses nor doubles anything', async () => {
    const ledger = await underLoad('pauses', { rounds }, async (n) => {
      const node = ((firstNode + n) % 3) + 1;
      await kafka.pause(node);
      await pause(pausedMs);
      await kafka.resume(node);
    });
    expect(ledger.failures).toEqual([]);
  }, 300_000);

  it(`I2, I3, I20: leaders killed, paused and deposed ${faults} times while callers give up early (seed ${seed}): what was acknowledged is there, what failed definitely never is`, async () => {
    const random = dice();
    const struck = { killed: 0, paused: 0, deposed: 0 };
    // Patience shorter than a fault lasts (a killed leader is replaced after 0.8 s at the earliest): callers hear of it.
    // Who rests now and then calls while the leader is away, and is never sent.
    const limits = { appendDeadlineMs: 500, requestMs: 400, produceMs: 250 };
    const restMs = (caller: number): number => (caller % 2 === 0 ? callersRestMs : random() * 250);
    const ledger = await underLoad('faults', { rounds: faults, limits, restMs }, async (n, topic) => {
      const partition = Math.floor(random() * partitions);
      const kind = n % 5;
      if (kind === 1) {
        const { leader } = await leaderOf(topic, partition);
        await kafka.pause(leader);
        await pause(1500 + Math.floor(random() * 2500));
        await kafka.resume(leader);
        struck.paused++;
      } else if (kind === 3) {
        const { leader } = await leaderOf(topic, partition);
        await kafka.kill(leader);
        await pause(Math.floor(random() * 600));
        await kafka.restart(leader);
        struck.killed++;
      } else {
        await depose(topic, partition);
        struck.deposed++;
      }
    });
    expect(struck.killed).toBeGreaterThan(0);
    expect(struck.paused).toBeGreaterThan(0);
    expect(struck.deposed).toBeGreaterThan(0);
    expect({ unknown: ledger.unknown.size > 0, definite: ledger.definite.size > 0 }).toEqual({
      unknown: true,
      definite: true,
    });
    tell({
      scenario: `appends over three brokers: ${struck.killed} leaders killed, ${struck.paused} paused, ${struck.deposed} deposed; ${ledger.acknowledged.length} acknowledged, ${ledger.unknown.size} unknown, ${ledger.definite.size} definitely failed`,
      repetitions: faults,
      failures: 0,
    });
  }, 1_800_000);
});
