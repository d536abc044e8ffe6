import { mkdir, readdir } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { assert, type Clock } from '@levee/kernel';
import { systemClock } from '@levee/log';
import { ChunkStoreFailure } from './chunk-store-failure';
import { beginStore, freeBytesOf, type HeldFolder, holdFolder, takesWrites, unitsThatFit } from './disk-opening';
import { readSealed, writeSealed } from './durable-file';
import type { EngineMemory } from './engine-memory';
import { type EngineBudget, engineBudgetDefault, openLevelDb, openMemory, type ReplicaDatabase } from './engine';
import type { FilesChecked } from './leveldb-files/check-files';
import { readJournalSeen, writeJournalSeen } from './journal-seen';
import type { HeldGeneration, JournalSeenOnDisk, NodeDisk } from './node-disk';
import { bytesIn, type KeptFor, type SetAside, SetAsides } from './set-aside';
import {
  checkHere,
  ChecksAhead,
  type CheckProgress,
  CountingPace,
  type FileChecker,
  UnitChecks,
  type UnitScrub,
} from './unit-checks';
import { UnitOwner } from './unit-owner';
import { type ClearedUnit, readFormat, type UnitFormat, writeFormat } from './unit-format';
import { clearGeneration, clearUpTo, generationOf, generationsIn, unitFolder } from './unit-folders';
import type { UnitSpec } from './unit-spec';
import { wrongKind } from './wrong-kind';

export interface UnitDiskOptions {
  readonly folder: string;
  /** What a disk has that no plan has formatted since. */
  readonly specs: readonly UnitSpec[];
  /** Makes the identity of a new disk: unique, never reused. */
  readonly newStoreId: () => string;
  /** Of every database alike... */
  readonly budget?: EngineBudget;
  /** ...or divided among them. */
  readonly memory?: EngineMemory | undefined;
  /** Free bytes of the file system; real by default. */
  readonly freeBytes?: (folder: string) => Promise<number>;
  /** How files are checked before a database is opened, and later; in this event loop by default. */
  readonly checkFiles?: FileChecker | undefined;
  readonly clock?: Clock;
}

/** Two that a log may hold when it is written anew, and two to go on with. */
const roomInBuffers = 4;

/**
 * A node's data folder: who it is (`storeId`, and the cluster it belongs to), and its units. A unit generation is one
 * folder `units/<unit>/g<generation>`; nothing opens or clears any other generation than the one it was told (I10).
 * Space is reserved by accounting: a unit is offered only while its capacity fits into what is free.
 */
export class UnitDisk implements NodeDisk {
  private readonly open = new Map<string, ReplicaDatabase>();
  private readonly budgets = new Map<string, EngineBudget>();
  private readonly checks = new Map<string, UnitChecks>();
  private readonly checking = new Map<string, { readonly pace: CountingPace; readonly bytesTotal: number }>();
  private readonly stopping = new AbortController();
  private readonly ahead = new ChecksAhead();
  private readonly check: FileChecker;
  private seen: JournalSeenOnDisk | undefined;
  private readonly clock: Clock;
  /** Units whose opening ended a process open one after another, so that the next time one alone is to blame. */
  private suspects: Promise<unknown> = Promise.resolve();

  private constructor(
    readonly folder: string,
    readonly storeId: string,
    private offered: { readonly units: readonly UnitSpec[]; readonly refused: number },
    private formatted: UnitFormat | undefined,
    private cluster: string | undefined,
    private readonly lock: HeldFolder,
    private readonly asides: SetAsides,
    private readonly options: Pick<UnitDiskOptions, 'budget' | 'memory' | 'checkFiles' | 'clock'>,
    private readonly freeBytes: (folder: string) => Promise<number>,
  ) {
    this.check = options.checkFiles ?? checkHere;
    this.clock = options.clock ?? systemClock;
  }

  /** DISK_IN_USE when another process has the folder; DISK_TOO_SMALL when not one unit fits. */
  static open(options: UnitDiskOptions): Promise<UnitDisk> {
    return UnitDisk.openNow(options).catch((error: unknown) => {
      throw wrongKind(error) ?? error;
    });
  }

