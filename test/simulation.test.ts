import { type CrashPoint, crashPointsOf, pointsIn, written } from './simulation/crash-points';
import { crashRun } from './simulation/crash-run';
import { doublePointsOf } from './simulation/double-points';
import { failover, nodeLoss } from './simulation/failure-scenarios';
import { judgeCluster } from './simulation/last-judgement';
import { scenarios } from './simulation/scenarios';
import { namespace, shapeDefault, SimulatedCluster } from './simulation/simulated-cluster';
import { VirtualTime } from './simulation/virtual-time';
import { shuffled } from './support/crash-points';
import { dice, full, seed } from './support/seed';

jest.setTimeout(180_000);

describe('virtual time', () => {
  it('stands still while anything can run, then jumps to the next event, first asked first served', async () => {
    const time = new VirtualTime();
    const seen: string[] = [];
    const note = (text: string): void => void seen.push(`${time.nowMs} ${text}`);
    await time.run(async () => {
      time.after(3_600_000, () => note('an hour later'));
      time.after(20, () => note('second of its time'));
      time.after(10, () => note('first'));
      time.after(20, () => note('third'));
      const cancel = time.after(15, () => note('never'));
      setImmediate(() => note('a turn of the event loop'));
      await Promise.resolve();
      cancel();
      note('a promise');
      await time.sleep(3_600_001);
    }, 4_000_000);
    expect(seen).toEqual([
      '0 a promise',
      '0 a turn of the event loop',
      '10 first',
      '20 second of its time',
      '20 third',
      '3600000 an hour later',
    ]);
  });

  it.each([
    ['setTimeout', (): unknown => setTimeout(() => undefined, 1)],
    ['now', (): unknown => Date.now()],
    ['performance.now', (): unknown => performance.now()],
    ['random', (): unknown => Math.random()],
  ])('fails a run that asks the real world: %s', async (name, ask) => {
    const time = new VirtualTime();
    const asking = time.run(
      () =>
        Promise.resolve()
          .then(ask)
          .catch(() => undefined)
          .then(() => time.sleep(1)),
      1_000,
    );
    await expect(asking).rejects.toThrow(`${name} in virtual time`);
  });

  it('leaves the clock alone that all suites of a worker share', async () => {
    const shared = performance;
    const asked = await new VirtualTime().run(() => Promise.resolve(shared.now()), 1_000);
    expect(performance.now()).toBeGreaterThanOrEqual(asked);
  });

  it('fails when nothing is left to happen, or when the script takes too long', async () => {
    await expect(new VirtualTime().run(() => new Promise(() => undefined), 1_000)).rejects.toThrow('nothing is left');
    const time = new VirtualTime();
    await expect(time.run(() => time.sleep(2_000), 1_000)).rejects.toThrow('not over after 1000 ms');
  });
});

