import type { PartitionFeed } from '@levee/follow';
import { LogFailure, systemClock } from '@levee/log';
import { dice, full, seed } from '../../../test/support/seed';
import { until } from '../../data-node/test/small-cluster';
import { FedReplica, feedOf } from './fed-replica';
import { ScriptedLog } from './scripted-log';

const walks = full ? 200 : 12;
const stepsBetweenLooks = 12;
const looks = 5;
const membersMax = 3;

/**
 * Replicas of one partition, at random places of a log that is cut and grows again, whose disks stand still or fail,
 * and that come and go. At every look the faults end for a moment: each replica then has exactly what the log has (I1,
 * I12, I13), all of them in one tail, and claimed no end that was not there when it was asked for (I4).
 */
class Walk {
  readonly log = new ScriptedLog();
  readonly struck = { cuts: 0, rebuilds: 0, failures: 0, holds: 0, apart: 0 };
  private readonly feed: PartitionFeed;
  private readonly members: FedReplica[] = [];
  /** How the log's end went, by the monotonic clock. */
  private readonly ends: { readonly atMs: number; readonly end: number }[] = [];
  private number = 0;
  /** Something that they had read was cut away. */
  private readonly cut = new Set<FedReplica>();

  constructor(private readonly random: () => number) {
    this.feed = feedOf(this.log);
    this.log.idleMs = 3;
    this.log.lateMs = () => (this.below(3) === 0 ? this.below(40) : 0);
    this.noteEnd();
  }

  async run(): Promise<void> {
    try {
      for (let look = 0; look < looks; look++) {
        for (let step = 0; step < stepsBetweenLooks; step++) {
          await this.step();
          await this.moment();
        }
        await this.look();
      }
    } finally {
      for (const member of this.members) member.letGo();
      this.feed.close();
    }
  }

  private below(count: number): number {
    return Math.floor(this.random() * count);
  }

  private async moment(): Promise<void> {
    for (let turns = this.below(6); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
    if (this.below(4) === 0) await new Promise((resolve) => setTimeout(resolve, 4));
  }

  private async step(): Promise<void> {
    const { log, struck } = this;
    const member = this.members[this.below(this.members.length)];
    const what = this.below(14);
    if (member === undefined || (what === 0 && this.members.length < membersMax)) return this.join();
    if (what <= 4) return this.write(1 + this.below(30));
    if (what === 5) {
      log.batchRecordsMax = [1, 3, 10, 512][this.below(4)] as number;
      return;
    }
    if (what === 6) {
      struck.holds++;
      return member.hold();
    }
    if (what === 7) return member.letGo();
    if (what === 8) return log.failTails(new LogFailure('LOG_UNAVAILABLE', 'cut'));
    if (what === 9) {
      this.feed.detach(member);
      await this.moment();
      return this.feed.attach(member);
    }
    if (what === 10) return member.fail(new Error('the disk is gone'));
    if (what === 11) {
      log.epoch++;
      return this.write(1);
    }
    if (what === 12) member.hold();
    this.cutAt(Math.max(1, log.end - 1 - this.below(40)));
    // Beyond what anybody saw, or below it.
    this.write(this.below(2) === 0 ? 1 : 60);
  }

  private cutAt(offset: number): void {
    const { log, members, cut, struck } = this;
    for (const member of members) if (offset < Math.max(log.furthest, member.replica.stagedNext(0))) cut.add(member);
    log.cut(offset);
    struck.cuts++;
  }

  private async join(): Promise<void> {
    const member = await FedReplica.open(`member ${this.number++}`);
    this.members.push(member);
    this.feed.attach(member);
  }

  private write(count: number): void {
    for (let i = 0; i < count; i++) {
      const key = `k${this.below(20)}`;
      if (this.below(4) === 0) this.log.delete(key);
      else this.log.put(key, `${this.log.epoch}/${this.log.end}`);
    }
    this.noteEnd();
  }

  private noteEnd(): void {
    this.ends.push({ atMs: systemClock.monotonicMs(), end: this.log.end });
  }

  /** What a node does with a replica that failed or must be built anew. */
  private replaceFailed(): void {
    for (const [index, member] of [...this.members.entries()].reverse()) {
      if (member.failures.length === 0 && member.rebuilds.length === 0) continue;
      this.struck.failures += member.failures.length;
      this.struck.rebuilds += member.rebuilds.length;
      if (member.rebuilds.length > 0 && !this.cut.has(member))
        throw new Error(`${member.name} was built anew for nothing: ${member.rebuilds[0]}`);
      this.judgeClaims(member);
      this.feed.detach(member);
      this.members.splice(index, 1);
    }
  }

  private async look(): Promise<void> {
    const { log } = this;
    if (new Set(this.members.map(({ at }) => at)).size > 1) this.struck.apart++;
    for (const member of this.members) member.letGo();
    this.write(1);
    const since = new Map<FedReplica, number>();
    await until('every replica at the end', async () => {
      this.replaceFailed();
      if (this.members.length === 0) await this.join();
      for (const member of this.members) if (!since.has(member)) since.set(member, member.told.length);
      return this.members.every((each) => each.at === log.end && each.atEndSince(since.get(each) ?? 0));
    });
    for (const member of this.members) {
      expect(await member.contents()).toEqual(log.stateAt(log.end));
      expect(member.replica.stagedEpoch(0)).toBe(log.epochAt(log.end));
      this.judgeClaims(member);
    }
    await until('one tail for all', () => log.followed === 1);
  }

  private judgeClaims({ name, told }: FedReplica): void {
    for (const { nextOffset, atEndMs } of told.splice(0)) {
      if (atEndMs === undefined) continue;
      let there = false;
      for (let i = this.ends.length - 1; i >= 0 && !there; i--) {
        const { atMs, end } = this.ends[i] as (typeof this.ends)[number];
        // Where the log ended at that moment, or later.
        there = end <= nextOffset;
        if (atMs <= atEndMs) break;
      }
      if (!there) throw new Error(`I4: ${name} claims an end at ${nextOffset} that was not there at ${atEndMs}`);
    }
  }
}

describe(`replicas that share the feed of a partition (seed ${seed})`, () => {
  it(`have what the log has, after ${walks} random walks`, async () => {
    const sum = { cuts: 0, rebuilds: 0, failures: 0, holds: 0, apart: 0 };
    for (let number = 0; number < walks; number++) {
      const walk = new Walk(dice(seed * 1_000 + number));
      await walk.run().catch((error: unknown) => {
        throw new Error(`walk ${number} of seed ${seed}`, { cause: error });
      });
      for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += walk.struck[name];
    }
    expect(Object.entries(sum).filter(([, count]) => count === 0)).toEqual([]);
  }, 300_000);
});
