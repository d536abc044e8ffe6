import { writerLimits } from '@levee/journal';
import { silentLogger } from '@levee/kernel';
import { type Log, systemClock } from '@levee/log';
import { Freezes, leaseLimits, type Portal } from '@levee/portal';
import { TestCluster, until } from './test-cluster';

const freeze = { name: 'default', reason: 'export' };
const refused =
  /^-LVFROZEN writes to default are frozen by operator \(export\): nothing was written; .*levee namespace thaw/;

/** The log as one portal sees it, which tests cut off from it: what is asked for then waits. */
class Cable {
  private whole: Promise<void> = Promise.resolve();
  private mendIt: () => void = () => undefined;
  private readonly cut = new Set<string>();

  cutOff(...names: string[]): void {
    for (const name of names) this.cut.add(name);
    this.whole = new Promise((resolve) => (this.mendIt = resolve));
  }

  mend(): void {
    this.cut.clear();
    this.mendIt();
  }

  before(log: Log): Log {
    const passes = (topic: string): Promise<void> =>
      [...this.cut].some((name) => topic.includes(name)) ? this.whole : Promise.resolve();
    const tail: Log['tail'] = async function* (topic, ...rest) {
      for await (const batch of log.tail(topic, ...rest)) {
        await passes(topic);
        yield batch;
      }
    };
    const append: Log['append'] = async (topic, ...rest) => {
      await passes(topic);
      return log.append(topic, ...rest);
    };
    return new Proxy(log, {
      get: (target, name) => {
        if (name === 'tail') return tail;
        if (name === 'append') return append;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  }
}

let cluster: TestCluster;
let own: Log;
const state = () => cluster.view.state.namespace('default')!;
const isConfirmed = (): boolean => state().freezeConfirmedSeq !== null;

beforeAll(async () => {
  cluster = await TestCluster.start(1);
  own = cluster.log;
  await cluster.namespace('default', { multi: 'batch', flush: 'sweep' });
  await cluster.portal();
  await cluster.portal();
});

afterEach(async () => {
  await cluster.order('ThawNamespace', { name: 'default' });
  await until('every portal thawed', () =>
    cluster.portals.every((of) => of.store.namespace('default')?.frozen === undefined),
  );
});

afterAll(() => cluster.close());

async function portalBehind(cable: Cable): Promise<Portal> {
  cluster.log = cable.before(own);
  const portal = await cluster.portal();
  cluster.log = own;
  return portal;
}

async function end(portal: Portal): Promise<void> {
  cluster.portals.splice(cluster.portals.indexOf(portal), 1);
  await portal.close();
}

it('every portal refuses every kind of write at its RESP door, and reads of all kinds go on', async () => {
  const connections = cluster.portals.map((portal) => cluster.connect(portal));
  for (const { send } of connections) expect(await send('SET', 'k', 'v')).toBe('OK');
  await cluster.order('FreezeNamespace', freeze);
  await until('the confirmation', isConfirmed);
  for (const { send } of connections) {
    for (const write of [['SET', 'k', 'x'], ['MSET', 'k', 'x'], ['SETEX', 'k', '10', 'x'], ['DEL', 'k'], ['FLUSHDB']])
      expect([write[0], await send(...write)]).toEqual([
        write[0],
        expect.stringMatching(/^-LV(FROZEN|PARTIAL).*frozen by/),
      ]);
    expect(await send('SET', 'k', 'x')).toMatch(refused);
    expect(await send('MULTI')).toBe('OK');
    await send('SET', 'k', 'x');
    await send('GET', 'k');
    expect(await send('EXEC')).toEqual([expect.stringMatching(refused), 'v']);
    for (const consistency of ['eventual', 'session', 'strong']) {
      await send('LV.CONSISTENCY', consistency);
      expect(await send('GET', 'k')).toBe('v');
    }
  }
  await cluster.order('ThawNamespace', { name: 'default' });
  for (const { send } of connections) await until('a write', async () => (await send('SET', 'k', 'v')) === 'OK');
});

it('a portal that says nothing holds the confirmation up, by name; it obeys when it goes on', async () => {
  const cable = new Cable();
  const portal = await portalBehind(cable);
  const { send } = cluster.connect(portal);
  cable.cutOff('journal', 'heartbeats');
  await cluster.order('FreezeNamespace', freeze);
  await until('the others to obey', () =>
    cluster.portals.every((of) => of === portal || of.store.namespace('default')?.frozen !== undefined),
  );
  expect(await send('SET', 'k', 'in spite of it')).toBe('OK');
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(isConfirmed()).toBe(false);
  const { waiting } = await new Freezes(own, cluster.portals[0]!).report('default');
  expect(waiting).toMatchObject([{ process: `portal ${portal.config.instance}`, incarnation: portal.incarnation }]);
  cable.mend();
  await until('the confirmation', isConfirmed);
  expect(await send('SET', 'k', 'x')).toMatch(refused);
  await end(portal);
});

it('a write that is on its way holds the confirmation up', async () => {
  const cable = new Cable();
  const portal = await portalBehind(cable);
  const { send } = cluster.connect(portal);
  cable.cutOff('binlog');
  const written = send('SET', 'k', 'on its way');
  await until('the write under way', () => !portal.store.writing.settled);
  await cluster.order('FreezeNamespace', freeze);
  await until('the portal to obey', () => portal.store.namespace('default')?.frozen !== undefined);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(isConfirmed()).toBe(false);
  cable.mend();
  expect(await written).toBe('OK');
  await until('the confirmation', isConfirmed);
  await end(portal);
});

it('a portal that has ended is not waited for, nor one of which people say so', async () => {
  const ended = await cluster.portal();
  await end(ended);
  const cable = new Cable();
  const silent = await portalBehind(cable);
  cable.cutOff('journal', 'heartbeats');
  await cluster.order('FreezeNamespace', freeze);
  const freezes = new Freezes(own, cluster.portals[0]!);
  const waits = async () => (await freezes.report('default')).waiting.map(({ incarnation }) => incarnation);
  await until('one is left', async () => String(await waits()) === silent.incarnation);
  await expect(freezes.endedOf(['p1'])).rejects.toThrow(/^p1 was heard .* ago: it has not ended$/);
  await expect(freezes.endedOf(['p99'])).rejects.toThrow(/^no portal, or run of one, is called p99: portal p1 \(/);
  await cluster.order('FreezeNamespace', { ...freeze, without: [silent.incarnation] });
  await until('the confirmation', isConfirmed);
  expect(await waits()).toEqual([]);
  cable.mend();
  await end(silent);
});

/** [safety] Taken for gone, it comes back when the freeze is confirmed already. */
it('a portal that was away so long that it was taken for gone writes nothing before it knows of the freeze', async () => {
  const [beats, journal] = [new Cable(), new Cable()];
  let aheadMs = 0;
  const clock = { nowMs: () => systemClock.nowMs() + aheadMs, monotonicMs: () => systemClock.monotonicMs() + aheadMs };
  cluster.log = beats.before(journal.before(own));
  const portal = await cluster.portal({}, silentLogger, clock);
  cluster.log = own;
  const { send } = cluster.connect(portal);
  expect(await send('SET', 'k', 'v')).toBe('OK');
  beats.cutOff('heartbeats');
  journal.cutOff('journal');
  aheadMs = leaseLimits.silentMs + 1_000;
  const closed = await send('SET', 'k', 'x');
  expect(closed).toMatch(
    /^-LVDEFINITE this portal writes nothing for now, the log has taken no heartbeat of it for 6\d s/,
  );
  expect(await send('GET', 'k')).toBe('v');
  await cluster.order('FreezeNamespace', { ...freeze, without: [portal.incarnation] });
  await until('the confirmation', isConfirmed);
  // Not for one turn of the event loop: what waits to be written may be next.
  let slipped = 0;
  portal.view.onDecision(() => {
    const look = (left: number): void => {
      if (portal.leaseProblem === undefined && portal.store.namespace('default')?.frozen === undefined) slipped++;
      if (left > 0) queueMicrotask(() => look(left - 1));
    };
    look(1_000);
  });
  const { sent } = portal.stats()['heartbeats'] as { readonly sent: number };
  beats.mend();
  await until('a heartbeat', () => (portal.stats()['heartbeats'] as { readonly sent: number }).sent > sent);
  journal.mend();
  const answers = new Set<unknown>();
  await until('it knows of the freeze', async () => {
    const answer = await send('SET', 'k', 'x');
    answers.add(String(answer).split(' ')[0]);
    return refused.test(String(answer));
  });
  expect([...answers].filter((each) => each !== '-LVDEFINITE' && each !== '-LVFROZEN')).toEqual([]);
  expect(slipped).toBe(0);
  expect(await send('GET', 'k')).toBe('v');
  await end(portal);
});

it('a portal that begins while writes are frozen obeys from its first command on', async () => {
  await cluster.order('FreezeNamespace', freeze);
  await until('the confirmation', isConfirmed);
  const portal = await cluster.portal();
  expect(await cluster.connect(portal).send('SET', 'k', 'x')).toMatch(refused);
  await end(portal);
});

it('after the thaw it is known who has heard of it', async () => {
  const cable = new Cable();
  const portal = await portalBehind(cable);
  await cluster.order('FreezeNamespace', freeze);
  await until('the confirmation', isConfirmed);
  cable.cutOff('journal');
  await cluster.order('ThawNamespace', { name: 'default' });
  const freezes = new Freezes(own, cluster.portals[0]!);
  const waits = async () => (await freezes.report('default')).waiting.map(({ process: who, why }) => `${who}: ${why}`);
  await until('all others heard', async () => (await waits()).length === 1);
  expect(await waits()).toEqual([expect.stringMatching(/^portal p\d+: it has read decision \d+$/)]);
  cable.mend();
  await until('all heard', async () => (await waits()).length === 0);
  await end(portal);
});

it('is taken for gone long after it has ceased to write', () => {
  const sentMsMax = 120_000;
  const idleConnectionMs = 600_000;
  expect(writerLimits.goneAfterMs).toBeGreaterThan(leaseLimits.silentMs + sentMsMax + idleConnectionMs);
});
