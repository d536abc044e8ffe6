import { asPartition, Failure, isoTime } from '@levee/kernel';
import { foldPartition } from '../fold-partition';
import { type NamespaceWindows, namespaceWindows, otherBinlogAt } from '../proof/namespace-windows';
import { type Proof, prove } from '../proof/provability';
import { proofLimits, readKey } from '../proof/read-key';
import type { AuditWorld } from '../verify/walk-partition';
import { RebuiltFolder, type RebuiltManifest } from './rebuilt-folder';

export interface Rebuilt {
  readonly manifest: RebuiltManifest;
  /** As the journal says it when the rebuilding ends. */
  readonly windows: NamespaceWindows;
  /** Keys with a value that has not expired at the time asked for, or at the end of the rebuilding. */
  readonly keys: number;
  readonly deleted: number;
}

/** A key that nobody can write: what is absent for it is absent for every key of which nothing is there. */
const noKey = Buffer.from('\0levee\0no key');

/**
 * Rebuilds a namespace from its log into a folder: as it is now, or as it was at a time, if that is provable for every
 * key (NOT_PROVABLE otherwise, and nothing is made). Memory is bounded; a folder that was begun is gone on with.
 */
export async function rebuildNamespace(
  world: AuditWorld,
  {
    name,
    atMs,
    folder,
    clockMarginMs = proofLimits.clockMarginMs,
    nameMarginMs = clockMarginMs,
    keepsRecords = false,
    positions: givenPositions,
  }: {
    readonly name: string;
    readonly atMs: number | undefined;
    readonly folder: string;
    readonly clockMarginMs?: number | undefined;
    /** By how much the clock of a master that gave the name another binlog may differ. */
    readonly nameMarginMs?: number | undefined;
    /** With their times and headers. */
    readonly keepsRecords?: boolean;
    /** Where the state at `atMs` ends, if that is known. */
    readonly positions?: readonly number[] | undefined;
  },
): Promise<Rebuilt> {
  const { log, topics, clock, signal } = world;
  const begun = await RebuiltFolder.manifestIn(folder);
  const windows = await namespaceWindows(log, topics, { name, clock, effectMs: clockMarginMs });
  if (atMs !== undefined) refuseOtherBinlog(windows, { atMs, clockMarginMs: nameMarginMs });
  const { binlog, partitions, hashAlgorithm, recordFormat, hiddenAfterMs } = windows.namespace;
  const clusterId = windows.clusterId ?? '';
  if (begun !== undefined && (begun.namespace !== name || begun.binlog !== binlog || begun.atMs !== (atMs ?? null)))
    throw new Failure('NOT_REBUILT', `${folder} holds ${begun.namespace} at another time: choose another folder`);
  const [{ topicId } = { topicId: '' }] = await log.describeTopics([binlog]);
  // [safety] What goes on there would be of both.
  if (begun !== undefined && (begun.clusterId !== clusterId || (begun.topicId ?? topicId) !== topicId))
    throw new Failure(
      'NOT_REBUILT',
      `${folder} holds what was begun of another ${begun.clusterId === clusterId ? `topic ${binlog}` : 'cluster'}: ` +
        'choose another folder, or remove it',
    );
  if (begun !== undefined && hiddenAfterMs !== null)
    throw new Failure(
      'NOT_REBUILT',
      `${folder} holds what was begun before, and ${binlog} forgets by age: remove the folder, and begin again`,
    );
  const chunks = [...windows.chunks].flatMap(([chunkId, { state, slotStart, slotEnd }]) =>
    state === 'serving' ? [{ chunkId, slotStart, slotEnd }] : [],
  );
  const begunAtMs = begun?.begunAtMs ?? clock.nowMs();
  const bounds = await log.offsets(binlog);
  const boundsOf = (partition: number) => bounds.find((each) => each.partition === partition);
  const cleanedBelow =
    begun?.cleanedBelow ?? Array.from({ length: partitions }, (_, p) => boundsOf(p)?.cleanedBelow ?? null);
  let positions = begun?.positions ?? givenPositions;
  if (positions === undefined)
    positions =
      atMs === undefined
        ? Array.from({ length: partitions }, (_, partition) => boundsOf(partition)?.endOffset ?? 0)
        : await provableCuts(world, windows, { atMs, clockMarginMs });
  const manifest = {
    format: 1,
    clusterId,
    namespace: name,
    binlog,
    topicId,
    partitions,
    hashAlgorithm,
    chunks,
    atMs: atMs ?? null,
    positions,
    begunAtMs,
    cleanedBelow,
    ...(keepsRecords ? { keepsRecords } : {}),
  } as const;
  await new RebuiltFolder(folder, { ...manifest, whole: false }).write();
  const made = new RebuiltFolder(folder, { ...manifest, whole: true });
  const counts = { keys: 0, deleted: 0 };
  /**
   * What a topic that forgets by age has let go of by now is expired by now: that is as good where the state of now is
   * asked for. Of a time it must be what was there when that was found provable.
   */
  const startOf = async (partition: number): Promise<number> => {
    const now = atMs === undefined ? await log.offsets(binlog) : bounds;
    return Number(now.find((each) => each.partition === partition)?.startOffset ?? 0);
  };
  await inTurns([...positions.entries()], signal, async ([partition, toOffset], signal) => {
    const store = await made.partition(partition);
    try {
      const place = { topic: binlog, topicId, partition, partitions, hashAlgorithm, recordFormat, hiddenAfterMs };
      const fromOffset = hiddenAfterMs === null ? 0 : await startOf(partition);
      const onBatch = async ({
        nextOffset,
        records,
      }: {
        readonly nextOffset: number;
        readonly records: readonly { readonly value: Buffer | null }[];
      }): Promise<void> => {
        world.progress?.(`${binlog} partition ${partition}`, nextOffset, toOffset);
        await world.rate?.pass(
          records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0),
          signal,
        );
      };
      const folding = { toOffset, fromOffset, signal, keepsValues: true, keepsRecords, onBatch };
      await foldPartition(log, place, store, folding);
      const { keys, deleted } = await store.count(atMs ?? clock.nowMs());
      counts.keys += keys;
      counts.deleted += deleted;
    } finally {
      await store.close();
    }
  });
  await made.write();
  return { manifest: made.manifest, windows, ...counts };
}

