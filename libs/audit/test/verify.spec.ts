import { encodePut, decodeAs, encode } from '@levee/codec';
import { controlTopicSpecs, binlogSpec } from '@levee/journal';
import { asPartition, defined } from '@levee/kernel';
import { type Log, type LogRecord, systemClock } from '@levee/log';
import type { EmbeddedLog } from '@levee/log-embedded';
import { controlNames, recordsOf } from '../../journal/test/cut-log';
import { nodeRegistration, openLog, openView, run, startMaster, topics } from '../../master/test/control-plane';
import { readSignOff, type SignOff, writeSignOff } from '../src/verify/sign-off';
import { type Verified, verifyLog } from '../src/verify/verify';

const p0 = asPartition(0);
const binlog = 'levee.binlog.shop';
type Topics = Record<string, LogRecord[]>;

/** A cluster with a namespace, nodes, and three values; its topics as records. */
async function healthy(): Promise<{ readonly records: Topics; readonly spec: Parameters<Log['ensureTopics']>[0][0] }> {
  const log = await openLog();
  const master = await startMaster(log, { instance: 'm1', claimAtOnce: true });
  const view = await openView(log);
  for (const nodeId of ['n1', 'n2', 'n3']) await run(log, view, nodeRegistration(nodeId, 4));
  await run(log, view, {
    kind: 'CreateNamespace',
    payload: { name: 'shop', partitions: 1, chunks: 2, replicas: 3 },
  });
  const deadline = performance.now() + 10_000;
  while (view.state.namespace('shop')?.state !== 'active') {
    if (performance.now() > deadline) throw new Error('the namespace is not active');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const spec = binlogSpec(defined(view.state.namespace('shop'), 'shop'));
  await view.close();
  await master.close();
  for (const key of ['a', 'b', 'c'])
    await log.append(binlog, p0, [
      { key: Buffer.from(key), value: encodePut(Buffer.from(key), Buffer.from('v'), null) },
    ]);
  const records: Topics = {};
  for (const topic of [...controlNames, binlog]) records[topic] = await recordsOf(log, topic);
  await log.close();
  return { records, spec };
}

describe('levee audit verify', () => {
  let whole: Awaited<ReturnType<typeof healthy>>;
  beforeAll(async () => (whole = await healthy()), 60_000);

  /** The same log after `change`, verified. */
  async function verified(change: (records: Topics) => void, since?: SignOff): Promise<Verified> {
    const records = Object.fromEntries(Object.entries(whole.records).map(([topic, all]) => [topic, [...all]]));
    change(records);
    const log: EmbeddedLog = await openLog();
    await log.ensureTopics([...controlTopicSpecs(topics), whole.spec]);
    for (const [topic, all] of Object.entries(records)) if (all.length > 0) await log.append(topic, p0, all);
    const world = { log, topics, clock: systemClock, signal: new AbortController().signal };
    const found = await verifyLog(world, { since });
    await log.close();
    return found;
  }

  const of = (records: Topics, topic: string): LogRecord[] => defined(records[topic], topic);
  const decisionAt = (records: Topics, offset: number) =>
    decodeAs('Decision', of(records, topics.journal)[offset]?.value as Buffer);
  /** The same decision said to be of somebody else, as an edit of the file with a checksum that fits. */
  function tamper(records: Topics, offset: number): void {
    const decision = decisionAt(records, offset);
    const value = encode('Decision', { ...decision, command: { ...decision.command, principal: 'nobody' } });
    const all = of(records, topics.journal);
    all[offset] = { ...(all[offset] as LogRecord), value };
  }

  it('finds nothing in a log that is as it was written, and says what it read', async () => {
    const found = await verified(() => undefined);
    expect(found.findings).toEqual([]);
    expect(found.journal).toMatchObject({ claims: 1, voids: 0, seq: expect.any(Number) });
    expect(found.journal.decisions).toBe(found.journal.seq);
    expect(found.binlogs).toMatchObject([{ namespace: 'shop', records: expect.any(Number) }]);
    expect(found.unverified).toEqual(['routes and states of running processes']);
  });

  it('names a tampered decision by the next one, and the last one by the checkpoints', async () => {
    const at = 3;
    const found = await verified((records) => tamper(records, at));
    const { seq } = decisionAt(whole.records, at + 1);
    expect(found.findings[0]).toMatchObject({ rule: 'chain', topic: topics.journal, offset: at + 1, seq });
    expect(found.findings[0]?.what).toMatch(new RegExp(`another predecessor; decision ${seq - 1}, at offset ${at}, `));

    const last = of(whole.records, topics.journal).length - 1;
    const end = await verified((records) => tamper(records, last));
    expect(end.findings).toMatchObject(
      [topics.metadata, topics.routes, topics.plans].map(() => ({ rule: 'chain', offset: last })),
    );
  });

  it.each([
    ['a swapped pair', (all: LogRecord[]) => all.splice(3, 2, all[4] as LogRecord, all[3] as LogRecord), 3],
    ['a missing one', (all: LogRecord[]) => all.splice(3, 1), 3],
    ['one twice', (all: LogRecord[]) => all.splice(4, 0, all[3] as LogRecord), 4],
    ['a stranger’s bytes', (all: LogRecord[]) => all.splice(4, 0, { key: null, value: Buffer.from('hello') }), 4],
  ])('names %s by offset and number', async (_, change, offset) => {
    const found = await verified((records) => change(of(records, topics.journal)));
    expect(found.findings[0]).toMatchObject({ rule: 'chain', topic: topics.journal, offset });
    expect(found.signOff).toBeUndefined();
  });

  it('names a decision whose state is not what its master had', async () => {
    const found = await verified((records) => {
      const decision = decisionAt(records, 3);
      const value = encode('Decision', { ...decision, events: [] });
      of(records, topics.journal)[3] = { ...(of(records, topics.journal)[3] as LogRecord), value };
    });
    expect(found.findings).toMatchObject([{ rule: 'state', offset: 3, seq: decisionAt(whole.records, 3).seq }]);
    expect(found.unverified.join()).toMatch(/what follows offset 3/);
  });

  it.each([
    [
      'changed',
      (record: LogRecord) => ({ ...record, value: changed(record.value as Buffer) }),
      /not what decision \d+ says/,
    ],
    ['removed', ({ key }: LogRecord) => ({ key, value: null }), /the journal's is of decision/],
    ['made unreadable', ({ key }: LogRecord) => ({ key, value: Buffer.from('?') }), /cannot be read/],
  ])('names a compacted entry that was %s', async (_, forge, what) => {
    const found = await verified((records) => {
      const all = of(records, topics.metadata);
      const entry = defined(
        all.findLast(({ key }) => key?.toString() === 'namespace/shop'),
        'entry',
      );
      all.push(forge(entry));
    });
    const offset = of(whole.records, topics.metadata).length;
    expect(found.findings).toMatchObject([{ rule: 'projection', topic: topics.metadata, offset }]);
    expect(found.findings[0]?.what).toMatch(what);
  });

  function changed(value: Buffer): Buffer {
    const state = decodeAs('NamespaceState', value);
    return encode('NamespaceState', { ...state, replicas: 1 }, 1);
  }

  it.each([
    ['rewritten', 'record', () => ({ key: Buffer.from('a'), value: flipped() })],
    ['put into a place that is Levee’s', 'reserved', () => ({ key: Buffer.from('\0levee\0mine'), value: null })],
    ['a second genesis', 'genesis', (records: Topics) => of(records, binlog)[0] as LogRecord],
    ['a barrier of another cluster', 'reserved', () => ({ key: Buffer.from('\0levee\0barrier'), value: barrier() })],
  ])('names a record of a binlog: %s', async (_, rule, make) => {
    const found = await verified((records) => of(records, binlog).push(make(records)));
    const offset = of(whole.records, binlog).length;
    expect(found.findings).toMatchObject([{ rule, topic: binlog, partition: 0, offset }]);
  });

  function flipped(): Buffer {
    const bytes = encodePut(Buffer.from('a'), Buffer.from('price 5'), null);
    bytes.write('6', bytes.length - 1);
    return bytes;
  }

  const barrier = (): Buffer =>
    encode('Barrier', { clusterId: 'other', number: 1, digestPlan: null, chunks: [], writtenAtMs: 1 });

  it('goes on from a point that was signed off, and refuses one that was changed', async () => {
    const text = writeSignOff(defined((await verified(() => undefined)).signOff, 'sign-off'));
    const more = await verified(
      (records) => of(records, binlog).push({ key: Buffer.from('a'), value: flipped() }),
      readSignOff(text),
    );
    expect(more.journal).toMatchObject({ decisions: 0, from: of(whole.records, topics.journal).length });
    expect(more.binlogs).toMatchObject([{ records: 1 }]);
    expect(more.findings).toMatchObject([{ rule: 'record' }]);
    expect(() => readSignOff(text.replace('shop', 'shup'))).toThrow(/changed since/);
  });
});
