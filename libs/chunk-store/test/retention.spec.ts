import {
  openMemory,
  prepareBatch,
  type PreparedBatch,
  Replica,
  ReplicaSnapshot,
  scanReplica,
  sweepExpired,
} from '@levee/chunk-store';
import { expiryHeader } from '@levee/codec';
import { asOffset, asPartition } from '@levee/kernel';
import { systemClock } from '@levee/log';
import { dice, full, seed } from '../../../test/support/seed';
import { apply, identity, nowMs, PartitionScript, read, type Write } from './fixtures';

const retentionMs = 100_000;
const marginMs = 25_000;
const hiddenAfterMs = retentionMs - marginMs;
const aging = { ...identity, recordFormat: 'raw', hiddenAfterMs } as const;

const open = async (): Promise<Replica> => Replica.open(await openMemory(), aging);
const script = (): PartitionScript => new PartitionScript(0, 1, 'murmur2', 'raw', hiddenAfterMs);

async function digestOf(replica: Replica, atMs: number): Promise<string> {
  const snapshot = ReplicaSnapshot.take(replica);
  const { digest, keys } = await snapshot.digest(asPartition(0), atMs, systemClock);
  await snapshot.close();
  return `${keys}:${digest}`;
}

describe('a replica of a topic that forgets by age', () => {
  it.each<[string, Partial<Write>, number]>([
    ['at the time that its record says', {}, nowMs + hiddenAfterMs],
    ['of a time long ago: at once', { timestampMs: 5 }, 0],
    ['without a time: at once', { timestampMs: -1 }, 0],
    ['of a time to come: later', { timestampMs: nowMs + 500_000 }, nowMs + 500_000 + hiddenAfterMs],
    ['of a time beyond all: never while anybody looks', { timestampMs: 2 ** 62 }, Number.MAX_SAFE_INTEGER],
    ['earlier, if its header says so', { headers: header(nowMs + 10) }, nowMs + 10],
    ['not later, if its header says so', { headers: header(nowMs + 900_000) }, nowMs + hiddenAfterMs],
    ['as its time says, if its header is no time', { headers: header('soon') }, nowMs + hiddenAfterMs],
  ])('a value expires %s', async (_, write, untilMs) => {
    const replica = await open();
    // What it takes the place of stays replaced.
    await script()
      .append({ key: 'k', value: 'older' }, { key: 'k', value: 'v', ...write })
      .applyTo(replica);
    if (untilMs > 0) expect(read(replica, 'k', untilMs - 1)).toBe('v');
    expect(read(replica, 'k', Math.max(untilMs, nowMs))).toBe('nil');
    const found = replica.get(Buffer.from('k'), untilMs - 1);
    if (untilMs > 0) expect(found).toMatchObject({ expiresAtMs: untilMs });
    await replica.close();
  });

  it('what has expired is not scanned, nor counted, and gives its space back', async () => {
    const replica = await open();
    await script()
      .append({ key: 'old', value: 'v', timestampMs: nowMs - hiddenAfterMs }, { key: 'young', value: 'v' })
      .applyTo(replica);
    const { entries } = await scanReplica(replica, {}, { limit: 10 }, nowMs);
    expect(entries.map(({ key }) => key.toString())).toEqual(['young']);
    const pace = systemClock;
    expect(await sweepExpired(replica, nowMs, pace)).toMatchObject({ liveKeys: 1, removed: 0 });
    expect(await sweepExpired(replica, nowMs + 3_600_000, pace)).toMatchObject({ liveKeys: 0, removed: 1 });
    await replica.close();
  });

  it('one that was built by another age is not opened', async () => {
    const replica = await open();
    await expect(Replica.open(replica.db, { ...aging, hiddenAfterMs: 1 })).rejects.toThrow(
      /its hiddenAfterMs is 75000, expected 1/,
    );
    const { hiddenAfterMs: _, ...never } = aging;
    await expect(Replica.open(replica.db, never)).rejects.toThrow(/its hiddenAfterMs is 75000, expected undefined/);
    await replica.close();
  });

  it(`I1: one that was there always, and one that is built when the topic has let go of its beginning, are the same, of compacted ones too (seed ${seed})`, async () => {
    const random = dice(seed);
    const below = (count: number): number => Math.floor(random() * count);
    for (let round = 0; round < (full ? 200 : 30); round++) {
      const topic = new AgingTopic(script(), below);
      const compacts = round % 2 === 1;
      const always = await open();
      let clockMs = nowMs;
      for (let step = 0; step < 40; step++) {
        clockMs += below(retentionMs / 8);
        topic.append(clockMs);
        if (compacts) topic.compact();
        topic.retain(clockMs);
        await topic.script.applyTo(always, undefined, 1 + below(20));
        if (below(4) > 0) continue;
        const anew = await open();
        await apply(anew, topic.fromStart(always.nextOffset(0)));
        // By an order that is older than the reading, by less than the margin.
        const atMs = clockMs - below(marginMs);
        const model = topic.at(atMs);
        for (const replica of [always, anew]) {
          const held = topic.keys.map((key) => [key, read(replica, key, atMs)] as const);
          expect(Object.fromEntries(held.filter(([, value]) => value !== 'nil'))).toEqual(Object.fromEntries(model));
        }
        expect(await digestOf(anew, atMs)).toBe(await digestOf(always, atMs));
        await anew.close();
      }
      await always.close();
    }
  });
});

