import type { ReplicaDatabase } from './engine';
import type { FilesChecked } from './leveldb-files/check-files';
import type { KeptFor, SetAside } from './set-aside';
import type { CheckProgress, UnitScrub } from './unit-checks';
import type { ClearedUnit, UnitFormat } from './unit-format';
import type { UnitSpec } from './unit-spec';

/** A decision and a term of the journal of the cluster that the disk belongs to. */
export interface JournalSeenOnDisk {
  readonly seq: number;
  readonly term: number;
}

/** What the disk has in one generation of a unit. */
export interface HeldGeneration {
  readonly unitId: string;
  readonly generation: number;
  readonly folder: string;
  readonly bytes: number;
}

/** A node's disk as the node sees it; `UnitDisk` is the real one. */
export interface NodeDisk {
  /** Who the disk is: made once, never changed. */
  readonly storeId: string;
  /** Units on offer. */
  readonly units: readonly UnitSpec[];
  /** How many of the units it should have are not, for want of space. */
  readonly unitsRefused: number;
  /** The plan that made the units what they are; `undefined` = they are as the settings say. */
  readonly format: UnitFormat | undefined;
  /** The cluster whose data it holds; `undefined` while it has never joined one. */
  readonly clusterId: string | undefined;
  /** Remembers the cluster, durably, at the first call; DISK_FOREIGN when it belongs to another. */
  joinCluster(clusterId: string): Promise<void>;
  /** The furthest that its node has seen of the cluster's journal, as it was remembered last; absent where none is kept. */
  readonly journalSeen?: JournalSeenOnDisk | undefined;
  /** Remembers it, durably: a journal that lost its end is told by the disks that know more. */
  rememberJournal?(seen: JournalSeenOnDisk): Promise<void>;
  /**
   * Opens the database of exactly this generation, making it when nothing ever was in it. REPLICA_DAMAGED, with nothing
   * changed, when its files are not what was written, when they are gone, or when its opening ended the process twice.
   */
  openUnit(unitId: string, generation: number): Promise<ReplicaDatabase>;
  /** To be called after the database was closed by its replica. */
  closeUnit(unitId: string, generation: number): Promise<void>;
  /** Removes what exactly this generation holds; idempotent. UNIT_CONFLICT while it is open. */
  clearUnit(unitId: string, generation: number): Promise<void>;
  /** As `clearUnit`, of a damaged generation: its files are kept for people to look at, within limits. */
  setAside(unitId: string, generation: number, reason: string): Promise<void>;
  /** Why what a unit holds cannot be kept beside what takes its place, in words; `undefined` when it can. */
  keepProblem(unitId: string): Promise<string | undefined>;
  /** As `clearUnit`, but what it held stays in `setAsides`, whatever their limits, until `letGoKept`. */
  keep(unitId: string, generation: number, what: KeptFor & { readonly reason: string }): Promise<void>;
  /** What is kept so of this generation. */
  needed(unitId: string, generation: number): SetAside | undefined;
  /** The replica in this generation is whole, or is no more: what was kept goes; damaged files stay within limits. */
  letGoKept(unitId: string, generation: number): Promise<void>;
  /** What was set aside and is still there, oldest first. */
  readonly setAsides: readonly SetAside[];
  /** Looks at files of an open unit again. `undefined` when there are none; REPLICA_DAMAGED when one is damaged. */
  scrub(unitId: string, generation: number, wanted: UnitScrub): Promise<FilesChecked | undefined>;
  /** How far the files of a unit are proven that waits to be opened; `undefined` when none are being checked. */
  checkProgress(unitId: string, generation: number): CheckProgress | undefined;
  /** Units that still wait for their check are not opened any more: the process ends. */
  stopChecks(): void;
  /** Nothing of an open unit was looked at longer ago (monotonic ms); `undefined` where there is nothing to look at. */
  oldestCheckMs(unitId: string, generation: number): number | undefined;
  /**
   * Makes the units what a plan wants, for good: also a process that starts with other settings finds them so. `free` =
   * every unit there was, in the generation in which the cluster calls it free: cleared up to that, never above (I10).
   * DISK_TOO_SMALL, with nothing changed, when the new ones do not fit; UNIT_CONFLICT while one of `free` is open. Cut
   * short anywhere it is done again, or finished by the next process that opens the disk.
   */
  reformat(format: UnitFormat, free: readonly ClearedUnit[]): Promise<void>;
  /** Highest generation of a unit on this disk, 0 when there is none. */
  generationOf(unitId: string): Promise<number>;
  /** What is there of the generations that are asked for; absent where none outlives the process. */
  generations?(isAsked: (unitId: string, generation: number) => boolean): Promise<HeldGeneration[]>;
  /** The disk takes writes, and has room for a database to be opened, which writes its log anew, and to be written again. */
  hasRoom(): Promise<boolean>;
  /** UNIT_UNKNOWN when it is not on offer. */
  spec(unitId: string): UnitSpec;
  close(): Promise<void>;
}
