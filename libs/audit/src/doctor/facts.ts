import type { PlanWithoutRoom } from '@levee/cluster';
import type { ChunkReplica, NamespaceState, NodeState } from '@levee/events';
import type { TopicReport } from '@levee/journal';
import type { Log, LogCondition } from '@levee/log';
import type { WrittenFrom } from '../written-from';
import type { ChunkProofState } from '../continuous/proof-summary';

/** Everything the rules of the doctor know. What could not be learnt is absent, and listed as unknown. */
export interface DoctorFacts {
  /** Which log it is. */
  readonly log: Pick<Log, 'description'>;
  /** As `--bootstrap-server` takes it; empty on the embedded log. */
  readonly brokers: string;
  /** The portal that looks, if it is one. */
  readonly portalProblem?: string | undefined;
  /** Why the journal has lost its end, as the process that looks knows it. */
  readonly journalShort?: string | undefined;
  /** For how long the portal that looks may not have heard of decisions, ms. */
  readonly journalUnheardMs?: number | undefined;
  /** Why the log does not answer. */
  readonly logProblem?: string | undefined;
  /** Why the log takes no writes, as the process that looks sees at its own heartbeats. */
  readonly writeProblem?: string | undefined;
  readonly topics?: TopicReport;
  readonly condition?: LogCondition;
  readonly heard?: readonly HeardProcess[];
  /** What the active master says of itself. */
  readonly masterProblems?: readonly string[];
  readonly nodes: readonly NodeFacts[];
  readonly namespaces: readonly NamespaceFacts[];
  /** The last decision in what namespaces and chunks are here; nodes may have read later ones. */
  readonly seq: number;
  /** Plans that cannot end as the cluster is; see `plansWithoutRoom`. */
  readonly plansWithoutRoom?: readonly PlanWithoutRoom[];
  /** Copies put into quarantine lately that nobody acknowledged, by namespace's binlog and reason. */
  readonly quarantined?: readonly QuarantineCount[];
  /** How the comparison of each chunk's replicas with the log stands. */
  readonly proofs?: readonly ChunkProofState[];
  /** By the clock of who looks, ms since 1970. */
  readonly nowMs: number;
}

/** A process whose heartbeat was read while the doctor listened. */
export interface HeardProcess {
  readonly kind: string;
  readonly id: string;
  readonly incarnation: string;
  readonly address: string;
}

export interface NodeFacts {
  readonly state: NodeState;
  /** End of its maintenance, ms since 1970. */
  readonly maintenanceUntilMs?: number | undefined;
  /** What it says of itself; absent when it did not answer. */
  readonly says?: NodeStat | undefined;
}

/** The part of LV.STAT that the rules look at. */
export interface NodeStat {
  readonly problem: string | null;
  /** Nothing but a master's decision about its registration is missing; absent from nodes that do not say it. */
  readonly waitsForMaster?: boolean;
  /** The last decision that it has read; absent from nodes that do not say it. */
  readonly seq?: number;
  /** For how long it may not have heard of decisions; null: never yet. Absent from nodes that do not say it. */
  readonly unheardMs?: number | null;
  readonly disk: { readonly freeBytes: number; readonly totalBytes: number } | null;
  readonly replicas: readonly ReplicaStat[];
  /** Damaged files that it keeps; absent from nodes that do not say it. */
  readonly setAside?: readonly SetAsideStat[];
  /** Units in generations that no decision in force gave out; absent from nodes that do not say it. */
  readonly leftUnits?: readonly LeftUnitStat[];
}

interface LeftUnitStat {
  readonly unitId: string;
  readonly generation: number;
  readonly folder: string;
  readonly bytes: number;
  /** What is in it, in words; absent from nodes that do not say it, null until they looked. */
  readonly holds?: string | null;
  /** The namespace whose log lost what it holds. */
  readonly witnessOf?: string | null;
}

export interface SetAsideStat {
  readonly unitId: string;
  readonly folder: string;
  readonly reason: string;
  readonly bytes: number;
  /** Until its replica is whole again; absent: for people to look at. */
  readonly keptFor?: {
    readonly damaged: boolean;
    readonly positions: readonly { readonly partition: number; readonly nextOffset: number }[] | null;
  };
}

export interface ReplicaStat {
  /** As its unit counts them; absent from nodes that do not say it. */
  readonly storedBytes?: number | undefined;
  /** Since the file was looked at that waits longest for the next look; absent or null where there are none. */
  readonly checkedMs?: number | null;
  readonly chunkId: string;
  readonly namespace: string;
  readonly unitId: string;
  readonly generation?: number;
  readonly role: string;
  readonly state: string;
  readonly readable: boolean;
  readonly problem: string | null;
  /** What it needs and its log does not give any more; absent from nodes that do not say it. */
  readonly hole?: HoleStat | null;
  readonly positions: readonly {
    readonly partition: number;
    readonly nextOffset: number;
    readonly ageMs: number | null;
    readonly problem: string | null;
    /** The log lost what the replica holds from there on; absent from nodes that do not say it. */
    readonly cut?: CutStat | null | undefined;
  }[];
}

export interface HoleStat {
  readonly binlog: string;
  readonly partition: number;
  readonly fromOffset: number;
  /** Null: the log cannot say where it can be read again. */
  readonly toOffset: number | null;
  readonly why: string;
  /** The other replicas of the chunk, and why they cannot be copied; null: they can. */
  readonly peers: readonly { readonly nodeId: string; readonly unitId: string; readonly says: string | null }[];
}

export interface CutStat {
  readonly partition: number;
  readonly cutOffset: number;
  readonly nextOffset: number;
  /** Absent until they are counted. */
  readonly keysAtStake?: number;
  /** The first of them. */
  readonly keys?: readonly string[];
}

export interface NamespaceFacts {
  readonly state: NamespaceState;
  readonly chunks: readonly ChunkFacts[];
  /** End offset of the committed records by partition; absent when the log did not say. */
  readonly ends?: ReadonlyMap<number, number> | undefined;
  /** To the log of a namespace that was rewound, after another one had taken its place; absent when that is not asked. */
  readonly writtenLater?: WrittenFrom | undefined;
  /** It was being deleted when this look began, so long ago, and still is. */
  readonly deletingForMs?: number | undefined;
}

interface ChunkFacts {
  readonly chunkId: string;
  readonly replicas: readonly ChunkReplica[];
  /** The decision that made them what they are. */
  readonly seq: number;
}

export interface QuarantineCount {
  readonly topic: string;
  readonly reason: string;
  readonly count: number;
  /** `partition:offset` of the newest. */
  readonly newest: string;
}
