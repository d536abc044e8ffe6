import type { PartitionFeed } from '@levee/follow';
import { LogFailure, systemClock } from '@levee/log';
import { until } from '../../data-node/test/small-cluster';
import { followLimits } from '../src/follow-limits';
import { FedReplica, feedOf } from './fed-replica';
import { ScriptedLog } from './scripted-log';

const moment = (ms = 50): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('the feed of a partition', () => {
  let log: ScriptedLog;
  let feed: PartitionFeed;

  beforeEach(() => {
    log = new ScriptedLog();
    feed = feedOf(log);
  });
  afterEach(() => feed.close());

  /** A replica that has applied the log to its end. */
  async function atTheEnd(name: string): Promise<FedReplica> {
    const member = await FedReplica.open(name);
    feed.attach(member);
    await until(`${name} at the end`, () => member.at === log.end && member.atEndSince(0));
    return member;
  }

  async function detached(member: FedReplica): Promise<void> {
    feed.detach(member);
    await until('its tail being over', () => log.followed === 0);
  }

  it('a replica at the end is not held back by one that is far behind (I16)', async () => {
    for (let i = 0; i < 3_000; i++) log.put(`k${i}`, 'v');
    const fresh = await atTheEnd('fresh');
    await detached(fresh);
    const slow = await FedReplica.open('slow');
    slow.hold();
    feed.attach(slow);
    await until('the slow one being handed something', () => slow.replica.stagedNext(0) > 0);
    const told = fresh.told.length;
    feed.attach(fresh);
    await until('the end being seen again', () => fresh.atEndSince(told));
    log.put('new', 'v');
    await until('the new record', () => fresh.at === log.end);
    expect(slow.at).toBe(0);
    slow.letGo();
    await until('the slow one at the end', () => slow.at === log.end && slow.atEndSince(0));
    await until('one tail for both', () => log.followed === 1);
    expect(await slow.contents()).toEqual(log.stateAt(log.end));
    log.put('last', 'v');
    await until('the last record', () => slow.at === log.end && fresh.at === log.end);
  });

  it('replicas whose tails are answered together share one of them, and none is forgotten', async () => {
    for (let i = 0; i < 50; i++) log.put(`k${i}`, 'v');
    log.batchRecordsMax = 1;
    const members = await Promise.all(['a', 'b', 'c', 'd'].map((name) => FedReplica.open(name)));
    for (const member of members) feed.attach(member);
    await until('the end', () => members.every(({ at }) => at === log.end));
    await until('one tail for all', () => log.followed === 1);
    log.put('last', 'v');
    await until('the last record', () => members.every(({ at }) => at === log.end));
  });

  it('a log that was cut between two replicas and grew again: the one that saw more hears of it (I2, I13)', async () => {
    for (let i = 0; i < 100; i++) log.put(`k${i}`, 'before');
    const ahead = await atTheEnd('ahead');
    await detached(ahead);
    const behind = await FedReplica.open('behind');
    log.batchRecordsMax = 10;
    behind.hold();
    feed.attach(behind);
    await until('the one behind being handed something', () => behind.replica.stagedNext(0) > 0);
    expect(behind.replica.stagedNext(0)).toBeLessThan(50);
    const told = ahead.told.length;
    feed.attach(ahead);
    await until('the end being seen again', () => ahead.atEndSince(told));
    log.cut(50);
    for (let i = 0; i < 100; i++) log.put(`k${i}`, 'after');
    behind.letGo();
    await until('the one behind at the end', () => behind.at === log.end && behind.atEndSince(0));
    await until('the truncation being heard of', () => ahead.rebuilds.length > 0);
    expect(ahead.rebuilds[0]).toMatch(/^LOG_TRUNCATED/);
    expect(behind.rebuilds).toEqual([]);
    expect(await behind.contents()).toEqual(log.stateAt(log.end));
  });

  it('a topic that was missing is looked at as one that nobody knows: another one has the name now', async () => {
    for (let i = 0; i < 30; i++) log.put(`k${i}`, 'before');
    const member = await atTheEnd('member');
    const before = await member.contents();
    const stoodAt = member.at;
    // As long as the one before and of the same epoch, so that no place in it is denied.
    log.records.length = 0;
    for (let i = 0; i < 60; i++) log.put(`k${i}`, 'of another topic');
    log.failTails(new LogFailure('TOPIC_MISSING', 'there is no such topic'));
    await until('the missing Genesis being told', () => member.troubles.some((text) => /is no Genesis/.test(text)));
    await moment(100);
    expect([member.at, await member.contents()]).toEqual([stoodAt, before]);
  });

  it('equal offsets in two histories are not the same place', async () => {
    for (let i = 0; i < 30; i++) log.put(`k${i}`, 'before');
    const ahead = await atTheEnd('ahead');
    await detached(ahead);
    log.cut(20);
    for (let i = 0; i < 11; i++) log.put(`k${i}`, 'after');
    const other = await atTheEnd('other');
    expect(other.at).toBe(ahead.at);
    feed.attach(ahead);
    await until('the truncation being heard of', () => ahead.rebuilds.length > 0);
    expect(other.rebuilds).toEqual([]);
  });

  it('a tail that begins anew asks for the staged place: its offset with its own epoch, not with the applied one', async () => {
    log.put('a', '1');
    const member = await atTheEnd('member');
    member.hold();
    log.epoch = 3;
    log.put('b', '2');
    await until('the second record being handed over', () => member.replica.stagedNext(0) === 3);
    expect(member.at).toBe(2);
    log.failTails(new LogFailure('LOG_UNAVAILABLE', 'cut'));
    await until('the next tail', () => log.begun.at(-1)?.nextOffset === 3);
    expect(log.begun.at(-1)).toEqual({ nextOffset: 3, leaderEpoch: 3 });
    member.letGo();
    log.put('c', '3');
    await until('the end', () => member.at === log.end);
    expect(member.rebuilds).toEqual([]);
  });

  it('a record of a lower epoch than what was read before it is of another log', async () => {
    log.epoch = 5;
    log.put('a', '1');
    const member = await atTheEnd('member');
    log.epoch = 4;
    log.put('b', '2');
    await until('the rebuild', () => member.rebuilds.length > 0);
    expect(member.rebuilds[0]).toMatch(/^LOG_TRUNCATED.*leader epoch 4.*of epoch 5/);
    expect(member.at).toBe(2);
  });

  it('a write that fails while its replica joins another tail is heard of, and nothing is claimed (I12)', async () => {
    log.put('a', '1');
    const other = await atTheEnd('other');
    const member = await FedReplica.open('member');
    member.hold();
    feed.attach(member);
    await until('everything being handed over', () => member.replica.stagedNext(0) === log.end);
    await until('one tail for both', () => log.followed === 1);
    member.fail(new Error('the disk is gone'));
    member.letGo();
    await until('the failure', () => member.failures.length > 0);
    await moment();
    expect(member.failures).toHaveLength(1);
    expect(member.told.filter(({ atEndMs }) => atEndMs !== undefined)).toEqual([]);
    expect(member.at).toBe(0);
    log.put('b', '2');
    await until('the other one goes on', () => other.at === log.end);
  });

  it('what an earlier database of a member had under way says nothing of the next one', async () => {
    log.put('a', '1');
    const first = await FedReplica.open('first');
    const second = await FedReplica.open('second');
    const member = Object.create(first, { replica: { value: first.replica, writable: true } }) as FedReplica;
    first.hold();
    feed.attach(member);
    await until('everything being handed over', () => first.replica.stagedNext(0) === log.end);
    feed.detach(member);
    Object.assign(member, { replica: second.replica });
    second.hold();
    feed.attach(member);
    await until('everything being handed over again', () => second.replica.stagedNext(0) === log.end);
    first.fail(new Error('the old disk is gone'));
    first.letGo();
    await moment();
    expect([member.failures, member.told]).toEqual([[], []]);
    second.letGo();
    await until('the end', () => second.at === log.end && member.atEndSince(0));
  });

  it('while the disk stands still, what waits at the end of the partition is bounded (I16)', async () => {
    const member = await atTheEnd('member');
    const other = await atTheEnd('other');
    await until('one tail for both', () => log.followed === 1);
    member.hold();
    log.batchRecordsMax = 1;
    const value = Buffer.alloc(100_000, 'x');
    const before = feed.counts.batches;
    for (let i = 0; i < 100; i++) {
      log.put(`k${i}`, value);
      // Each one stands at the end when it is read.
      for (let looks = 0; looks < 10 && member.replica.stagedNext(0) < log.end; looks++) await moment(2);
    }
    const taken = feed.counts.batches - before;
    expect(taken).toBeGreaterThan(2);
    expect(taken).toBeLessThanOrEqual(followLimits.applyBytesMax / value.length + 2);
    member.letGo();
    await until('the end', () => member.at === log.end && other.at === log.end);
  });

  it('small records and signs of life are bounded too', async () => {
    const member = await atTheEnd('member');
    log.batchRecordsMax = 1;
    member.hold();
    log.put('a', '1');
    const before = feed.counts.batches;
    for (let i = 0; i < 100; i++) {
      log.put(`k${i}`, 'v');
      await moment(2);
    }
    await moment(300);
    expect(feed.counts.batches - before).toBeLessThanOrEqual(followLimits.applyPiecesMax + 1);
    member.letGo();
    await until('the end', () => member.at === log.end);
  });

  it('a log that closes first ends tails at once: they are asked for again slowly', async () => {
    await atTheEnd('member');
    log.close();
    const before = log.begun.length;
    await moment(500);
    expect(log.begun.length - before).toBeLessThan(10);
  });

  it('a feed that is closed while a tail which failed pauses begins no other tails', async () => {
    log.put('a', '1');
    const members = [await atTheEnd('one'), await atTheEnd('other')];
    await until('one tail for both', () => log.followed === 1);
    let thrown = 0;
    for (const member of members)
      member.mayGoOn = () => {
        thrown++;
        throw new Error('broken');
      };
    log.put('b', '2');
    await until('the failure', () => thrown > 0);
    feed.close();
    await moment(followLimits.feedRetryMinMs * 2);
    expect((feed as unknown as { tails: Set<unknown> }).tails.size).toBe(0);
    expect(log.followed).toBe(0);
  });

  it('I4, I5: an answer that waited proves the end of when it was asked for, not of now', async () => {
    log.answersWaitMs = 3_600_000;
    const nowMs = systemClock.monotonicMs();
    const startedMs = systemClock.nowMs();
    log.put('a', '1');
    const member = await atTheEnd('member');
    expect(member.told.at(-1)?.atEndMs).toBeLessThan(nowMs - 3_500_000);
    expect(member.replica.completeAtMs(0)).toBe(0);
    log.answersWaitMs = 0;
    await until('a new answer', () => member.replica.completeAtMs(0) >= startedMs);
  });

  it('a replica that cannot be trusted any more is handed nothing, and claims nothing', async () => {
    log.put('a', '1');
    const member = await atTheEnd('member');
    member.trusted = false;
    await moment(30);
    const told = member.told.length;
    log.put('b', '2');
    await moment();
    expect([member.told.length, member.at, member.replica.stagedNext(0)]).toEqual([told, 2, 2]);
  });

  it('I17: what nobody can unpack is told with its position, in order, and the replica goes on behind it', async () => {
    for (let i = 0; i < 6; i++) log.put(`key ${i}`, 'x');
    log.add(null, Buffer.from('no key'));
    for (const offset of [2, 3, 6]) log.unreadable.add(offset);
    const told: string[] = [];
    feed = feedOf(log, ({ offset, value }, { reason, toOffset, message }) =>
      told.push(`${offset}-${toOffset ?? ''} ${reason} ${value?.toString()}: ${message}`),
    );
    const member = await atTheEnd('a');
    const why = 'is compressed with zstd and cannot be unpacked; nothing from offset';
    expect(told).toEqual([
      `2-3 unreadableBatch packed: the batch at offset 2 ${why} 2 to 2 was applied`,
      `3-4 unreadableBatch packed: the batch at offset 3 ${why} 3 to 3 was applied`,
      `6-7 unreadableBatch packed: the batch at offset 6 ${why} 6 to 6 was applied`,
      '7- noKey no key: the record has no key',
    ]);
    expect([...(await member.contents()).keys()].sort()).toEqual(['key 0', 'key 3', 'key 4']);
  });
});
