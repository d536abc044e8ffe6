import { submit } from '@levee/journal';
import type { Log } from '@levee/log';
import { TestCluster, topics, until } from './test-cluster';

jest.setTimeout(120_000);

const keys = 4_000;
const heldFrom = 1_000;
const deadlineMs = 60_000;

/** A log that takes so many deletions, and the next ones once `goesOn` resolves. */
function holding(log: Log, from: number, goesOn: () => Promise<void>): Log {
  let deletions = 0;
  const append: Log['append'] = async (topic, partition, records) => {
    deletions += records.filter(({ value }) => value === null).length;
    if (deletions > from && records.some(({ value }) => value === null)) await goesOn();
    return log.append(topic, partition, records);
  };
  return new Proxy(log, {
    get: (target, name) => {
      if (name === 'append') return append;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

describe('a flush while chunks split', () => {
  let cluster: TestCluster;
  let before: string[] = [];
  let send: (...args: (string | Buffer)[]) => Promise<unknown>;

  const chunks = (): string[] => [...cluster.view.state.routesOf('default')].map(({ chunkId }) => chunkId);
  const split = (): Promise<void> =>
    until('both being split', () => !chunks().some((chunkId) => before.includes(chunkId)), deadlineMs);

  beforeAll(async () => {
    cluster = await TestCluster.start(2);
    await cluster.namespace('default', { partitions: 2, chunks: 2, flush: 'sweep' });
    cluster.log = holding(cluster.log, heldFrom, split);
    const limits = { scanPageKeys: 100, appendMs: 2 * deadlineMs };
    ({ send } = cluster.connect(await cluster.portal({ storeLimits: limits })));
  });
  afterAll(() => cluster?.close());

  it('deletes every key that was there, wherever its chunk is by then, and nothing that is written after it', async () => {
    for (let at = 0; at < keys; at += 500)
      await send('MSET', ...Array.from({ length: 500 }, (_, i) => [`k${at + i}`, 'v']).flat());
    before = chunks();
    const flushed = send('FLUSHDB');
    for (const chunkId of before) {
      const payload = { kind: 'split', chunkId, observeMs: 200 };
      await submit(cluster.log, topics, { kind: 'ProposePlan', payload, principal: 'test' });
    }
    await split();
    expect(await flushed).toBe('OK');
    expect(await send('SET', 'after', 'v')).toBe('OK');
    await send('LV.CONSISTENCY', 'strong');
    const [cursor, left] = (await send('SCAN', '0', 'COUNT', '100000')) as [string, string[]];
    expect([cursor, left]).toEqual(['0', ['after']]);
  });
});
