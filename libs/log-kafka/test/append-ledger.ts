import { asOffset, asPartition, failureCode } from '@levee/kernel';
import type { Log } from '@levee/log';

const startPosition = { nextOffset: asOffset(0), leaderEpoch: -1 };

export interface Acknowledged {
  readonly series: string;
  readonly n: number;
  readonly partition: number;
  readonly offset: number;
}

export interface LoadShape {
  readonly partitions: number;
  readonly callersPerPartition: number;
  /** How long this caller rests after an acknowledgement. */
  readonly restMs?: (caller: number) => number;
}

/** Callers that append one number after the other, each its own series; remembers what was answered. */
export class Ledger {
  readonly acknowledged: Acknowledged[] = [];
  /** `<series> <n>` of what may or may not be stored. */
  readonly unknown = new Set<string>();
  /** `<series> <n>` of what certainly is not stored, and never will be. */
  readonly definite = new Set<string>();
  readonly failures: string[] = [];
  private running = true;
  private readonly callers: Array<Promise<void>> = [];

  constructor(
    private readonly log: Log,
    private readonly topic: string,
    { partitions, callersPerPartition, restMs = () => 0 }: LoadShape,
  ) {
    for (let partition = 0; partition < partitions; partition++)
      for (let caller = 0; caller < callersPerPartition; caller++)
        this.callers.push(this.call(partition, `${partition}-${caller}`, () => restMs(caller)));
  }

  async end(): Promise<void> {
    this.running = false;
    await Promise.all(this.callers);
  }

  private async call(partition: number, series: string, restMs: () => number): Promise<void> {
    for (let n = 0; this.running; n++) {
      const records = [{ key: Buffer.from(series), value: Buffer.from(`${n}`) }];
      try {
        const { baseOffset } = await this.log.append(this.topic, asPartition(partition), records);
        this.acknowledged.push({ series, n, partition, offset: baseOffset });
        const ms = restMs();
        if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
      } catch (error) {
        this.failures.push(`${failureCode(error)}: ${(error as Error).message}`);
        (failureCode(error) === 'OUTCOME_UNKNOWN' ? this.unknown : this.definite).add(`${series} ${n}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }
}

/** A tail over all partitions that runs through everything that happens. */
export class Follower {
  readonly seen: Array<Array<{ offset: number; series: string; n: number }>>;
  readonly errors: unknown[] = [];
  private readonly stop = new AbortController();
  private readonly loops: Array<Promise<void>>;

  constructor(log: Log, topic: string, partitions: number) {
    this.seen = Array.from({ length: partitions }, () => []);
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

  private async follow(log: Log, topic: string, partition: number): Promise<void> {
    try {
      for await (const batch of log.tail(topic, asPartition(partition), startPosition, { signal: this.stop.signal }))
        for (const { offset, key, value } of batch.records)
          this.seen[partition]?.push({ offset, series: `${key?.toString()}`, n: Number(value?.toString()) });
    } catch (error) {
      this.errors.push(error);
    }
  }
}

/**
 * Nothing lost, doubled or untrue: each acknowledged record is at the offset that was answered, nothing is stored twice,
 * nothing that failed definitely is there at all, and what was acknowledged keeps its order.
 */
export function expectTruth(ledger: Ledger, follower: Follower): void {
  expect(follower.errors).toEqual([]);
  const stored = new Map<string, number[]>();
  const twice: string[] = [];
  const untrue: string[] = [];
  const places = new Set<string>();
  for (const seen of follower.seen) {
    // One `expect` per record would take longer than the test.
    expect(seen.findIndex(({ offset }, n) => offset !== n)).toBe(-1);
    for (const { series, n } of seen) {
      const name = `${series} ${n}`;
      if (places.has(name)) twice.push(name);
      places.add(name);
      if (ledger.definite.has(name)) untrue.push(name);
      if (ledger.unknown.has(name)) continue; // may come late
      const numbers = stored.get(series);
      if (numbers === undefined) stored.set(series, [n]);
      else numbers.push(n);
    }
  }
  expect({ twice, untrue }).toEqual({ twice: [], untrue: [] });
  const misplaced = ledger.acknowledged.filter(({ series, n, partition, offset }) => {
    const at = follower.seen[partition]?.[offset];
    return at?.series !== series || at.n !== n;
  });
  expect(misplaced).toEqual([]);
  const disordered = [...stored.values()].filter((numbers) =>
    numbers.some((n, i) => i > 0 && n <= (numbers[i - 1] ?? n)),
  );
  expect(disordered).toEqual([]);
}
