import { submit } from '@levee/journal';
import { asOffset, asPartition } from '@levee/kernel';
import type { Log } from '@levee/log';
import { TestCluster, topics, until } from './test-cluster';

jest.setTimeout(60_000);

/** A log that says nothing to appends for a binlog once `silent` is set: as for a topic that is being deleted. */
class SilentLog {
  silent = false;
  waiting = 0;

  of(log: Log): Log {
    return new Proxy(log, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        if (name !== 'append') return value.bind(target) as unknown;
        return (topic: string, ...rest: unknown[]): unknown => {
          if (!this.silent || !topic.includes('binlog')) return value.call(target, topic, ...rest) as unknown;
          this.waiting++;
          return new Promise(() => undefined);
        };
      },
    });
  }
}

it('what waits in a namespace is answered when that is deleted, not when its time is over', async () => {
  const cluster = await TestCluster.start(1);
  try {
    await cluster.namespace('default', { partitions: 1, chunks: 1 });
    await cluster.namespace('other', { partitions: 1, chunks: 1 });
    const log = new SilentLog();
    const own = cluster.log;
    cluster.log = log.of(own);
    // Nothing here is answered because its time is over.
    const forEver = { readMs: 600_000, appendMs: 600_000, ackMs: 600_000 };
    const portal = await cluster.portal({ storeLimits: { ...forEver, appendsInFlightMax: 1 } });
    const connection = (): ReturnType<TestCluster['connect']>['send'] => cluster.connect(portal).send;
    const [strong, sent, queued, behind, waits] = [
      connection(),
      connection(),
      connection(),
      connection(),
      connection(),
    ];
    expect(await sent('SET', 'k', 'v')).toBe('OK');

    const session = portal.store.namespace('default')!.newSession();
    session.observe(asPartition(0), asOffset(1_000_000));
    expect(await behind('LV.POS', session.encode())).toEqual(expect.anything());
    await strong('LV.CONSISTENCY', 'strong');
    log.silent = true;
    const answers = [sent('SET', 'k', 'w')];
    await until('a write being under way', () => log.waiting === 1);
    answers.push(
      queued('SET', 'k', 'x'),
      strong('GET', 'k'),
      behind('GET', 'k'),
      waits('LV.WAIT', '0:1000000', 'all', '600000'),
    );
    const stats = (): Record<string, number> => portal.store.stats()['appends'] as Record<string, number>;
    await until('all of them waiting', () => {
      const { outstanding } = portal.store.stats()['reads'] as Record<string, number>;
      return stats()['waitingRecords'] === 2 && outstanding === 2 && stats()['positionWaits'] === 1;
    });

    await submit(own, topics, { kind: 'DeleteNamespace', payload: { name: 'default' }, principal: 'test' });
    const gone = 'default was deleted, created anew or rewound';
    expect(await Promise.all(answers)).toEqual([
      `-LVINDEFINITE ${gone} while this write was under way (key 'k')`,
      `-LVNAMESPACE ${gone} (key 'k')`,
      `-LVNAMESPACE ${gone} (key 'k')`,
      `-LVNAMESPACE ${gone} (key 'k')`,
      `-LVPENDING 0:1000000: ${gone}`,
    ]);
    // What the log never answered is tried no more.
    expect(log.waiting).toBe(1);
  } finally {
    await cluster.close();
  }
});
