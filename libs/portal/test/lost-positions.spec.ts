import { asOffset, asPartition } from '@levee/kernel';
import { Session } from '@levee/keyspace';
import type { Portal } from '@levee/portal';
import { TestCluster } from './test-cluster';

jest.setTimeout(60_000);

const gone =
  /^-LVSESSION position 0:900 is none of \S+ any more, which ends at 0:\d+: .*write again what is missing( \(key 'k'\))?$/;

/** Written through this portal, by another connection, to a log that was at 900. */
function written(portal: Portal, key: string): void {
  const namespace = portal.store.namespace('default')!;
  const append = { slot: 0, partition: asPartition(0), key: Buffer.from(key), hash: 0 };
  namespace.place(append);
  namespace.writes.note({ ...append, nextOffset: asOffset(900) });
}

describe('a session that saw what the log lost, and that people let go', () => {
  let cluster: TestCluster;
  let portal: Portal;
  let send: (...args: string[]) => Promise<unknown>;

  beforeAll(async () => {
    cluster = await TestCluster.start(1);
    await cluster.namespace('default', { partitions: 1, chunks: 2 });
    portal = await cluster.portal({ storeLimits: { readMs: 2_500 } });
    ({ send } = cluster.connect(portal));
    expect(await send('SET', 'k', 'v')).toBe('OK');
  });
  afterAll(() => cluster.close());

  /** As of a log that was at 900. */
  async function before(): Promise<void> {
    const { name: namespace, binlog, partitions } = cluster.view.state.namespace('default')!;
    const session = new Session({ namespace, binlog, partitions });
    session.observe(asPartition(0), asOffset(900));
    const [, , , positions] = (await send('LV.POS', session.encode())) as unknown[];
    expect(positions).toEqual(['0:900']);
  }

  it.each([
    ['a read', [], ['GET', 'k'], 'v'],
    ['a strong read', ['LV.CONSISTENCY', 'strong'], ['GET', 'k'], 'v'],
    ['a scan', [], ['SCAN', '0', 'COUNT', '1000'], ['0', ['k']]],
  ])('is told so once by %s, and goes on', async (_, first, question, answer) => {
    await before();
    if (first.length > 0) expect(await send(...first)).toBe('OK');
    expect(await send(...question)).toMatch(gone);
    expect(await send(...question)).toEqual(answer);
    expect(await send('SET', 'k', 'v')).toBe('OK');
    expect(await send(...question)).toEqual(answer);
    expect(await send('LV.CONSISTENCY', 'session')).toBe('OK');
  });

  it('that saw nothing is told once too of what another connection wrote through its portal', async () => {
    written(portal, 'k');
    written(portal, 'another');
    expect(await send('GET', 'k')).toMatch(gone);
    expect(await send('GET', 'k')).toBe('v');
    expect(await send('GET', 'another')).toBeNull();
    written(portal, 'k');
    expect(await send('SCAN', '0', 'COUNT', '1000')).toMatch(gone);
    expect(await send('SCAN', '0', 'COUNT', '1000')).toEqual(['0', ['k']]);
  });

  it('is told so by a wait for a position too, which another log may reach', async () => {
    expect(await send('LV.WAIT', '0:900', 'all', '50')).toMatch(gone);
    expect(await send('GET', 'k')).toBe('v');
  });

  it('is never told so of a position that the log holds', async () => {
    for (let i = 0; i < 20; i++) {
      expect(await send('SET', `k${i}`, 'v')).toBe('OK');
      expect(await send('GET', `k${i}`)).toBe('v');
    }
  });
});
