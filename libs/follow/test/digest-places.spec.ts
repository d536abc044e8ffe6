import type { PartitionFeed } from '@levee/follow';
import { until } from '../../data-node/test/small-cluster';
import { systemClock } from '@levee/log';
import { FedReplica, feedOf } from './fed-replica';
import { ScriptedLog, scriptedPlace } from './scripted-log';

/** A topic of others has no barriers: replicas are asked to digest at positions. */
describe('digests at positions', () => {
  let log: ScriptedLog;
  let feed: PartitionFeed;

  beforeEach(() => {
    log = new ScriptedLog();
    feed = feedOf(log, () => undefined, { ...scriptedPlace, sourceTopicId: 'id-1' });
    for (let i = 0; i < 100; i++) log.put(`k${i % 10}`, `${i}`);
  });
  afterEach(() => feed.close());

  async function open(name: string): Promise<FedReplica> {
    const member = await FedReplica.open(name);
    member.digesting = true;
    return member;
  }

  async function atTheEnd(member: FedReplica): Promise<void> {
    await until(`${member.name} at the end`, () => member.at === log.end && member.atEndSince(0));
  }

  const order = (digestPlan: string, nextOffset: number, timeMs = 1): void =>
    feed.digestAt({ digestPlan, chunks: [], nextOffset, timeMs });

  it('who stands there digests at once, who is below it exactly when it comes there, who is past it never', async () => {
    const member = await open('a');
    feed.attach(member);
    await atTheEnd(member);
    const end = log.end;
    order('past', end - 1);
    order('here', end);
    await until('the digest at the end', () => member.digests.length === 1);
    order('soon', end + 3);
    order('later', end + 5);
    for (let i = 0; i < 8; i++) log.put(`new${i}`, 'v');
    await until('the records behind', () => member.at === log.end);
    expect(member.digests).toEqual([
      `here at ${end}, applied ${end}`,
      `soon at ${end + 3}, applied ${end + 3}`,
      `later at ${end + 5}, applied ${end + 5}`,
    ]);
  });

  it('two replicas that share a tail digest at the same place, and a batch is split there', async () => {
    const [a, b] = [await open('a'), await open('b')];
    for (const member of [a, b]) feed.attach(member);
    await Promise.all([atTheEnd(a), atTheEnd(b)]);
    const end = log.end;
    order('both', end + 2);
    for (let i = 0; i < 5; i++) log.put(`new${i}`, 'v');
    await until('both', () => a.digests.length + b.digests.length === 2);
    expect([a.digests, b.digests]).toEqual([
      [`both at ${end + 2}, applied ${end + 2}`],
      [`both at ${end + 2}, applied ${end + 2}`],
    ]);
  });

  it('who missed what compaction removed is silent until it has stood at the end (I11)', async () => {
    const behind = await open('behind');
    log.removed.add(40);
    log.batchRecordsMax = 10;
    order('missed', 60);
    feed.attach(behind);
    await atTheEnd(behind);
    expect(behind.digests).toEqual([]);
    order('at the end', log.end);
    await until('a digest', () => behind.digests.length > 0);
    expect(behind.digests).toEqual([`at the end at ${log.end}, applied ${log.end}`]);
    // And again, in a record that comes while it follows.
    const end = log.end;
    log.removed.add(end + 1);
    log.batchRecordsMax = 2;
    order('between', end + 4);
    behind.hold();
    for (let i = 0; i < 12; i++) log.put(`new${i}`, 'v');
    behind.letGo();
    await until('the records behind', () => behind.at === log.end);
    expect(behind.digests).toHaveLength(1);
  });

  it('of a topic that forgets by age, an order is not answered once what it counts may be gone (I1)', async () => {
    feed.close();
    // A third of it is the margin at most, and half of that is for clocks: 10 s.
    feed = feedOf(log, () => undefined, { ...scriptedPlace, sourceTopicId: 'id-1' }, { hiddenAfterMs: 60_000 });
    const member = await open('a');
    feed.attach(member);
    await atTheEnd(member);
    const nowMs = systemClock.nowMs();
    order('late', log.end, nowMs - 12_000);
    order('late, and to come', log.end + 1, nowMs - 12_000);
    order('in time', log.end, nowMs - 5_000);
    await until('a digest', () => member.digests.length === 1);
    log.put('new', 'v');
    await until('the record behind', () => member.at === log.end);
    expect(member.digests).toEqual([`in time at ${log.end - 1}, applied ${log.end - 1}`]);
  });

  it('a topic that begins above 0 is read from where it begins', async () => {
    Object.assign(log, { offsets: () => Promise.resolve([{ partition: 0, startOffset: 30, endOffset: log.end }]) });
    const fresh = await open('fresh');
    feed.attach(fresh);
    await atTheEnd(fresh);
    expect(log.begun[0]?.nextOffset).toBe(30);
    order('whole', log.end);
    await until('a digest', () => fresh.digests.length === 1);
  });
});
