import { asOffset, asPartition, failureCode } from '@levee/kernel';
import type { Log } from '@levee/log';

interface Claim {
  readonly nextOffset: number;
  /** Monotonic ms at which the end was asked for: so old is a replica that believes it. */
  readonly endAskedMs: number;
}

/** Reads one partition from its beginning; remembers where it stood, and when it was told that this is the end. */
export class EndClaims {
  readonly claims: Claim[] = [];
  readonly offsets: number[] = [];
  nextOffset = 0;
  failure: string | undefined;
  private readonly stop = new AbortController();
  private readonly reading: Promise<void>;

  constructor(log: Log, topic: string, partition: number) {
    this.reading = this.read(log, topic, partition);
  }

  /** Claims of an end that a record acknowledged before the question had passed already. */
  falseAt(acknowledged: ReadonlyArray<{ readonly atMs: number; readonly offset: number }>): Claim[] {
    return this.claims.filter(({ nextOffset, endAskedMs }) =>
      acknowledged.some(({ atMs, offset }) => atMs < endAskedMs && offset >= nextOffset),
    );
  }

  async end(): Promise<void> {
    this.stop.abort();
    await this.reading;
  }

  private async read(log: Log, topic: string, partition: number): Promise<void> {
    const from = { nextOffset: asOffset(0), leaderEpoch: -1 };
    const options = { idleMs: 100, signal: this.stop.signal };
    try {
      for await (const batch of log.tail(topic, asPartition(partition), from, options)) {
        for (const { offset } of batch.records) this.offsets.push(offset);
        this.nextOffset = batch.nextOffset;
        const { nextOffset, endOffset, endAskedMs } = batch;
        if (nextOffset >= endOffset && endAskedMs !== undefined) this.claims.push({ nextOffset, endAskedMs });
      }
    } catch (error) {
      this.failure = `${failureCode(error)}: ${(error as Error).message}`;
    }
  }
}
