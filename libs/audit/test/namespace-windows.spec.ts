import { encode } from '@levee/codec';
import { controlTopicSpecs, projectionRecords } from '@levee/journal';
import { asOffset, asPartition } from '@levee/kernel';
import { systemClock } from '@levee/log';
import { openLog } from '../../master/test/control-plane';
import { samples } from '../../codec/test/samples';
import { stateAt } from '../src';
import { namespaceWindows } from '../src/proof/namespace-windows';
import { JournaledLog } from './journaled-log';

const dayMs = 86_400_000;
const effectMs = 1_000;

describe('what the journal says of a namespace is what is in force', () => {
  let log: Awaited<ReturnType<typeof openLog>>;
  let of: JournaledLog;

  beforeEach(async () => {
    log = await openLog();
    of = await JournaledLog.on(log);
  });
  afterEach(() => log.close());

  const windows = () => namespaceWindows(log, of.topics, { name: 'shop', clock: systemClock, effectMs });
  const [claim] = samples.Claim;
  const claimOf = (over: object): Buffer => encode('Claim', { ...(claim as (typeof samples.Claim)[number]), ...over });

  it.each([
    ['an absurd term', { term: 2_147_483_647 }],
    ['another cluster', { term: 2, clusterId: 'another' }],
  ])('a claim of %s hides no later decision', async (_, over) => {
    const state = await of.namespace('shop', { historyWindowMs: 7 * dayMs });
    await of.journaled(claimOf(over));
    await of.decide([encode('NamespaceState', { ...state, historyWindowMs: dayMs })], 5_000);
    await of.decide([encode('NamespaceState', state)], 9_000);
    expect((await windows()).earlier).toMatchObject([
      { untilMs: 5_000 + effectMs, lagMs: 7 * dayMs },
      { untilMs: 9_000 + effectMs, lagMs: dayMs },
    ]);
  });

  it('an old decision once more changes nothing', async () => {
    const state = await of.namespace('shop', { historyWindowMs: 7 * dayMs });
    const old = await of.decide([encode('NamespaceState', state)]);
    await of.decide([encode('NamespaceState', { ...state, historyWindowMs: dayMs })]);
    await of.journaled(old);
    expect((await windows()).namespace.historyWindowMs).toBe(dayMs);
  });

  it('a key is looked for in the binlog that the name has, whatever a stranger wrote', async () => {
    const state = await of.namespace('shop');
    await of.write(state, [{ key: Buffer.from('k'), value: Buffer.from('v') }]);
    const other = await of.namespace('other');
    const [decision] = samples.Decision;
    await of.journaled(
      encode('Decision', {
        ...(decision as (typeof samples.Decision)[number]),
        ...{ seq: 9, term: 1, events: [encode('NamespaceState', { ...state, binlog: other.binlog })] },
      }),
    );
    const cut = { timeMs: Date.now() - 3_600_000 };
    const asked = { namespace: 'shop', key: Buffer.from('k'), cut, partition: undefined };
    expect((await stateAt({ log, topics: of.topics, clock: systemClock }, asked)).binlog).toBe(state.binlog);
  });

  it('of a journal that lost its end, which compacted topics have seen, nothing is told', async () => {
    await log.ensureTopics(controlTopicSpecs(of.topics));
    await of.namespace('shop');
    const at = { seq: 2, term: 1, previousSha256: 'ab'.repeat(32), commandsOffset: 1, nextOffset: asOffset(3) };
    const position = { ...at, clusterId: undefined };
    const said = projectionRecords(of.topics, { changes: [], position, digest: '0'.repeat(32), writtenAtMs: 1 });
    for (const [topic, records] of said) await log.append(topic, asPartition(0), records);
    await expect(windows()).rejects.toMatchObject({
      code: 'JOURNAL_SHORT',
      message: expect.stringMatching(/ends at decision 1 of term 1, but .* has seen decision 2/) as string,
    });
    await of.namespace('other');
    expect((await windows()).namespace.name).toBe('shop');
  });

  it('of a journal that lost its beginning, nothing before is known', async () => {
    const state = await of.namespace('shop', { historyWindowMs: 7 * dayMs });
    await of.decide([encode('NamespaceState', { ...state, historyWindowMs: dayMs })], 5_000);
    await of.decide([encode('NamespaceState', state)], 9_000);
    await log.deleteRecordsBefore(of.topics.journal, asPartition(0), asOffset(3));
    const found = await windows();
    expect(found.namespace).toMatchObject({ name: 'shop', historyWindowMs: 7 * dayMs });
    expect(found.earlier).toEqual([{ untilMs: 9_000 + effectMs, lagMs: 0 }]);
  });
});
