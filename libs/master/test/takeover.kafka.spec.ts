import { randomUUID } from 'node:crypto';
import { controlTopics, ensureNamespace, JournalFold, readToEnd, submit } from '@levee/journal';
import { asPartition } from '@levee/kernel';
import { KafkaLog } from '@levee/log-kafka';
import { takeOver } from '../src';
import { nodeRegistration, openView, run, startMaster, world } from './control-plane';

const brokers = process.env['KAFKA_BROKERS'];
const limits = { heartbeatMs: 100, silenceMs: 600, reclaimMs: 3_600_000 };

const opened: { close(): Promise<void> }[] = [];
const keep = <T extends { close(): Promise<void> }>(thing: T): T => {
  opened.push(thing);
  return thing;
};

async function openKafka(clientId: string): Promise<KafkaLog> {
  if (brokers === undefined) throw new Error('KAFKA_BROKERS is not set: run npm test, or npm run kafka:start');
  return KafkaLog.open({ brokers: brokers.split(','), clientId });
}

const forget = (thing: { close(): Promise<void> }): void => void opened.splice(opened.indexOf(thing), 1);

afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) await thing.close();
});

test('on Kafka a namespace is created, and commands are decided exactly once over takeovers', async () => {
  const topics = controlTopics(`t${randomUUID().slice(0, 8)}`);
  const log = keep(await openKafka('client'));
  let master = keep(
    await startMaster(keep(await openKafka('m0')), { instance: 'm0', topics, limits, claimAtOnce: true }),
  );
  const view = keep(await openView(log, topics));
  for (const nodeId of ['n1', 'n2', 'n3']) await run(log, view, nodeRegistration(nodeId), topics);
  const namespace = await ensureNamespace(view, (command) => submit(log, topics, command), {
    knobs: { name: 'default', partitions: 8, chunks: 8, replicas: 3 },
    nodes: 3,
    principal: 'test',
    deadlineMs: 15_000,
    logger: world.logger,
  });
  expect((await log.offsets(namespace.binlog)).map(({ endOffset }) => Number(endOffset))).toEqual(Array(8).fill(1));

  const ids: string[] = [];
  for (let round = 1; round <= 3; round++) {
    const burst = Array.from({ length: 30 }, () => randomUUID());
    ids.push(...burst);
    const writing = burst.map((id) => submit(log, topics, { ...nodeRegistration('n1'), id }));
    const instance = `m${round}`;
    const next = keep(
      await startMaster(keep(await openKafka(instance)), { instance, topics, limits, claimAtOnce: true }),
    );
    await Promise.all(writing);
    await master.close();
    forget(master);
    master = next;
  }
  for (const id of ids) await view.outcome(id, 15_000);
  const fold = new JournalFold();
  const offsets: number[] = [];
  await readToEnd(log, topics.journal, {
    clock: world.clock,
    deadlineMs: 15_000,
    onBatch: ({ records }) => {
      for (const record of records) {
        const folded = fold.apply(record);
        if (folded.kind === 'adopted' && folded.adopted.decision.commandOffset >= 0)
          offsets.push(folded.adopted.decision.commandOffset);
      }
    },
  });
  expect(offsets).toEqual(offsets.map((_, i) => i));
  expect(fold.digest).toBe(view.journal.digest);
  const booted = keep(await openView(log, topics));
  expect(booted.journal.digest).toBe(view.journal.digest);
});

test('on Kafka the broker refuses a deposed master in the journal and in the compacted topics', async () => {
  const topics = controlTopics(`t${randomUUID().slice(0, 8)}`);
  const log = keep(await openKafka('client'));
  const idle = keep(await startMaster(log, { instance: 'm0', topics, limits: { ...limits, silenceMs: 1e6 } }));
  await idle.close();
  forget(idle);
  const view = keep(await openView(log, topics));
  const old = await takeOver(keep(await openKafka('old')), topics, { view, instance: 'old', clock: world.clock });
  const now = await takeOver(keep(await openKafka('new')), topics, { view, instance: 'new', clock: world.clock });
  expect(now.term).toBe(old.term + 1);
  const record = { key: Buffer.from('x'), value: Buffer.from('zombie') };
  await expect(old.writer.append(topics.journal, asPartition(0), [record])).rejects.toMatchObject({ code: 'FENCED' });
  await now.writer.append(topics.metadata, asPartition(0), [{ key: Buffer.from('claim'), value: null }]);
  await expect(old.writer.append(topics.metadata, asPartition(0), [record])).rejects.toMatchObject({ code: 'FENCED' });
});

test('on Kafka a standby takes over when the active master falls silent', async () => {
  const topics = controlTopics(`t${randomUUID().slice(0, 8)}`);
  const log = keep(await openKafka('client'));
  const first = await startMaster(keep(await openKafka('m1')), { instance: 'm1', topics, limits, claimAtOnce: true });
  const view = keep(await openView(log, topics));
  await view.until(() => view.clusterId, 10_000, 'the foundation');
  // A machine that is busy is silent for longer than the others wait here.
  const patient = { ...limits, silenceMs: 3_000 };
  const second = keep(await startMaster(keep(await openKafka('m2')), { instance: 'm2', topics, limits: patient }));
  await run(log, view, nodeRegistration('n1'), topics);
  expect(second.master.candidacy.role).toBe('standby');
  await first.close();
  await view.until(() => (view.claim?.instance === 'm2' ? true : undefined), 30_000, 'the takeover');
  expect(await run(log, view, nodeRegistration('n2'), topics)).toMatchObject({ rejectionCode: null });
});