  private static async openNow(options: UnitDiskOptions): Promise<UnitDisk> {
    const { folder } = options;
    await mkdir(join(folder, 'units'), { recursive: true });
    const lock = await holdFolder(folder);
    try {
      const known = await readSealed(folder, 'storeId');
      const storeId = known ?? (await beginStore(folder, options.newStoreId));
      const formatted = await readFormat(folder);
      if (formatted !== undefined && formatted.toClear.length > 0) {
        for (const unit of formatted.toClear) await clearUpTo(folder, unit);
        await writeFormat(folder, { ...formatted, toClear: [] });
      }
      const specs = formatted?.units ?? options.specs;
      const freeBytes = options.freeBytes ?? freeBytesOf;
      const free = await freeBytes(folder);
      const units = await unitsThatFit(specs, folder, free);
      const needed = specs[0]?.capacityBytes ?? 0;
      if (units.length === 0)
        throw new ChunkStoreFailure(
          'DISK_TOO_SMALL',
          `${folder} has ${free} bytes free, the smallest configured node needs ${needed}: ` +
            'free some space or configure smaller units (LEVEE_UNITS)',
        );
      const cluster = await readSealed(folder, 'clusterId');
      const offered = { units, refused: specs.length - units.length };
      const asides = await SetAsides.open(folder);
      const disk = new UnitDisk(folder, storeId, offered, formatted, cluster, lock, asides, options, freeBytes);
      disk.seen = await readJournalSeen(folder);
      await disk.checkAhead();
      return disk;
    } catch (error) {
      await lock.close();
      throw error;
    }
  }

  /** Units that fit on this disk, or hold something already. */
  get units(): readonly UnitSpec[] {
    return this.offered.units;
  }

  /** How many of the units it should have do not fit. */
  get unitsRefused(): number {
    return this.offered.refused;
  }

  get format(): UnitFormat | undefined {
    return this.formatted;
  }

  async reformat(format: UnitFormat, free: readonly ClearedUnit[]): Promise<void> {
    const highest = new Map(free.map(({ unitId, generation }) => [unitFolder(unitId), generation]));
    for (const place of this.open.keys()) {
      const [, unit = '', generation = 'g0'] = place.split(sep);
      if (Number(generation.slice(1)) <= (highest.get(unit) ?? 0))
        throw new ChunkStoreFailure('UNIT_CONFLICT', `I10: ${place} is open: close it first`);
    }
    const bytes = format.units.reduce((sum, unit) => sum + (unit.engine === 'memory' ? 0 : unit.capacityBytes), 0);
    const freeBytes = await this.freeBytes(this.folder);
    if (bytes > freeBytes)
      throw new ChunkStoreFailure(
        'DISK_TOO_SMALL',
        `${this.folder} has ${freeBytes} bytes free, the units that plan ${format.planId} wants take ${bytes}: ` +
          'free some space, or cancel the plan and propose smaller or fewer units',
      );
    const { planId, units } = format;
    // Recorded first: whatever ends the process, the next one goes on from here.
    await writeFormat(this.folder, { planId, units, toClear: free });
    this.ahead.clear();
    for (const unit of free) await clearUpTo(this.folder, unit);
    await writeFormat(this.folder, { planId, units, toClear: [] });
    this.formatted = format;
    this.offered = { units, refused: 0 };
  }

  /** The cluster whose data the folder holds; `undefined` while it has never joined one. */
  get clusterId(): string | undefined {
    return this.cluster;
  }

  /** Remembers the cluster at the first call; DISK_FOREIGN when the folder belongs to another. */
  async joinCluster(clusterId: string): Promise<void> {
    if (this.cluster === clusterId) return;
    if (this.cluster !== undefined)
      throw new ChunkStoreFailure(
        'DISK_FOREIGN',
        `${this.folder} holds data of cluster ${this.cluster}, this is ${clusterId}: use another LEVEE_DATA_DIR`,
      );
    await writeSealed(this.folder, 'clusterId', clusterId);
    this.cluster = clusterId;
  }

  get journalSeen(): JournalSeenOnDisk | undefined {
    return this.seen;
  }

  async rememberJournal({ seq, term }: JournalSeenOnDisk): Promise<void> {
    await writeJournalSeen(this.folder, { seq, term });
    this.seen = { seq, term };
  }

