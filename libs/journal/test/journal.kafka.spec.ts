import { randomUUID } from 'node:crypto';
import { Kafka, logLevel } from 'kafkajs';
import { encode } from '@levee/codec';
import { asPartition } from '@levee/kernel';
import type { Log } from '@levee/log';
import { KafkaLog } from '@levee/log-kafka';
import { examineJournal, repairJournal } from '@levee/master';
import { nodeRegistration, openView, run, startMaster, world } from '../../master/test/control-plane';
import { eventually } from '../../master/test/eventually';
import { close, closeAll, keep } from '../../master/test/opened';
import { controlTopics, controlTopicSpecs, type ControlTopics } from '../src';
import { recordsOf } from './cut-log';

const brokers = process.env['KAFKA_BROKERS'];
const limits = { heartbeatMs: 100, silenceMs: 600, reclaimMs: 3_600_000 };
const partition = asPartition(0);

const brokerList = (): string[] => {
  if (brokers === undefined) throw new Error('KAFKA_BROKERS is not set: run npm test, or npm run kafka:start');
  return brokers.split(',');
};
const openKafka = (clientId: string): Promise<KafkaLog> => KafkaLog.open({ brokers: brokerList(), clientId });
const stranger = (): Kafka => new Kafka({ brokers: brokerList(), clientId: 'stranger', logLevel: logLevel.NOTHING });

afterEach(async () => {
  await closeAll();
});

/** A cluster of nodes n1 to n3 whose master has stopped. */
async function cluster(): Promise<{ log: Log; topics: ControlTopics; view: Awaited<ReturnType<typeof openView>> }> {
  const topics = controlTopics(`j${randomUUID().slice(0, 8)}`);
  const log = keep(await openKafka('client'));
  const master = keep(
    await startMaster(keep(await openKafka('m1')), { instance: 'm1', topics, limits, claimAtOnce: true }),
  );
  const view = keep(await openView(log, topics));
  for (const nodeId of ['n1', 'n2', 'n3']) await run(log, view, nodeRegistration(nodeId, 2), topics);
  await close(master);
  return { log, topics, view };
}

test('what a plain Kafka producer writes into the journal stops neither the master nor the next one', async () => {
  const { log, topics, view } = await cluster();
  let master = keep(
    await startMaster(keep(await openKafka('m2')), { instance: 'm2', topics, limits, claimAtOnce: true }),
  );
  await view.until(() => (view.claim?.instance === 'm2' ? true : undefined), 15_000, 'the second reign');
  const copied = (await recordsOf(log, topics.journal)).at(-1)?.value ?? null;
  const absurd = encode('Claim', {
    ...{ term: 2_147_483_647, instance: 'stranger', nonce: randomUUID(), producerId: 1, epoch: 1, claimedAtMs: 1 },
    clusterId: view.clusterId ?? '',
  });
  const producer = stranger().producer({ allowAutoTopicCreation: false });
  await producer.connect();
  const values = [Buffer.from('garbage'), null, copied, absurd];
  await producer.send({ topic: topics.journal, messages: values.map((value) => ({ key: null, value })) });
  await producer.disconnect();
  expect(await run(log, view, nodeRegistration('n4', 1), topics)).toMatchObject({ rejectionCode: null });
  // The copy of a claim comes second to it; the others fit nowhere.
  expect(view.stats()).toMatchObject({ foreignRecords: 3, voidRecords: 1 });
  await eventually('three copies', async () => (await recordsOf(log, topics.quarantine)).length === 3, 15_000);
  const { term } = view;
  await close(master);
  master = keep(await startMaster(keep(await openKafka('m3')), { instance: 'm3', topics, limits, claimAtOnce: true }));
  expect(await run(log, view, nodeRegistration('n5', 1), topics)).toMatchObject({ rejectionCode: null });
  expect(view.term).toBeGreaterThan(term);
  const booted = keep(await openView(log, topics));
  // Each reads on by itself.
  await eventually('both views are the same', () => booted.journal.digest === view.journal.digest, 15_000);
  expect(master.master.view.problem).toBeUndefined();
}, 60_000);

test('a journal restored without its end has no master until it is repaired; running processes go on', async () => {
  const { log, topics, view } = await cluster();
  const { seq, term } = view.journal.position;
  const { digest } = view.journal;
  const records = await recordsOf(log, topics.journal);
  await log.deleteTopics([topics.journal]);
  await eventually('the topic is gone', async () => (await log.describeTopics([topics.journal])).length === 0, 15_000);
  const writing = keep(await openKafka('backup'));
  await writing.ensureTopics(controlTopicSpecs(topics).filter(({ name }) => name === topics.journal));
  await writing.append(topics.journal, partition, records.slice(0, -2));
  await eventually('the running view knows', () => view.short !== undefined, 20_000);

  const standing = keep(
    await startMaster(keep(await openKafka('m2')), { instance: 'm2', topics, limits, claimAtOnce: true }),
  );
  await eventually('it has tried', () => standing.master.candidacy.problem !== undefined, 20_000);
  expect(standing.master.view.short).toMatch(/JOURNAL_SHORT/);
  expect([...standing.master.view.state.nodes()].map(({ nodeId }) => nodeId)).toEqual(['n1', 'n2', 'n3']);
  expect(await recordsOf(writing, topics.journal)).toHaveLength(records.length - 2);

  const examined = await examineJournal(writing, topics, world);
  expect(examined.plan).toMatchObject({ kind: 'restore', decisions: 2 });
  await repairJournal(writing, topics, { examined, world: { ...world, newId: randomUUID } });
  await eventually('a master reigns', () => standing.master.candidacy.role === 'active', 30_000);
  expect(standing.master.view.term).toBeGreaterThan(term + 1);
  await eventually('the running view goes on', () => view.short === undefined, 30_000);
  await view.readToEnd(10_000);
  expect(await run(writing, view, nodeRegistration('n4', 1), topics)).toMatchObject({ rejectionCode: null });
  expect(view.seq).toBeGreaterThan(seq);
  expect(digest).toMatch(/^[0-9a-f]{32}$/);
}, 120_000);

test('a journal cut at its start goes on from the checkpoints behind the cut, and says so where there is none', async () => {
  const { log, topics, view } = await cluster();
  const { nextOffset } = view.journal.position;
  const admin = stranger().admin();
  await admin.connect();
  await admin.fetchTopicOffsets(topics.journal);
  await admin.deleteTopicRecords({ topic: topics.journal, partitions: [{ partition: 0, offset: String(nextOffset) }] });
  await admin.disconnect();
  const booted = keep(await openView(log, topics));
  expect(booted.boot).toMatchObject({ source: 'checkpoint', short: undefined });
  keep(await startMaster(keep(await openKafka('m2')), { instance: 'm2', topics, limits, claimAtOnce: true }));
  expect(await run(log, booted, nodeRegistration('n4', 1), topics)).toMatchObject({ rejectionCode: null });
  await expect(examineJournal(log, topics, world)).rejects.toThrow(/begins at offset \d+, not at 0/);
}, 60_000);