function header(at: number | string): NonNullable<Write['headers']> {
  return [{ key: expiryHeader, value: Buffer.from(String(at)) }];
}

/** A partition as Kafka keeps it: whole segments go from its start, each when its newest record is beyond retention. */
class AgingTopic {
  readonly keys = Array.from({ length: 12 }, (_, i) => `k${i}`);
  private readonly segments: { begin: number; end: number; lastModifiedMs: number }[] = [];
  private readonly compacted = new Set<number>();
  private start = 0;

  constructor(
    readonly script: PartitionScript,
    private readonly below: (count: number) => number,
  ) {}

  append(clockMs: number): void {
    const { below, keys } = this;
    const writes = Array.from({ length: 1 + below(6) }, (): Write => ({
      key: keys[below(keys.length)] as string,
      value: below(6) === 0 ? null : `v${this.script.records.length}.${below(1_000)}`,
      timestampMs: this.timeOf(clockMs),
      ...(below(8) === 0 ? { headers: header(clockMs + below(retentionMs * 2)) } : {}),
    }));
    this.script.append(...writes);
    const last = this.segments.at(-1);
    const end = this.script.records.length;
    const begin = end - writes.length;
    if (last === undefined || below(3) === 0) this.segments.push({ begin, end, lastModifiedMs: clockMs });
    else Object.assign(last, { end, lastModifiedMs: clockMs });
  }

  /** Below some place only the last record of each key stays, and not each deletion. */
  compact(): void {
    const { records } = this.script;
    const later = new Set<string>();
    for (let offset = this.start + this.below(records.length - this.start + 1) - 1; offset >= this.start; offset--) {
      const { key, value } = records[offset]!;
      if (later.has(String(key)) || (value === null && this.below(3) === 0)) this.compacted.add(offset);
      later.add(String(key));
    }
  }

  /** Kafka may look at any time, or not for a while. */
  retain(clockMs: number): void {
    if (this.below(3) === 0) return;
    for (let first = this.segments[0]; first !== undefined; first = this.segments[0]) {
      const { begin, end, lastModifiedMs } = first;
      const kept = this.script.records.slice(begin, end).filter(({ offset }) => !this.compacted.has(offset));
      const largestMs = Math.max(-1, ...kept.map(({ timestampMs }) => timestampMs));
      if (clockMs - (largestMs >= 0 ? largestMs : lastModifiedMs) <= retentionMs) return;
      this.segments.shift();
      this.start = end;
    }
  }

  /** What a reader gets that begins where the partition does. */
  fromStart(toOffset: number): PreparedBatch {
    const { batch } = this.script.batch(this.start, toOffset);
    const records = batch.records.filter(({ offset }) => !this.compacted.has(offset));
    return prepareBatch({ ...batch, records, firstOffset: asOffset(0) }, aging);
  }

  /** By all records that there ever were. */
  at(atMs: number): Map<string, string> {
    const found = new Map<string, string>();
    for (const { key, value, timestampMs, headers } of this.script.records) {
      const name = String(key);
      const own = headers[0] === undefined ? Infinity : Number(headers[0].value.toString());
      const untilMs = timestampMs < 0 ? 0 : Math.min(timestampMs + hiddenAfterMs, own);
      if (value === null || untilMs <= atMs) found.delete(name);
      else found.set(name, value.toString());
    }
    return found;
  }

  /** Mostly of now; of producers whose clocks are odd, and of such that say none. */
  private timeOf(clockMs: number): number {
    switch (this.below(12)) {
      case 0:
        return clockMs + this.below(retentionMs * 3);
      case 1:
        return clockMs - this.below(retentionMs * 3);
      case 2:
        return -1;
      default:
        return clockMs;
    }
  }
}