describe('the simulated cluster', () => {
  // A quick run draws some; the crash matrix lets each of them run undisturbed.
  const repeated = full ? scenarios : shuffled(scenarios, dice(seed)).slice(0, 2);

  it.each(repeated.map((scenario) => [scenario.name, scenario] as const))(
    '%s: the same seed gives the same trace',
    async (_name, scenario) => {
      const [first, again] = [await crashRun(scenario, { seed }), await crashRun(scenario, { seed })];
      expect(first.faults).toEqual([]);
      expect(first.operations).toBeGreaterThan(20);
      expect(again.hash).toBe(first.hash);
      expect(again.virtualMs).toBe(first.virtualMs);
    },
  );

  it('another seed gives another trace', async () => {
    const [one, other] = [await crashRun(failover, { seed }), await crashRun(failover, { seed: seed + 1 })];
    expect(other.hash).not.toBe(one.hash);
  });

  it('a crash at one effect gives the same trace each time too', async () => {
    const quiet = await crashRun(failover, { seed, keepEffects: true });
    const effect = quiet.effects.find(({ kind, role }) => role === 'standby' && kind === 'append levee.journal');
    expect(effect).toBeDefined();
    const point = {
      scenario: failover.name,
      effect: effect?.number ?? 0,
      when: 'after',
      victim: effect?.process ?? '',
      action: 'kill',
      awayMs: 1_500,
      says: 'the claimant dies right after its claim',
    } as const;
    const runs = [
      await crashRun(failover, { seed, points: [point] }),
      await crashRun(failover, { seed, points: [point] }),
    ];
    expect(runs.map(({ faults }) => faults)).toEqual([[], []]);
    expect(runs[0]?.hash).toBe(runs[1]?.hash);
    expect(runs[0]?.hash).not.toBe(quiet.hash);
    expect(runs[0]?.said).toContain(`-- ${point.victim} is killed`);
  });

  it('two points of one run are repeated exactly by what is written of them', async () => {
    const quiet = await crashRun(failover, { seed, keepEffects: true });
    const points = crashPointsOf(failover.name, quiet.effects, seed);
    const first = points.find(({ action, victim }) => action === 'kill' && victim.startsWith('n')) as CrashPoint;
    const { effects } = await crashRun(failover, { seed, points: [first], keepEffects: true });
    const doubles = doublePointsOf(first, effects, seed);
    expect(doubles.length).toBeGreaterThanOrEqual(3);
    for (const double of doubles.slice(0, 2)) {
      const runs = [
        await crashRun(failover, { seed, points: double }),
        await crashRun(failover, { seed, points: pointsIn(written(double)) }),
      ];
      expect(runs.map(({ faults }) => faults)).toEqual([[], []]);
      expect(runs[0]?.hash).toBe(runs[1]?.hash);
      for (const { victim } of double) expect(runs[0]?.said).toMatch(new RegExp(`-- ${victim} is (killed|paused)`));
    }
  });

  it('a process that was killed does nothing any more, and comes back with what its disk holds', async () => {
    const cluster = new SimulatedCluster({ ...shapeDefault, replicas: 3, seed });
    await cluster.time.run(async () => {
      await cluster.start();
      const storeId = cluster.nodes.get('n1')?.part.identity.storeId;
      const process = cluster.processOf('n1');
      const written: string[] = [];
      cluster.kill('n1');
      cluster.trace.watch = ({ process: name, kind }) => void (name === 'n1' && written.push(kind));
      await cluster.time.sleep(5_000);
      expect(process?.alive).toBe(false);
      expect(written).toEqual([]);
      expect(cluster.view.state.node('n1')?.state).toBe('suspect');
      cluster.restart('n1');
      await cluster.ready();
      expect(cluster.nodes.get('n1')?.part.identity.storeId).toBe(storeId);
      expect(cluster.nodes.get('n1')?.part.stats()['rebuilds']).toBe(0);
    }, 120_000);
    await cluster.time.run(() => cluster.end(), 240_000);
  });

  it('a paused process misses time, and goes on where it stood', async () => {
    const cluster = new SimulatedCluster({ ...shapeDefault, seed });
    await cluster.time.run(async () => {
      await cluster.start();
      const master = cluster.activeMaster() ?? '';
      cluster.pause(master);
      await cluster.time.until('another master', () => cluster.activeMaster() !== undefined, 10_000);
      expect(cluster.activeMaster()).not.toBe(master);
      cluster.resume(master);
      await cluster.time.until(
        'the deposed master standing by',
        () => cluster.masters.get(master)?.part.candidacy.role === 'standby',
        10_000,
      );
      expect(await judgeCluster(cluster)).toEqual([]);
    }, 120_000);
    await cluster.time.run(() => cluster.end(), 240_000);
  });

  it('the judge sees one key that is missing in one replica, and one that is there too much', async () => {
    const cluster = new SimulatedCluster({ ...shapeDefault, seed });
    await cluster.time.run(async () => {
      await cluster.start();
      const store = cluster.keyValue('p1');
      const owner = store.namespace(namespace);
      await store.put(owner, Buffer.from('k'), Buffer.from('v'), { ack: 'all' });
      expect(await judgeCluster(cluster)).toEqual([]);
      const damaged = [...cluster.disks.values()].some((disk) => disk.forget(Buffer.from('k')));
      expect(damaged).toBe(true);
      const faults = await judgeCluster(cluster);
      expect(faults.filter((fault) => fault.startsWith('I1')).length).toBeGreaterThanOrEqual(2);
    }, 120_000);
    await cluster.time.run(() => cluster.end(), 240_000);
  });

  it('bytes wait while a way is cut, and arrive in their order when it is healed', async () => {
    const cluster = new SimulatedCluster({ ...shapeDefault, replicas: 3, seed });
    await cluster.time.run(async () => {
      await cluster.start();
      const store = cluster.keyValue('p1');
      const owner = store.namespace(namespace);
      const nodes = [...cluster.nodes.keys()];
      for (const node of nodes) cluster.network.cut('p1', node);
      const read = store.get(owner, Buffer.from('k'), { consistency: 'strong' }).then(
        () => 'read',
        (error: { code?: string }) => error.code ?? String(error),
      );
      expect(await read).toMatch(/^LV(UNAVAILABLE|BEHIND)$/);
      cluster.network.heal();
      await store.put(owner, Buffer.from('k'), Buffer.from('v'), { ack: 'primary' }).catch(() => undefined);
      await cluster.time.sleep(6_000);
      const entry = await store.get(owner, Buffer.from('k'), { consistency: 'strong' });
      expect(entry?.value.toString()).toBe('v');
    }, 120_000);
    await cluster.time.run(() => cluster.end(), 240_000);
  });

  it('node loss: what was unsynced goes with the power, and comes again from the log', async () => {
    const quiet = await crashRun(nodeLoss, { seed, keepEffects: true });
    const effect = quiet.effects.filter(({ kind, role }) => kind === 'unit write' && role === 'node').at(-1);
    const point = {
      scenario: nodeLoss.name,
      effect: effect?.number ?? 0,
      when: 'after',
      victim: effect?.process ?? '',
      action: 'power',
      awayMs: 3_000,
      says: 'a machine loses its power right after a write',
    } as const;
    const run = await crashRun(nodeLoss, { seed, points: [point] });
    expect(run.faults).toEqual([]);
    expect(run.said).toContain('its machine loses power');
  });
});
