import type { ClusterState } from '@levee/cluster';
import type { NamespaceState } from '@levee/events';
import { withBinlogAtRest } from '@levee/journal';
import { Failure } from '@levee/kernel';
import type { LogFinding } from './finding';
import { entitiesOfFold, foldFrom, type SignOff } from './sign-off';
import { type BinlogVerified, verifyBinlog } from './verify-binlog';
import { verifyJournal } from './verify-journal';
import { compareProjected, readProjected } from './verify-projections';
import type { AuditWorld } from './walk-partition';

export interface Verified {
  readonly findings: readonly LogFinding[];
  /** Beyond those that are told. */
  readonly untold: number;
  readonly journal: {
    readonly seq: number;
    readonly term: number;
    readonly digest: string;
    readonly decisions: number;
    readonly claims: number;
    readonly voids: number;
    readonly from: number;
    readonly to: number;
  };
  readonly projections: readonly {
    readonly topic: string;
    readonly entities: number;
    readonly checkpointSeq: number;
  }[];
  readonly binlogs: readonly {
    readonly namespace: string;
    readonly topic: string;
    readonly records: number;
    readonly from: readonly number[];
    readonly to: readonly number[];
  }[];
  /** In words: what was not looked at, or could not be. */
  readonly unverified: readonly string[];
  /** Where the next verification may begin; `undefined` when something is wrong. */
  readonly signOff: SignOff | undefined;
}

/**
 * Verifies a log: the journal, what the compacted topics say of it, the binlogs of all active namespaces. With `since`
 * only what came after that point; the compacted topics always whole. Fails as the log does, with TOPIC_MISSING and
 * INTERRUPTED.
 */
export async function verifyLog(
  world: AuditWorld,
  { since, namespaces }: { readonly since?: SignOff | undefined; readonly namespaces?: readonly string[] | undefined },
): Promise<Verified> {
  const { log, topics } = world;
  if ((await log.describeTopics([topics.journal])).length === 0)
    throw new Failure('TOPIC_MISSING', `there is no topic ${topics.journal}: is the prefix another one?`);
  const projected = await readProjected(world);
  const start = since === undefined ? undefined : foldFrom(since);
  const from = start?.position.nextOffset ?? 0;
  const checkpoints = projected.flatMap(({ topic, checkpoint }) =>
    checkpoint === undefined ? [] : [{ topic, checkpoint }],
  );
  const journal = await verifyJournal(world, { fold: start, checkpoints });
  const { fold } = journal;
  const unverified: string[] = [];
  if (journal.brokenAt === undefined) compareProjected(fold, projected);
  else unverified.push(`what follows offset ${journal.brokenAt} of the journal, and the compacted topics against it`);
  const { chosen, left } = chosenOf(fold.state, namespaces);
  unverified.push(...left, 'routes and states of running processes');
  const binlogs: { readonly of: NamespaceState; readonly found: BinlogVerified }[] = [];
  for (const of of chosen) {
    if ((await log.describeTopics([of.binlog])).length === 0) {
      unverified.push(`${of.binlog} of ${of.name}: there is no such topic`);
      continue;
    }
    const found = await verifyBinlog(
      world,
      { ...of, clusterId: fold.state.clusterId ?? '' },
      since?.binlogs[of.binlog],
    );
    for (const partition of found.cutPartitions)
      unverified.push(`${of.binlog} partition ${partition}: it does not begin at offset 0, what was below is gone`);
    binlogs.push({ of, found });
  }
  const all = [
    journal.findings,
    ...projected.map(({ findings }) => findings),
    ...binlogs.map(({ found }) => found.findings),
  ];
  const findings = all.flatMap(({ told }) => told);
  const count = all.reduce((sum, each) => sum + each.count, 0);
  const to = Object.fromEntries(binlogs.map(({ of, found }) => [of.binlog, found.nextOffsets]));
  const { seq, term, nextOffset } = fold.position;
  const { digest } = fold;
  const { decisions, claims, voids } = journal;
  return {
    findings,
    untold: count - findings.length,
    journal: { seq, term, digest, decisions, claims, voids, from, to: nextOffset },
    projections: projected.map(({ topic, words, checkpointSeq }) => ({ topic, entities: words.size, checkpointSeq })),
    binlogs: binlogs.map(({ of, found }) => ({
      ...{ namespace: of.name, topic: of.binlog, records: found.records },
      from: found.nextOffsets.map((_, partition) => since?.binlogs[of.binlog]?.[partition] ?? 0),
      to: found.nextOffsets,
    })),
    unverified,
    signOff:
      count > 0
        ? undefined
        : { journal: fold.position, digest, binlogs: { ...since?.binlogs, ...to }, entities: entitiesOfFold(fold) },
  };
}

function chosenOf(
  state: ClusterState,
  names: readonly string[] | undefined,
): { readonly chosen: readonly NamespaceState[]; readonly left: readonly string[] } {
  const active = withBinlogAtRest(state);
  const unknown = names?.find((name) => !active.some((of) => of.name === name));
  if (unknown !== undefined) throw new Failure('NOT_FOUND', `there is no active namespace ${unknown}`);
  const chosen = names === undefined ? active : active.filter(({ name }) => names.includes(name));
  const left = active
    .filter((of) => !chosen.includes(of))
    .map((of) => `the binlog of ${of.name}: it was not asked for`);
  return { chosen, left };
}
