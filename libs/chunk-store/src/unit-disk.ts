import { mkdir, readdir, rename, rm, rmdir, statfs } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { assert } from '@levee/kernel';
import { ChunkStoreFailure } from './chunk-store-failure';
import { ignoreMissing, readText, writeDurably } from './durable-file';
import type { EngineMemory } from './engine-memory';
import {
  type EngineBudget,
  engineBudgetDefault,
  openFolderLock,
  openLevelDb,
  openMemory,
  type ReplicaDatabase,
} from './engine';
import type { NodeDisk } from './node-disk';
import { type ClearedUnit, readFormat, type UnitFormat, writeFormat } from './unit-format';
import type { UnitSpec } from './unit-spec';

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
}

/**
 * A node's data folder: who it is (`storeId`, and the cluster it belongs to), and its units. A unit generation is one
 * folder `units/<unit>/g<generation>`; nothing opens or clears any other generation than the one it was told (I10).
 * Space is reserved by accounting: a unit is offered only while its capacity fits into what is free.
 */
export class UnitDisk implements NodeDisk {
  private readonly open = new Map<string, ReplicaDatabase>();
  private readonly budgets = new Map<string, EngineBudget>();

  private constructor(
    readonly folder: string,
    readonly storeId: string,
    private offered: { readonly units: readonly UnitSpec[]; readonly refused: number },
    private formatted: UnitFormat | undefined,
    private cluster: string | undefined,
    private readonly lock: ReplicaDatabase,
    private readonly memory: Pick<UnitDiskOptions, 'budget' | 'memory'>,
    private readonly freeBytes: (folder: string) => Promise<number>,
  ) {}

  /** DISK_IN_USE when another process has the folder; DISK_TOO_SMALL when not one unit fits. */
  static async open(options: UnitDiskOptions): Promise<UnitDisk> {
    const { folder } = options;
    await mkdir(join(folder, 'units'), { recursive: true });
    const lock = await openFolderLock(join(folder, 'lock'));
    try {
      const storeId = (await readText(join(folder, 'storeId'))) ?? options.newStoreId();
      await writeDurably(folder, 'storeId', storeId);
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
      const cluster = await readText(join(folder, 'clusterId'));
      const offered = { units, refused: specs.length - units.length };
      return new UnitDisk(folder, storeId, offered, formatted, cluster, lock, options, freeBytes);
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
    await writeDurably(this.folder, 'clusterId', clusterId);
    this.cluster = clusterId;
  }

  /** Opens the database of exactly this generation, creating it when it is missing. */
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
    if (db !== undefined && db.status !== 'closed') await db.close();
    this.giveBack(place);
  }

  /** Removes what exactly this generation holds; idempotent. UNIT_CONFLICT while it is open. */
  async clearUnit(unitId: string, generation: number): Promise<void> {
    this.spec(unitId);
    const place = this.place(unitId, generation);
    if (this.open.has(place)) throw new ChunkStoreFailure('UNIT_CONFLICT', `I10: ${place} is open: close it first`);
    const path = join(this.folder, place);
    const doomed = `${path}.cleared`;
    await rm(doomed, { recursive: true, force: true });
    // Renamed first: a half deleted database must never be opened as this generation again.
    await rename(path, doomed).catch(ignoreMissing);
    await rm(doomed, { recursive: true, force: true });
  }

  /** Highest generation of a unit on this disk, 0 when there is none. */
  async generationOf(unitId: string): Promise<number> {
    const names = await readdir(join(this.folder, 'units', unitFolder(unitId))).catch(() => []);
    return Math.max(0, ...names.map((name) => Number(/^g(\d+)$/.exec(name)?.[1] ?? 0)));
  }

  async hasRoom(): Promise<boolean> {
    const { budget = engineBudgetDefault, memory } = this.memory;
    const { writeBufferBytes } = memory?.largest ?? budget;
    return (await this.freeBytes(this.folder)) >= writeBufferBytes * roomInBuffers;
  }

  spec(unitId: string): UnitSpec {
    const spec = this.units.find((unit) => unit.unitId === unitId);
    if (spec === undefined) throw new ChunkStoreFailure('UNIT_UNKNOWN', `${unitId} is no unit of ${this.folder}`);
    return spec;
  }

  async close(): Promise<void> {
    for (const db of this.open.values()) if (db.status !== 'closed') await db.close();
    this.open.clear();
    await this.lock.close();
  }

  private async openOnDisk(place: string): Promise<ReplicaDatabase> {
    const { budget = engineBudgetDefault, memory } = this.memory;
    const onDisk = this.units.filter(({ engine }) => engine !== 'memory').length;
    const own = memory?.take(onDisk - this.budgets.size);
    if (own !== undefined) this.budgets.set(place, own);
    try {
      return await openLevelDb(join(this.folder, place), own ?? budget);
    } catch (error) {
      this.giveBack(place);
      throw error;
    }
  }

  private giveBack(place: string): void {
    const own = this.budgets.get(place);
    if (own !== undefined) this.memory.memory?.giveBack(own);
    this.budgets.delete(place);
  }

  private place(unitId: string, generation: number): string {
    assert(Number.isSafeInteger(generation) && generation >= 1, `I10: ${generation} is no generation of a unit`);
    return join('units', unitFolder(unitId), `g${generation}`);
  }
}

/** Two that a log may hold when it is written anew, and two to go on with. */
const roomInBuffers = 4;

/** `n1/u03` -> `u03`. */
function unitFolder(unitId: string): string {
  const name = unitId.slice(unitId.lastIndexOf('/') + 1);
  assert(/^[A-Za-z0-9_-]+$/.test(name), `I10: '${unitId}' is no unit id`);
  return name;
}

/** Removes every generation of a unit up to the one given, and what is left of others that were being removed. */
async function clearUpTo(folder: string, { unitId, generation }: ClearedUnit): Promise<void> {
  const path = join(folder, 'units', unitFolder(unitId));
  const names = (await readdir(path).catch(ignoreMissing)) ?? [];
  for (const name of names) {
    const found = /^g(\d+)(\.cleared)?$/.exec(name);
    if (found === null || Number(found[1]) > generation) continue;
    const doomed = join(path, `g${found[1]}.cleared`);
    if (found[2] === undefined) {
      await rm(doomed, { recursive: true, force: true });
      await rename(join(path, name), doomed);
    }
    await rm(doomed, { recursive: true, force: true });
  }
  // Stays while it holds a higher generation.
  await rmdir(path).catch(() => undefined);
}

async function unitsThatFit(specs: readonly UnitSpec[], folder: string, free: number): Promise<UnitSpec[]> {
  const used = new Set(await readdir(join(folder, 'units')));
  let left = free;
  return specs.filter((spec) => {
    if (spec.engine === 'memory' || used.has(unitFolder(spec.unitId))) return true;
    left -= spec.capacityBytes;
    return left >= 0;
  });
}

async function freeBytesOf(folder: string): Promise<number> {
  const found = await statfs(folder);
  return found.bavail * found.bsize;
}
