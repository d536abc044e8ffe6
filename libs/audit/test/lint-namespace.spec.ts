import { encodePut } from '@levee/codec';
import type { Quarantined } from '@levee/events';
import { binlogSpec, encodeCopy } from '@levee/journal';
import { asPartition } from '@levee/kernel';
import type { LogRecord } from '@levee/log';
import { ClusterScript } from '../../cluster/test/cluster-script';
import { topics } from '../../master/test/control-plane';
import { lintNamespace, quarantineCounts } from '../src';
import { OffenderGroups } from '../src/lint/offender-groups';
import { journalOf, logWith } from './scripted-journal';

function script(): ClusterScript {
  const made = new ClusterScript().nodes(3);
  made.namespace('shop', { chunks: 2, replicas: 3, partitions: 2 });
  return made;
}
const shop = () => script().state.namespace('shop')!;

describe('offences by reason and producer', () => {
  it('much advice pushes out nothing that is lost, and what is beyond the bound is told by harm', () => {
    const groups = new OffenderGroups(shop());
    const offence = { partition: 0, offset: 1, timestampMs: 1, key: Buffer.from('k'), why: 'so' };
    for (let producer = 0; producer < 1_500; producer++) {
      groups.add('noCrc', producer, offence);
      groups.add('producerTime', producer, offence);
    }
    groups.add('garbage', 7, offence);
    for (let i = 0; i < 2; i++) groups.add('wrongPartition', 7, offence);
    const { offenders, untold } = groups.told();
    expect(offenders.slice(0, 3).map(({ reason, harm, count }) => `${reason} ${harm} ${count}`)).toEqual([
      'wrongPartition lost 2',
      'garbage unreadable 1',
      'noCrc advice 1',
    ]);
    expect([offenders.length, untold]).toEqual([1_002, { lost: 0, unreadable: 0, advice: 2_000, acknowledged: 0 }]);
  });

  it('those of lost records have a bound too', () => {
    const groups = new OffenderGroups(shop());
    for (let producer = 0; producer < 1_003; producer++)
      groups.add('noKey', producer, { partition: 0, offset: producer, why: 'it has no key' });
    expect(groups.told().untold).toEqual({ lost: 3, unreadable: 0, advice: 0, acknowledged: 0 });
  });
});

describe('what people said is dealt with', () => {
  const dealtWith = (): ClusterScript => {
    const made = script();
    const ack = { name: 'shop', number: 1, positions: [2], reason: 'wrongPartition', by: 'ann', why: 'sent again' };
    made.accept('AcknowledgeFindings', ack);
    return made;
  };
  const acknowledged = { by: 'ann (given as user/test)', why: 'sent again', at: '2001-09-09T01:46:40.000Z' };

  it('is told apart, behind all that is a finding, and pushes nothing of that out', () => {
    const groups = new OffenderGroups(dealtWith().state.namespace('shop')!);
    const offence = { partition: 0, offset: 1, why: 'so' };
    for (let producer = 0; producer < 1_001; producer++) groups.add('wrongPartition', producer, offence);
    groups.add('noCrc', 7, offence);
    groups.add('wrongPartition', 7, { ...offence, offset: 2 });
    groups.add('garbage', 7, offence);
    const { offenders, untold } = groups.told();
    expect(offenders.slice(0, 4).map((of) => [of.reason, of.examples[0]?.offset, of.acknowledged])).toEqual([
      ['wrongPartition', 2, undefined],
      ['garbage', 1, undefined],
      ['noCrc', 1, undefined],
      ['wrongPartition', 1, acknowledged],
    ]);
    expect([offenders.length, untold]).toEqual([1_003, { lost: 0, unreadable: 0, advice: 0, acknowledged: 1 }]);
  });

  it('is counted apart in the quarantine, once however many nodes copied it, and only of this namespace', async () => {
    const made = dealtWith();
    const { log, worldOf } = await logWith(journalOf(made));
    const { clock } = worldOf(log);
    const { binlog } = made.state.namespace('shop')!;
    const copy = (offset: number, but: Partial<Quarantined> = {}): LogRecord => ({
      key: Buffer.from(binlog),
      value: encodeCopy({
        ...{
          topic: binlog,
          partition: 0,
          offset,
          toOffset: null,
          reason: 'wrongPartition',
          message: 'so',
          nodeId: 'n1',
        },
        ...{ key: null, value: null, quarantinedAtMs: clock.nowMs() },
        ...but,
      }),
    });
    const copies = [
      ...[copy(0), copy(1), copy(1, { nodeId: 'n2' }), copy(2), copy(2, { nodeId: 'n2' })],
      ...[copy(1, { reason: 'garbage' }), copy(1, { partition: 1 }), copy(1, { topic: 'levee.binlog.other' })],
    ];
    await log.append(topics.quarantine, asPartition(0), copies);
    const counts = await quarantineCounts(log, topics.quarantine, { clock, namespaces: made.state.namespaces() });
    expect(counts).toEqual({
      found: [
        { topic: binlog, reason: 'wrongPartition', count: 2, newest: '1:1' },
        { topic: binlog, reason: 'garbage', count: 1, newest: '0:1' },
        { topic: 'levee.binlog.other', reason: 'wrongPartition', count: 1, newest: '0:1' },
      ],
      acknowledged: [{ namespace: 'shop', reason: 'wrongPartition', count: 2, ...acknowledged }],
    });
    await log.close();
  });
});

describe('partitions that somebody added to a binlog', () => {
  it('are walked, and each record with a key there is one that nobody applies', async () => {
    const made = script();
    const namespace = made.state.namespace('shop')!;
    const { log, worldOf } = await logWith(journalOf(made));
    await log.ensureTopics([{ ...binlogSpec(namespace), partitions: 3 }]);
    const key = Buffer.from('k');
    const value = encodePut(key, Buffer.from('v'), null);
    await log.append(namespace.binlog, asPartition(2), [
      { key, value },
      { key, value: null },
    ]);
    const found = await lintNamespace(worldOf(log), { name: 'shop', brokers: 'k:9092' });
    expect(found.offenders).toMatchObject([
      {
        ...{ reason: 'addedPartition', harm: 'lost', producerId: -1, count: 2 },
        examples: [
          { partition: 2, offset: 0, why: 'nobody applies it: the namespace has 2 partitions, somebody added 2' },
          { partition: 2, offset: 1 },
        ],
        setting: expect.stringMatching(/^count 2 partitions, .*% 2; then send these again$/),
      },
    ]);
    expect(found.read.map(({ partition, to }) => [partition, to])).toEqual([
      [0, 0],
      [1, 0],
      [2, 2],
    ]);
    await log.close();
  });
});
