import { Digest, Failure, isoTime } from '@levee/kernel';
import { countPartition } from '../export/write-export';
import type { ExportedPartition } from '../export/manifest';
import { namespaceWindows } from '../proof/namespace-windows';
import { proofLimits } from '../proof/read-key';
import { provableCuts, rebuildNamespace, type Rebuilt, refuseOtherBinlog } from '../rebuild/rebuild';
import { RebuiltFolder } from '../rebuild/rebuilt-folder';
import { stillProved } from '../rebuild/still-proved';
import type { AuditWorld } from '../verify/walk-partition';
import { PastSource } from './past-source';

/** What a namespace held at a time, proved for every key. */
export interface Past {
  readonly source: PastSource;
  readonly positions: readonly number[];
  readonly keys: number;
  readonly digest: string;
  readonly windows: Rebuilt['windows'];
}

/** Fails with NOT_PROVABLE, as {@link pastOf} would, unless what a namespace held at a time is provable for every key. */
export async function provenPast(
  world: AuditWorld,
  { name, atMs, clockMarginMs = proofLimits.clockMarginMs }: PastQuery,
): Promise<void> {
  const windows = await namespaceWindows(world.log, world.topics, {
    name,
    clock: world.clock,
    effectMs: clockMarginMs,
  });
  refuseOtherBinlog(windows, { atMs, clockMarginMs: nameMarginMs });
  refuseBeforeItServed(windows, atMs);
  await provableCuts(world, windows, { atMs, clockMarginMs });
}

/** Meant is the binlog of now, by the times of its own records: only a time at which it had another name is no past of it. */
const nameMarginMs = 0;

interface PastQuery {
  readonly name: string;
  readonly atMs: number;
  readonly clockMarginMs?: number | undefined;
}

/** [safety] While a fork was filled its log held a part of it. */
function refuseBeforeItServed({ namespace, activeFromMs }: Rebuilt['windows'], atMs: number): void {
  const { name, binlog, createdAtMs, swappedWith, forkedFrom } = namespace;
  const fromMs = forkedFrom === null ? createdAtMs : activeFromMs;
  if (atMs >= fromMs) return;
  const rewound = swappedWith === null ? '' : `; ask ${swappedWith}, which changed places with it`;
  throw new Failure(
    'NOT_PROVABLE',
    `${name} (${binlog}) is there since ${isoTime(fromMs)}: its log says nothing of an earlier time${rewound}`,
  );
}

/**
 * Folds what a namespace held at a time into `folder`: refused unless that is provable for every key, before the reading and
 * after it (NOT_PROVABLE, which names partitions, reasons, and the time from which on it would be). `positions`: where an
 * earlier attempt found that state to end; the same state is folded again.
 */
export async function pastOf(
  world: AuditWorld,
  {
    name,
    binlog,
    atMs,
    folder,
    positions,
    clockMarginMs = proofLimits.clockMarginMs,
  }: PastQuery & {
    /** Of the creation that is meant. */
    readonly binlog: string;
    readonly folder: string;
    readonly positions?: readonly number[] | undefined;
  },
): Promise<Past> {
  const windows = await namespaceWindows(world.log, world.topics, {
    name,
    clock: world.clock,
    effectMs: clockMarginMs,
  });
  const { namespace } = windows;
  if (namespace.binlog !== binlog)
    throw new Failure('NOT_FOUND', `the binlog of ${name} is ${namespace.binlog} now, not ${binlog} any more`);
  refuseOtherBinlog(windows, { atMs, clockMarginMs: nameMarginMs });
  refuseBeforeItServed(windows, atMs);
  // Said at once, and of all partitions: the folding takes a while.
  if (positions !== undefined) await provableCuts(world, windows, { atMs, clockMarginMs });
  const asked = { name, atMs, folder, clockMarginMs, keepsRecords: true, positions, nameMarginMs };
  const rebuilt = await rebuildNamespace(world, asked);
  await stillProved(world, rebuilt, { atMs, clockMarginMs });
  const made = new RebuiltFolder(folder, rebuilt.manifest);
  const partitions: ExportedPartition[] = [];
  const digest = new Digest();
  for (const [partition, nextOffset] of rebuilt.manifest.positions.entries()) {
    const store = await made.partition(partition);
    try {
      const of = { partition, judgedAtMs: atMs, recordFormat: namespace.recordFormat };
      const counted = await countPartition(store, of, { signal: world.signal });
      partitions.push({ nextOffset, ...counted });
      digest.merge(Digest.fromHex(counted.digest));
    } finally {
      await store.close();
    }
  }
  const keys = partitions.reduce((sum, each) => sum + each.keys, 0);
  const source = new PastSource(made, `${name} at ${isoTime(atMs)}`, atMs, partitions);
  return { source, positions: rebuilt.manifest.positions, keys, digest: digest.toHex(), windows: rebuilt.windows };
}
