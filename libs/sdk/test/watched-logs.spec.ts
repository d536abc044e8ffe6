import { connect, HistoryError, utf8, type Client, type Namespace, type Watch } from '@levee/sdk';
import { TestCluster, until } from '../../portal/test/test-cluster';

jest.setTimeout(60_000);

/** What the watch tells next; fails when nothing comes in time. */
async function next(watch: Watch<string>): Promise<string> {
  const late = setTimeout(() => void watch.close(), 15_000);
  try {
    const { value, done } = await watch.next();
    if (done === true) throw new Error('nothing came');
    return `${value.key}=${value.value}`;
  } finally {
    clearTimeout(late);
  }
}

describe('positions of a watch are of one topic, and of no other under its name', () => {
  let cluster: TestCluster;
  let client: Client;

  beforeAll(async () => {
    cluster = await TestCluster.start(1);
    await cluster.namespace('default', { partitions: 1, chunks: 1 });
    const { respPort } = await cluster.portal();
    client = await connect({ portals: [`127.0.0.1:${respPort}`] });
  });
  afterAll(async () => {
    await client?.close();
    await cluster?.close();
  });

  const raw = { 'cleanup.policy': 'compact' };
  const write = (topic: string, keys: readonly string[]) =>
    cluster.log.append(
      topic,
      0 as never,
      keys.map((key) => ({ key: Buffer.from(key), value: Buffer.from('v') })),
    );
  const stored = async (name: string): Promise<Namespace<string>> => {
    const store = client.namespace(name).typed(utf8);
    await until('it being there', () =>
      store.status().then(
        () => true,
        () => false,
      ),
    );
    return store;
  };

  it('a topic that is made anew ends a watch that follows it, and one that goes on from a token', async () => {
    const knobs = { partitions: 1, chunks: 1, recordFormat: 'raw' };
    await cluster.namespace('remade', knobs);
    const store = await stored('remade');
    const { binlog } = await store.where('a');
    await using follows = await store.watch();
    await store.put('a', 'v');
    expect(await next(follows)).toBe('a=v');
    const { token } = follows;
    const waits = next(follows);

    const [before] = await cluster.log.describeTopics([binlog]);
    await cluster.log.deleteTopics([binlog]);
    await cluster.log.ensureTopics([{ name: binlog, partitions: 1, settings: before!.settings }]);
    // More than the old one held: positions of that are positions of this one too.
    await write(binlog, ['b', 'c', 'd', 'e', 'f', 'g']);
    await expect(waits).rejects.toThrow(HistoryError);
    await using goesOn = await store.watch({ from: token });
    await expect(next(goesOn)).rejects.toThrow(HistoryError);
  });

  it('a topic of others that is bound again: the same one goes on, one made anew says so', async () => {
    const make = () => cluster.log.ensureTopics([{ name: 'prices', partitions: 1, settings: raw }]);
    const bind = () =>
      cluster.namespace('prices', { sourceTopic: 'prices', recordFormat: 'raw', chunks: 1, partitions: undefined });
    const unbind = async (): Promise<void> => {
      await cluster.order('DeleteNamespace', { name: 'prices' });
      await until('it being gone', () => cluster.view.state.namespace('prices')?.state === 'deleted');
    };
    await make();
    await write('prices', ['a', 'b']);
    await bind();
    const store = await stored('prices');
    await using first = await store.watch({ from: 'beginning' });
    expect(await next(first)).toBe('a=v');
    const { token } = first;

    await unbind();
    await bind();
    await stored('prices');
    await using same = await store.watch({ from: token });
    expect(await next(same)).toBe('b=v');

    await unbind();
    await cluster.log.deleteTopics(['prices']);
    await make();
    await write('prices', ['x', 'y', 'z']);
    await bind();
    await stored('prices');
    await using other = await store.watch({ from: token });
    await expect(next(other)).rejects.toThrow(HistoryError);
    await using anew = await store.watch({ from: 'beginning' });
    expect(await next(anew)).toBe('x=v');
  });

  it.each([
    ['names no topic id', (token: string) => token.replace(/@[^;]*/, ''), 'do not say of which topic'],
    [
      'is of a log with more partitions',
      (token: string) => token.replace(/^.*$/, 'levee.binlog.other@id;7:1'),
      'is on',
    ],
  ])('a token that %s ends the watch', async (_what, change, problem) => {
    const store = client.namespace('default').typed(utf8);
    await using watch = await store.watch();
    await using other = await store.watch({ from: change(watch.token) });
    const failure = await next(other).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(HistoryError);
    expect(String(failure)).toContain(problem);
  });
});