  async openUnit(unitId: string, generation: number): Promise<ReplicaDatabase> {
    const spec = this.spec(unitId);
    const place = this.place(unitId, generation);
    if (this.open.has(place)) throw new ChunkStoreFailure('UNIT_CONFLICT', `I10: ${place} is open already`);
    const db = spec.engine === 'memory' ? await openMemory() : await this.openOnDisk(place);
    this.open.set(place, db);
    return db;
  }

  /** To be called after the database was closed by its replica. */
  async closeUnit(unitId: string, generation: number): Promise<void> {
    const place = this.place(unitId, generation);
    const db = this.open.get(place);
    this.open.delete(place);
    this.checks.delete(place);
    if (db !== undefined && db.status !== 'closed') await db.close();
    this.giveBack(place);
  }

  /** Removes what exactly this generation holds; idempotent. UNIT_CONFLICT while it is open. */
  async clearUnit(unitId: string, generation: number): Promise<void> {
    this.spec(unitId);
    const place = this.place(unitId, generation);
    if (this.open.has(place)) throw new ChunkStoreFailure('UNIT_CONFLICT', `I10: ${place} is open: close it first`);
    this.ahead.delete(place);
    await clearGeneration(join(this.folder, place));
  }

  setAside(unitId: string, generation: number, reason: string): Promise<void> {
    return this.putAside(unitId, generation, { reason });
  }

  async keepProblem(unitId: string): Promise<string | undefined> {
    if (this.spec(unitId).engine === 'memory') return `${unitId} is memory, of which nothing can be kept`;
    return this.asides.keepProblem(unitId, (each) => this.capacityOf(each), await this.freeBytes(this.folder));
  }

  keep(
    unitId: string,
    generation: number,
    { reason, ...keptFor }: KeptFor & { readonly reason: string },
  ): Promise<void> {
    return this.putAside(unitId, generation, { reason, keptFor });
  }

  needed(unitId: string, generation: number): SetAside | undefined {
    return this.asides.needed(unitId, generation);
  }

  letGoKept(unitId: string, generation: number): Promise<void> {
    return this.asides.letGo(unitId, generation, this.roomFor(unitId));
  }

  private async putAside(
    unitId: string,
    generation: number,
    what: { readonly reason: string; readonly keptFor?: KeptFor },
  ): Promise<void> {
    if (this.spec(unitId).engine === 'memory') return this.clearUnit(unitId, generation);
    const place = this.place(unitId, generation);
    if (this.open.has(place)) throw new ChunkStoreFailure('UNIT_CONFLICT', `I10: ${place} is open: close it first`);
    this.ahead.delete(place);
    const path = join(this.folder, place);
    await this.asides.take(path, { unitId, generation, ...what, atMs: this.clock.nowMs() }, this.roomFor(unitId));
    // [safety] After the move: of a folder whose owner says `new` the files of a database without CURRENT are removed.
    await new UnitOwner(path).givenUp();
  }

  private roomFor(unitId: string): () => Promise<boolean> {
    return async () => (await this.freeBytes(this.folder)) >= this.capacityOf(unitId);
  }

  /** 0 of a unit that the disk has no more. */
  private capacityOf(unitId: string): number {
    return this.units.find((unit) => unit.unitId === unitId)?.capacityBytes ?? 0;
  }

  get setAsides(): readonly SetAside[] {
    return this.asides.all;
  }

  /** What is looked at again: nothing of an engine in memory. */
  async scrub(unitId: string, generation: number, wanted: UnitScrub): Promise<FilesChecked | undefined> {
    const place = this.place(unitId, generation);
    const checks = this.checks.get(place);
    if (checks === undefined) return undefined;
    const what = checks.what(wanted);
    const found = await this.check(join(this.folder, place), what).catch((error: unknown) => {
      // Closed meanwhile: its files may be gone for good reason.
      if (this.checks.get(place) === checks) throw error;
      return undefined;
    });
    if (found === undefined) return undefined;
    checks.note(found, what, this.clock.monotonicMs());
    return found;
  }

  checkProgress(unitId: string, generation: number): CheckProgress | undefined {
    const found = this.checking.get(this.place(unitId, generation));
    return found && { bytes: Math.min(found.pace.bytes, found.bytesTotal), bytesTotal: found.bytesTotal };
  }

  stopChecks(): void {
    this.stopping.abort();
  }

  oldestCheckMs(unitId: string, generation: number): number | undefined {
    return this.checks.get(this.place(unitId, generation))?.oldestMs;
  }

