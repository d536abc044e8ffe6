import type { NodeDisk } from '@levee/chunk-store';
import type { Scrub } from '../digests/scrub';
import type { HostingParts } from '../hosting-parts';
import { describeReplica } from '../replica/describe-replica';
import type { HostedReplica } from '../replica/hosted-replica';
import type { ReplicaHost } from '../replica/replica-host';
import type { OpenedDisk } from './open-disk';

export type Numbers = { readonly [name: string]: number };

/** What LV.STAT says of the replicas of a node, and of files that were damaged. */
export function replicasAndFiles(
  hosted: Iterable<HostedReplica>,
  disk: NodeDisk | undefined,
  nowMonotonicMs: number,
): { readonly replicas: readonly object[]; readonly setAside: readonly object[] } {
  const replicas = [...hosted].map((each) => {
    const { unitId, generation } = each.identity;
    const checkedAtMs = disk?.oldestCheckMs(unitId, generation);
    const checkedMs = checkedAtMs === undefined ? null : Math.round(nowMonotonicMs - checkedAtMs);
    const checking = disk?.checkProgress(unitId, generation) ?? null;
    return { ...describeReplica(each, nowMonotonicMs), checkedMs, checking };
  });
  return { replicas, setAside: disk?.setAsides ?? [] };
}

/** Numbers for metrics, of what the node has by now. */
export function nodeNumbers(
  opened: OpenedDisk | undefined,
  hosting: HostingParts | undefined,
  nowMonotonicMs: number,
): { readonly [name: string]: number | Numbers } {
  const host = hosting?.host;
  const disk = opened?.disk;
  return {
    ...replicaNumbers(host),
    oldestAgeMs: oldestAgeMs(host, nowMonotonicMs),
    unitsOffered: disk?.units.length ?? 0,
    waits: host?.waiting ?? 0,
    feeds: { ...host?.feeds.counts() },
    digests: { ...hosting?.digests.counts },
    memory: { ...opened?.memory.stats([...(host?.all ?? [])], opened.disk.units) },
    io: { ...host?.io.stats() },
    scrub: scrubNumbers(hosting?.scrub, disk),
    copies: { open: host?.copies.open ?? 0, ...host?.copies.counts },
  };
}

/** For how long the readable replica that is furthest behind has not had all of a partition; NaN: none is readable. */
function oldestAgeMs(host: ReplicaHost | undefined, nowMonotonicMs: number): number {
  const readable = [...(host?.all ?? [])].filter((hosted) => hosted.readable);
  const ages = readable.flatMap((each) => each.partitions.map((partition) => each.ageMs(partition, nowMonotonicMs)));
  return ages.length === 0 ? NaN : ages.reduce((oldest, age) => Math.max(oldest, age));
}

/** What metrics say of replicas. */
function replicaNumbers(host: ReplicaHost | undefined): Numbers {
  const replicas = [...(host?.all ?? [])];
  const open = replicas.filter((hosted) => hosted.readable).map((hosted) => hosted.replica);
  const sum = (of: (stats: (typeof open)[number]) => number): number =>
    open.reduce((total, each) => total + of(each), 0);
  return {
    replicas: replicas.length,
    replicasReadable: open.length,
    replicasFull: replicas.filter(({ full }) => full).length,
    rebuilds: replicas.reduce((total, { rebuilds }) => total + rebuilds, 0),
    recordsApplied: sum((each) => each.stats.recordsApplied),
    bytesApplied: sum((each) => each.stats.bytesApplied),
    writes: sum((each) => each.stats.writes),
    reads: sum((each) => each.stats.reads),
    cacheHits: sum((each) => each.stats.cacheHits),
    storedBytes: sum((each) => each.sizeBytes),
    liveKeys: replicas.reduce((total, { swept }) => total + swept.liveKeys, 0),
  };
}

/** Of the look at files: what it has seen, and how old the oldest look is. */
function scrubNumbers(scrub: Scrub | undefined, disk: NodeDisk | undefined): Numbers {
  const aside = disk?.setAsides ?? [];
  return {
    ...scrub?.counts,
    oldestCheckMs: scrub?.oldestMs ?? 0,
    setAside: aside.length,
    setAsideBytes: aside.reduce((total, { bytes }) => total + bytes, 0),
  };
}