/** Partitions that are folded at a time: while one waits for the log or its database, another one goes on. */
const partitionsAtOnce = 3;

/** Some at a time; the first that fails ends the others, and is the failure of all. */
async function inTurns<T>(
  items: readonly T[],
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const left = items.values();
  const failed = new AbortController();
  const both = AbortSignal.any([signal, failed.signal]);
  let failure: { readonly error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    for (const item of left) {
      if (failure !== undefined) return;
      try {
        await work(item, both);
      } catch (error) {
        failure ??= { error };
        failed.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: partitionsAtOnce }, worker));
  if (failure !== undefined) throw (failure as { readonly error: unknown }).error;
}

/** Fails with NOT_PROVABLE when the name meant another binlog at that time. */
export function refuseOtherBinlog(
  windows: NamespaceWindows,
  at: { readonly atMs: number; readonly clockMarginMs: number },
): void {
  const other = otherBinlogAt(windows, at);
  if (other !== undefined) throw new Failure('NOT_PROVABLE', other.message);
}

/**
 * Where the state at `atMs` ends in each partition, if every key's state then is provable. Fails with NOT_PROVABLE, which
 * names every partition of which it is not, why, and from when on there would be an answer.
 */
export async function provableCuts(
  world: Pick<AuditWorld, 'log' | 'clock' | 'signal'>,
  { namespace, earlier }: NamespaceWindows,
  { atMs, clockMarginMs = proofLimits.clockMarginMs }: { readonly atMs: number; readonly clockMarginMs?: number },
): Promise<readonly number[]> {
  const { binlog, partitions } = namespace;
  const cuts: number[] = [];
  const refused: { readonly partition: number; readonly message: string; readonly fromMs: number | undefined }[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    const of = { topic: binlog, partition, atMs, earlier, clockMarginMs };
    const { proof, cutOffset } = await proofOf(world, of);
    if (proof.verdict === 'proved') cuts.push(cutOffset);
    else refused.push({ partition, message: proof.message, fromMs: proof.provableFromMs });
  }
  if (refused.length === 0) return cuts;
  const where = refused.map(({ partition, message }) => `partition ${partition}: ${message}`);
  const told = where.slice(0, refusalsMax).join('; ') + (where.length > refusalsMax ? '; and others' : '');
  const earliest = refused.map(({ fromMs }) => fromMs);
  const from = earliest.some((each) => each === undefined)
    ? ''
    : `; provable from ${isoTime(Math.max(...(earliest as number[])))} on`;
  throw new Failure('NOT_PROVABLE', `${binlog} ${told}${from}`);
}

/** So many partitions are named at most. */
const refusalsMax = 8;

async function proofOf(
  { log, clock, signal }: Pick<AuditWorld, 'log' | 'clock' | 'signal'>,
  of: {
    readonly topic: string;
    readonly partition: number;
    readonly atMs: number;
    readonly earlier: readonly { readonly untilMs: number; readonly lagMs: number }[];
    readonly clockMarginMs: number;
  },
): Promise<{ readonly proof: Proof; readonly cutOffset: number }> {
  const { topic, atMs: timeMs, earlier, clockMarginMs } = of;
  const cut = { timeMs };
  const question = {
    topic,
    partition: asPartition(of.partition),
    key: noKey,
    cut,
    recordsMax: 1,
    earlier,
    clockMarginMs,
  };
  const { reading, readEndMs, rules } = await readKey(log, question, { clock, signal });
  const evidence = reading.evidence(readEndMs);
  return { proof: prove(cut, evidence, rules), cutOffset: evidence.cutOffset };
}
