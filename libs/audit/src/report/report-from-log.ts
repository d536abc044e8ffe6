import { decodeAs } from '@levee/codec';
import { JournalChain, ProofView } from '@levee/journal';
import { Failure, failureCode, messageOf, silentLogger, type Timers } from '@levee/kernel';
import { type ChunkProofState, chunkProofs } from '../continuous/proof-summary';
import { journalThen } from '../past/journal-then';
import { accessTrail, type Trail } from '../trail/access-trail';
import { verifyLog } from '../verify/verify';
import { type AuditWorld, walkPartition } from '../verify/walk-partition';
import type { Looked, ReportParts } from './audit-report';

/** The parts of a report that the log alone tells, and of which cluster the log says it is. Only INTERRUPTED ends it; what else fails is said of its part. */
export async function reportFromLog(
  world: AuditWorld & { readonly timers: Timers },
  { namespaces, accessLimit }: { readonly namespaces: readonly string[] | undefined; readonly accessLimit: number },
): Promise<Omit<ReportParts, 'doctor'> & { readonly clusterId: string | undefined }> {
  const verify = await looked(async () => {
    const { signOff: _signOff, ...found } = await verifyLog(world, { namespaces });
    return found;
  });
  const cluster = await looked(() => clusterOf(world));
  return {
    clusterId: 'found' in cluster ? cluster.found : undefined,
    verify,
    proofs: await looked(() => recordedProofs(world)),
    trail: await looked(async () => withoutSecrets(await accessTrail(world, { limit: accessLimit }))),
  };
}

async function looked<T>(look: () => Promise<T>): Promise<Looked<T>> {
  try {
    return { found: await look() };
  } catch (error) {
    if (failureCode(error) === 'INTERRUPTED') throw error;
    return { failed: messageOf(error) };
  }
}

/** As the first claim in force names it. */
async function clusterOf(world: AuditWorld): Promise<string | undefined> {
  const chain = new JournalChain();
  await walkPartition(
    world,
    { topic: world.topics.journal, partition: 0 },
    {
      onBatch: ({ records }) => {
        for (const record of records) {
          if (chain.position.clusterId !== undefined) return;
          if (record.value !== null) chain.accept({ ...record, value: Buffer.from(record.value) });
        }
      },
      // The rest may name it.
      onHole: () => undefined,
      isEnough: () => chain.position.clusterId !== undefined,
    },
  );
  return chain.position.clusterId;
}

/** What the dispatcher's comparisons of replicas with the log have found, of the chunks that there are now. */
async function recordedProofs(world: AuditWorld & { readonly timers: Timers }): Promise<readonly ChunkProofState[]> {
  const { log, topics, clock, timers } = world;
  const then = await journalThen(world, { newest: true });
  if (then.verdict === 'not provable') throw new Failure('NOT_PROVABLE', then.message);
  // Never started: it only remembers.
  const view = new ProofView(log, topics, { clock, timers, logger: silentLogger });
  if ((await log.describeTopics([topics.digests])).length === 0)
    throw new Failure('TOPIC_MISSING', `there is no topic ${topics.digests}`);
  await walkPartition(
    world,
    { topic: topics.digests, partition: 0 },
    {
      onBatch: ({ records }) => {
        for (const { key, value } of records)
          if (value !== null && key?.toString('latin1', 0, 6) === 'proof/') keep(view, value);
      },
      onHole: ({ why }) => {
        throw new Failure('RECORD_CORRUPT', why);
      },
    },
  );
  return [...chunkProofs(then.fold.state, (chunkId) => view.of(chunkId), { nowMs: clock.nowMs() })];
}

function keep(view: ProofView, value: Buffer): void {
  try {
    view.keep(decodeAs('ChunkProof', value));
  } catch {
    // A stranger's bytes, or a version to come: no proof that this build could tell of.
  }
}

/** Hashes of passwords and tokens say nothing to who reads a report, and are not carried away in one. */
function withoutSecrets({ accesses, ...trail }: Trail): Trail {
  return { ...trail, accesses: accesses.map((each) => ({ ...each, payload: shownPayload(each.payload) })) };
}

function shownPayload(payload: string): string {
  let fields: unknown;
  try {
    fields = JSON.parse(payload);
  } catch {
    return payload.slice(0, 200);
  }
  return JSON.stringify(fields, (key, value: unknown) => {
    if (key === 'heard') return undefined;
    return key === 'passwordHash' || key === 'sha256' ? '…' : value;
  });
}
