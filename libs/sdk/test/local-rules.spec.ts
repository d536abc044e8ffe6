import { encodePut } from '@levee/codec';
import { LogFailure } from '@levee/log';
import { eventually } from '../../../test/support/deadline';
import { LocalWorld } from './local-world';

jest.setTimeout(60_000);

const { follow } = new LocalWorld();

describe('what a replica in an application may answer', () => {
  let world: LocalWorld;
  beforeEach(() => {
    world = new LocalWorld();
    world.log.put('k', 'v');
  });
  afterEach(() => world.close());

  it('everything, once it has read its partition to the end; nothing before', async () => {
    for (let i = 0; i < 3_000; i++) world.log.put(`k${i % 700}`, `${i}`);
    world.log.batchRecordsMax = 50;
    world.log.lateMs = () => 5;
    await world.open();
    const seen = new Set<string>();
    await eventually('it is complete', async () => {
      const { isComplete } = world.kept;
      // A key that is in the log, and that a replica which is not complete may not have met yet.
      seen.add((await world.keys.get('k699')) ?? 'absent');
      return isComplete;
    });
    await world.near();
    expect(await world.keys.get('k699')).toBe('2799');
    expect(await world.keys.get('never')).toBeUndefined();
    expect([...seen].sort().filter((value) => value !== '2799')).toEqual(['of the portal']);
    expect(world.kept).toMatchObject({ isComplete: true, problem: undefined });
    expect(world.kept.partitions).toMatchObject([{ partition: 0, nextOffset: world.log.end, keys: 701, loads: 1 }]);
  });

  it('its position and expiry are those of the record', async () => {
    const key = Buffer.from('k');
    const expiresAtMs = Date.now() + 60_000;
    world.log.add(key, encodePut(key, Buffer.from('w'), expiresAtMs));
    await world.open();
    await world.near();
    expect(await world.keys.entry('k')).toMatchObject({
      value: 'w',
      position: '0:3',
      expiresAt: new Date(expiresAtMs),
    });
  });

  it('not what this client wrote before it is there: it waits a moment for it, then a portal answers', async () => {
    await world.open();
    await world.near();
    world.written = `0:${world.log.end + 1}`;
    await world.keys.put('k', 'w');
    const { asked } = world;
    expect(await world.keys.get('k')).toBe('of the portal');
    expect(world.asked).toBe(asked + 1);
    expect(world.status.throughPortals.behind).toBe(1);
    // It may come too late, on a slow machine.
    await eventually('it comes while it is waited for', async () => {
      world.written = `0:${world.log.end + 1}`;
      await world.keys.put('k', 'w');
      const before = world.asked;
      const coming = new Promise<void>((resolve) => setTimeout(() => resolve(world.log.put('k', 'w')), 10));
      const [value] = await Promise.all([world.keys.get('k'), coming]);
      return value === 'w' && world.asked === before;
    });
    // Who accepts any replica waits for nothing.
    world.written = `0:${world.log.end + 1}`;
    await world.keys.put('k', 'x');
    expect(await world.keys.get('k', { consistency: 'eventual' })).toBe('w');
  });

  it('not when the log has said nothing for longer than an answer may be old', async () => {
    await world.open({ stalenessMs: 400 });
    await world.near();
    world.log.idleMs = 1_000_000;
    await eventually('it is too old', async () => (await world.by('k')) === 'portal');
    expect(world.kept.partitions[0]?.ageMs).toBeGreaterThan(400);
    expect(world.kept.isComplete).toBe(false);
    world.log.idleMs = 10;
    world.log.put('k', 'w');
    await eventually('it is young again', async () => (await world.keys.get('k')) === 'w');
  });

  it('not more than the namespace allows, whatever the client accepts', async () => {
    world.facts['follow'] = { ...world.follow, maxStalenessMs: 200 };
    await world.open({ stalenessMs: 60_000 });
    await world.near();
    world.log.idleMs = 1_000_000;
    await eventually('it is too old', async () => (await world.by('k')) === 'portal');
    expect(world.kept.partitions[0]?.ageMs).toBeLessThan(60_000);
  });

  it('by answers that waited for their reader it is not younger than when the log was asked', async () => {
    world.log.answersWaitMs = 5_000;
    await world.open({ stalenessMs: 2_000 });
    await eventually('it has read all', () => world.kept.partitions[0]?.nextOffset === world.log.end);
    expect(await world.by('k')).toBe('portal');
    expect(world.kept.isComplete).toBe(false);
  });

  it('not when no portal has said for so long that the namespace is still this one', async () => {
    await world.open({ stalenessMs: 600 });
    await world.near();
    world.refusal = 'LVNOTREADY it reads the control topics';
    await eventually('nobody has confirmed it', async () => (await world.by('k')) === 'portal');
    expect(world.kept.isComplete).toBe(false);
    await eventually('it is told', () => /control topics/.test(world.kept.problem ?? ''));
    world.refusal = undefined;
    await world.near();
    expect(world.kept.partitions[0]?.loads).toBe(1);
  });

  it('not what portals say that have long heard nothing of decisions themselves', async () => {
    await world.open({ stalenessMs: 1_000 });
    await world.near();
    world.facts['unheardMs'] = 5_000;
    await eventually('nobody has confirmed it', async () => (await world.by('k')) === 'portal');
    expect(world.kept.problem).toMatch(/no portal has said within 1000 ms/);
    world.facts['unheardMs'] = 10;
    await world.near();
  });

  it.each([
    ['there is no such namespace any more', 'LVNAMESPACE there is none', /there is none/],
    ['whoever asks may not read it any more', 'NOPERM user ann may not read it', /may not read/],
  ])('nothing at once when %s, and its memory is given back', async (_, refusal, problem) => {
    await world.open();
    await world.near();
    world.refusal = refusal;
    await eventually('it is dropped', () => world.status.memoryBytes === 0);
    expect(await world.by('k')).toBe('portal');
    expect(world.kept.problem).toMatch(problem);
  });

  it('of another creation of the namespace only what that one holds', async () => {
    await world.open();
    await world.near();
    const before = { ...world.facts };
    // Its log is the same in this test, so that only the rule keeps the replica from answering.
    world.facts = {
      ...before,
      version: 6,
      askedAs: '@shop.orders#2 shop.orders#2',
      follow: { ...world.follow, creation: 'shop.orders#2' },
    };
    await eventually('it is read from the beginning', () => world.kept.isComplete && world.log.begun.length > 2);
    world.facts = { ...world.facts, version: 7, log: 'levee.binlog.shop.orders_3' };
    await eventually(
      'sessions are of another log',
      () => !world.kept.isComplete || world.status.throughPortals.noReplica > 0,
    );
    await eventually('no answer rests on what sessions cannot compare', async () => (await world.by('k')) === 'portal');
    world.facts = { ...before, version: 8 };
    await world.near();
  });

  it('nothing of a partition whose log lost what replicas of nodes hold, as portals say', async () => {
    await world.open();
    await world.near();
    world.facts['stopped'] = [0];
    await eventually('a portal is asked', async () => (await world.by('k')) === 'portal');
    expect(world.kept).toMatchObject({
      isComplete: false,
      problem: expect.stringMatching(/lost what replicas/) as string,
    });
    world.facts['stopped'] = [];
    await world.near();
  });

  it('nothing after the log lost what was seen here, for as long as portals need to find out who holds it', async () => {
    for (let i = 0; i < 20; i++) world.log.put(`k${i}`, 'before');
    const cutMs = 1_500;
    await world.open({ cutMs });
    await world.near();
    const cutAtMs = Date.now();
    world.log.cut(10);
    await eventually('it is told', () => /LOG_TRUNCATED/.test(world.kept.problem ?? ''));
    for (let i = 0; i < 50; i++) world.log.put(`k${i}`, 'after');
    expect(await world.by('k')).toBe('portal');
    expect(world.status.memoryBytes).toBe(0);
    await eventually('it is read from the beginning', () => world.kept.isComplete);
    expect(Date.now() - cutAtMs).toBeGreaterThan(cutMs / 2);
    expect(await world.keys.get('k15')).toBe('after');
  });

  it.each([
    ['was deleted and made anew', { topicId: 'second' }, 2],
    ['got more partitions', { partitions: 2 }, 1],
  ])(
    'nothing of a topic that %s; what is there then is read from the beginning, if it can be',
    async (_, but, loads) => {
      await world.open();
      await world.near();
      const { topic } = world.log;
      world.log.topic = { ...topic, ...but };
      // It is looked at when something is wrong with it, and every minute.
      const failing = setInterval(() => world.log.failTails(new LogFailure('TOPIC_MISSING', 'it is another one')), 50);
      if (loads === 2) await eventually('it is read again', () => world.kept.partitions[0]?.loads === 2);
      else await eventually('it is told', () => /has 2 partitions, the namespace 1/.test(world.kept.problem ?? ''));
      clearInterval(failing);
      if (loads === 1) expect(world.kept.isComplete).toBe(false);
      else await eventually('it is complete', () => world.kept.isComplete);
    },
  );

  it('a record that cannot be interpreted is told as such, not as absent', async () => {
    world.log.add(Buffer.from('bad'), Buffer.from('no put'));
    await world.open();
    await world.near();
    const { asked } = world;
    await expect(world.keys.get('bad')).rejects.toMatchObject({
      name: 'UnreadableError',
      code: 'LVUNREADABLE',
      position: '0:2',
    });
    expect(world.asked).toBe(asked);
  });

  it('a record of a schema that is unknown here a portal is asked for: it may be of a later version', async () => {
    // The mark of a single object, and a fingerprint.
    world.log.add(Buffer.from('later'), Buffer.from('c301ffffffffffffffff00', 'hex'));
    await world.open();
    await world.near();
    expect(await world.keys.get('later')).toBe('of the portal');
    expect(await world.by('later')).toBe('portal');
  });

  it('a stretch that nobody can unpack is passed, as at every other replica', async () => {
    world.log.put('k', 'packed');
    world.log.unreadable.add(world.log.end - 1);
    world.log.put('other', 'w');
    await world.open();
    await world.near();
    expect(await world.keys.getMany(['k', 'other'])).toEqual(['v', 'w']);
  });

  it('nothing while a transaction holds records back that may be acknowledged', async () => {
    world.log.withheld = true;
    await world.open();
    await eventually('it is told', () => /transaction/.test(world.kept.problem ?? ''));
    expect(await world.by('k')).toBe('portal');
    world.log.withheld = false;
    await world.near();
  });

  it('keys are over by the time of portals, not by that of this machine', async () => {
    const key = Buffer.from('soon');
    world.log.add(key, encodePut(key, Buffer.from('w'), Date.now() + 3_600_000));
    await world.open();
    await world.near();
    expect(await world.keys.get('soon')).toBe('w');
    world.aheadMs = 2 * 3_600_000;
    await eventually('it is over', async () => (await world.keys.get('soon')) === undefined);
    await world.near();
    world.aheadMs = 0;
    // What was over stays so, though a portal's clock was set back.
    expect(await world.keys.get('soon')).toBeUndefined();
  });

  it.each([
    ['a portal of an older version', { follow: undefined }, /bring all portals/],
    ['one that does not say which partitions stand still', { stopped: undefined }, /bring all portals/],
    ['one that has heard of no decision yet', { unheardMs: null }, /no portal has said/],
    ['a format of records that is unknown here', { follow: { ...follow, recordFormat: 'new' } }, /in a way known here/],
    ['a hash that is unknown here', { hashAlgorithm: 'new' }, /hashAlgorithm is "new"/],
    ['partitions that cannot be', { partitions: 1e9 }, /partitions is 1000000000/],
    ['one that does not say what it has heard', { unheardMs: undefined }, /bring all portals/],
    ['a namespace that is not served for now', { follow: 'it is creating' }, /it is creating/],
    ['a cluster on the embedded log', { logKind: 'embedded' }, /is embedded.*portals answer/],
    ['the log of another cluster', { follow: { ...follow, clusterId: 'x' } }, /the log is not ours/],
  ])('nothing with %s, which is told', async (_, but, problem) => {
    world.facts = { ...world.facts, ...but };
    await world.open();
    await eventually('it is told', () => problem.test(world.kept.problem ?? ''));
    expect(await world.by('k')).toBe('portal');
    expect(await world.keys.get('k')).toBe('of the portal');
  });
});
