import { viewGroup, viewGroups, type FiguresOf } from '../../src/views/namespace-groups';
import { ClusterScript, MiB } from '../cluster-script';

/** Every chunk holds 1000 bytes and 10 keys, but for those of shop.items, of which nobody told. */
const figuresOf: FiguresOf = (chunkId) =>
  chunkId.startsWith('shop.items#')
    ? { storedBytes: undefined, liveKeys: undefined }
    : { storedBytes: 1000, liveKeys: 10 };

function script(): ClusterScript {
  const made = new ClusterScript().nodes(3, 64);
  made.namespace('shop', { chunks: 1, replicas: 1, chunkCapacityBytes: MiB });
  made.namespace('shop.orders', { chunks: 2, replicas: 3, chunkCapacityBytes: 2 * MiB });
  made.namespace('shop.items', { chunks: 4, replicas: 2, chunkCapacityBytes: MiB });
  made.namespace('com.example.logs', { chunks: 3, replicas: 1, chunkCapacityBytes: MiB });
  made.namespace('alone', { chunks: 1, replicas: 1 });
  return made;
}

describe('groups of namespaces', () => {
  it('are the prefixes that have namespaces below them, with totals', () => {
    expect(viewGroups(script().state, figuresOf)).toEqual([
      {
        group: 'com',
        namespaces: 1,
        chunks: 3,
        replicas: 3,
        capacityBytes: 3 * 256 * MiB,
        quotaBytes: 3 * MiB,
        storedBytes: 3000,
        liveKeys: 30,
        chunksUntold: 0,
      },
      expect.objectContaining({ group: 'com.example', namespaces: 1, chunks: 3 }),
      {
        group: 'shop',
        namespaces: 3,
        chunks: 7,
        replicas: 1 + 6 + 8,
        capacityBytes: 15 * 256 * MiB,
        quotaBytes: 9 * MiB,
        storedBytes: 3000,
        liveKeys: 30,
        chunksUntold: 4,
      },
    ]);
  });

  it('tell of one group which namespaces it has', () => {
    const { state } = script();
    const shop = viewGroup(state, 'shop', figuresOf);
    if ('code' in shop) throw new Error(shop.message);
    expect(shop.members.map(({ name, chunks, storedBytes }) => [name, chunks, storedBytes])).toEqual([
      ['shop', 1, 1000],
      ['shop.items', 4, 0],
      ['shop.orders', 2, 2000],
    ]);
    const { members: _, ...totals } = shop;
    expect(totals).toEqual(viewGroups(state, figuresOf).find(({ group }) => group === 'shop'));
    expect(viewGroup(state, 'alone', figuresOf)).toMatchObject({ namespaces: 1 });
    expect(viewGroup(state, 'sho', figuresOf)).toMatchObject({ code: 'GROUP_UNKNOWN' });
  });

  it('forget what is deleted', () => {
    const made = script();
    made.accept('DeleteNamespace', { name: 'com.example.logs' });
    made.accept('FinishDeletion', { name: 'com.example.logs', number: 1 });
    expect(viewGroups(made.state, figuresOf).map(({ group }) => group)).toEqual(['shop']);
  });
});
