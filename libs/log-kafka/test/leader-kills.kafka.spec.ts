import { asOffset, asPartition, failureCode } from '@levee/kernel';
import { KafkaLog } from '@levee/log-kafka';
import { KafkaProcess } from './kafka-process';

const partitions = 4;
const rounds = process.env['LEVEE_TEST_FULL'] === undefined ? 3 : 12;
/** Longer than the session (1 s) and the client's patience (3 s): another leader is elected and used. */
const pausedMs = 4000;
const startPosition = { nextOffset: asOffset(0), leaderEpoch: -1 };

let kafka: KafkaProcess;

beforeAll(async () => {
  kafka = await KafkaProcess.start(3);
}, 120_000);

afterAll(async () => {
  await kafka?.stop();
}, 30_000);

/** Callers that append one number after the other, each its own series; remembers what was answered. */
class Ledger {
  readonly acknowledged: Array<{ series: string; n: number; partition: number; offset: number }> = [];
  readonly unknown: Array<{ series: string; n: number }> = [];
  readonly failures: string[] = [];
  private running = true;
  private readonly callers: Array<Promise<void>> = [];

  constructor(
    private readonly log: KafkaLog,
    private readonly topic: string,
    callersPerPartition: number,
  ) {
    for (let partition = 0; partition < partitions; partition++)
      for (let caller = 0; caller < callersPerPartition; caller++)
        this.callers.push(this.call(partition, `${partition}-${caller}`));
  }

  async end(): Promise<void> {
    this.running = false;
    await Promise.all(this.callers);
  }

  private async call(partition: number, series: string): Promise<void> {
    for (let n = 0; this.running; n++) {
      const records = [{ key: Buffer.from(series), value: Buffer.from(`${n}`) }];
      try {
        const { baseOffset } = await this.log.append(this.topic, asPartition(partition), records);
        this.acknowledged.push({ series, n, partition, offset: baseOffset });
      } catch (error) {
        this.failures.push(`${failureCode(error)}: ${(error as Error).message}`);
        if (failureCode(error) === 'OUTCOME_UNKNOWN') this.unknown.push({ series, n });
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }
}

/** A tail over all partitions that runs through everything that happens. */
class Follower {
  readonly seen: Array<Array<{ offset: number; series: string; n: number }>> = Array.from(
    { length: partitions },
    () => [],
  );
  readonly errors: unknown[] = [];
  private readonly stop = new AbortController();
  private readonly loops: Array<Promise<void>>;

  constructor(log: KafkaLog, topic: string) {
    this.loops = this.seen.map((_, partition) => this.follow(log, topic, partition));
  }

  async reach(ends: readonly number[]): Promise<void> {
    const until = performance.now() + 30_000;
    while (this.errors.length === 0 && this.seen.some((seen, p) => (seen.at(-1)?.offset ?? -1) + 1 < (ends[p] ?? 0))) {
      if (performance.now() > until) throw new Error('the follower did not reach the end in 30 s');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    this.stop.abort();
    await Promise.all(this.loops);
  }

  private async follow(log: KafkaLog, topic: string, partition: number): Promise<void> {
    try {
      for await (const batch of log.tail(topic, asPartition(partition), startPosition, { signal: this.stop.signal }))
        for (const { offset, key, value } of batch.records)
          this.seen[partition]?.push({ offset, series: `${key?.toString()}`, n: Number(value?.toString()) });
    } catch (error) {
      this.errors.push(error);
    }
  }
}

async function openLog(): Promise<KafkaLog> {
  return KafkaLog.open({ brokers: kafka.brokers, clientId: 'kills' });
}

function expectTruth(ledger: Ledger, follower: Follower): void {
  expect(follower.errors).toEqual([]);
  const stored = new Map<string, number[]>();
  for (const seen of follower.seen) {
    // One `expect` per record would take longer than the test.
    expect(seen.findIndex(({ offset }, n) => offset !== n)).toBe(-1);
    for (const { series, n } of seen) {
      const numbers = stored.get(series);
      if (numbers === undefined) stored.set(series, [n]);
      else numbers.push(n);
    }
  }
  // Nothing lost: each acknowledged record is at the offset that was answered.
  const misplaced = ledger.acknowledged.filter(({ series, n, partition, offset }) => {
    const at = follower.seen[partition]?.[offset];
    return at?.series !== series || at.n !== n;
  });
  expect(misplaced).toEqual([]);
  // Nothing doubled or reordered: each series is strictly rising, unknown outcomes may be missing.
  const disordered = [...stored.values()].filter((numbers) =>
    numbers.some((n, i) => i > 0 && n <= (numbers[i - 1] ?? n)),
  );
  expect(disordered).toEqual([]);
}

async function waitFor(condition: () => boolean, what: string): Promise<void> {
  const until = performance.now() + 40_000;
  while (!condition()) {
    if (performance.now() > until) throw new Error(`${what}: not within 40 s`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function underLoad(name: string, round: (n: number) => Promise<void>): Promise<Ledger> {
  const log = await openLog();
  try {
    const settings = { 'min.insync.replicas': '2', 'message.timestamp.type': 'LogAppendTime' };
    const topic = `${name}-${process.pid}`;
    await log.ensureTopics([{ name: topic, partitions, settings, replicationFactor: 3 }]);
    const follower = new Follower(log, topic);
    const ledger = new Ledger(log, topic, 4);
    await waitFor(() => ledger.acknowledged.length > 200, 'the load to begin');
    for (let n = 0; n < rounds; n++) {
      await round(n);
      // Every partition goes on after each fault.
      const before = ledger.acknowledged.length;
      await waitFor(() => {
        const since = ledger.acknowledged.slice(before);
        return Array.from({ length: partitions }, (_, p) => p).every((p) => since.some((a) => a.partition === p));
      }, 'every partition to take appends again');
    }
    await ledger.end();
    await follower.reach((await log.offsets(topic)).map(({ endOffset }) => endOffset));
    expectTruth(ledger, follower);
    return ledger;
  } finally {
    await log.close();
  }
}

describe('log-kafka on three brokers', () => {
  it('I15: brokers killed in turn under load: nothing is lost, doubled or reordered, and nobody hears of it', async () => {
    const ledger = await underLoad('kills', async (n) => {
      const node = (n % 3) + 1;
      await kafka.kill(node);
      await new Promise((resolve) => setTimeout(resolve, 300));
      await kafka.restart(node);
    });
    expect(ledger.failures).toEqual([]);
    expect(ledger.acknowledged.length).toBeGreaterThan(1000);
  }, 300_000);

  it('a broker that stands still and comes back as a deposed leader neither loses nor doubles anything', async () => {
    const ledger = await underLoad('pauses', async (n) => {
      const node = (n % 3) + 1;
      await kafka.pause(node);
      await new Promise((resolve) => setTimeout(resolve, pausedMs));
      await kafka.resume(node);
    });
    expect(ledger.failures).toEqual([]);
  }, 300_000);
});