  /** Highest generation of a unit on this disk, 0 when there is none. */
  async generationOf(unitId: string): Promise<number> {
    const names = await readdir(join(this.folder, 'units', unitFolder(unitId))).catch(() => []);
    return Math.max(0, ...names.map((name) => generationOf(name) ?? 0));
  }

  async generations(isAsked: (unitId: string, generation: number) => boolean): Promise<HeldGeneration[]> {
    const held: HeldGeneration[] = [];
    for (const { unitId } of this.units)
      held.push(...(await generationsIn(this.folder, unitId, (generation) => isAsked(unitId, generation))));
    return held;
  }

  async hasRoom(): Promise<boolean> {
    const { budget = engineBudgetDefault, memory } = this.options;
    const { writeBufferBytes } = memory?.largest ?? budget;
    return (await this.freeBytes(this.folder)) >= writeBufferBytes * roomInBuffers && (await takesWrites(this.folder));
  }

  spec(unitId: string): UnitSpec {
    const spec = this.units.find((unit) => unit.unitId === unitId);
    if (spec === undefined) throw new ChunkStoreFailure('UNIT_UNKNOWN', `${unitId} is no unit of ${this.folder}`);
    return spec;
  }

  async close(): Promise<void> {
    this.stopChecks();
    for (const db of this.open.values()) if (db.status !== 'closed') await db.close();
    this.open.clear();
    await this.lock.close();
  }

  private async openOnDisk(place: string): Promise<ReplicaDatabase> {
    const path = join(this.folder, place);
    const ahead = this.ahead.take(place, this.clock.monotonicMs());
    const owner = new UnitOwner(path);
    const stage = await owner.stage();
    const openings = await owner.fatalOpenings();
    owner.throwIfFatal(openings);
    // [safety] Before LevelDB sees it: what it makes of a damaged database destroys the evidence, or ends the process.
    const checked = stage === 'new' ? undefined : await (ahead ?? this.checkClosed(place, path));
    const open = async (): Promise<ReplicaDatabase> => {
      await owner.opening();
      const db = await this.openWithShare(place, path, stage === 'new').finally(() => owner.opened());
      await owner.used();
      return db;
    };
    let db: Promise<ReplicaDatabase>;
    if (openings === 0) db = open();
    else this.suspects = (db = this.suspects.then(open)).catch(() => undefined);
    const opened = await db;
    this.checks.set(place, new UnitChecks(checked, this.clock.monotonicMs()));
    return opened;
  }

  /** [safety] Under the lock and before anybody opens a unit: what is proven stays as it is until its first opening. */
  private async checkAhead(): Promise<void> {
    for (const { unitId, engine } of this.units) {
      const generation = engine === 'memory' ? 0 : await this.generationOf(unitId);
      const place = join('units', unitFolder(unitId), `g${generation}`);
      if (generation === 0) continue;
      this.ahead.begun(place, this.checkClosed(place, join(this.folder, place)), this.clock.monotonicMs());
    }
  }

  private async checkClosed(place: string, path: string): Promise<FilesChecked> {
    const { signal } = this.stopping;
    if (signal.aborted) throw new ChunkStoreFailure('REPLICA_CLOSED', `${place} is not opened: the process ends`);
    const pace = new CountingPace();
    this.checking.set(place, { pace, bytesTotal: await bytesIn(path) });
    return this.check(path, { state: 'closed', pace, signal }).finally(() => this.checking.delete(place));
  }

  private async openWithShare(place: string, path: string, create: boolean): Promise<ReplicaDatabase> {
    const { budget = engineBudgetDefault, memory } = this.options;
    const onDisk = this.units.filter(({ engine }) => engine !== 'memory').length;
    const own = memory?.take(onDisk - this.budgets.size);
    if (own !== undefined) this.budgets.set(place, own);
    try {
      return await openLevelDb(path, own ?? budget, create);
    } catch (error) {
      this.giveBack(place);
      throw error;
    }
  }

  private giveBack(place: string): void {
    const own = this.budgets.get(place);
    if (own !== undefined) this.options.memory?.giveBack(own);
    this.budgets.delete(place);
  }

  private place(unitId: string, generation: number): string {
    assert(Number.isSafeInteger(generation) && generation >= 1, `I10: ${generation} is no generation of a unit`);
    return join('units', unitFolder(unitId), `g${generation}`);
  }
}
