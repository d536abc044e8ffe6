import {
  ChunkStoreFailure,
  type ClearedUnit,
  type NodeDisk,
  type ReplicaDatabase,
  type UnitDiskOptions,
  type UnitFormat,
  type UnitSpec,
} from '@levee/chunk-store';
import { CrashDisk } from '@levee/crash-level';
import { type Delay, Lane } from './lane';
import type { PlantedBug } from './planted-bug';
import type { SimulatedProcess } from './simulated-process';

const writing: Delay = { minMs: 0.05, maxMs: 0.4 };

interface Unit {
  readonly disk: CrashDisk;
  /** The database of the process that has it open. */
  db: ReplicaDatabase | undefined;
}

/** What a machine's disk holds, whatever becomes of its processes. Units of the `memory` engine end with their process. */
export class SurvivingDisk {
  private storeId: string | undefined;
  private clusterId: string | undefined;
  /** As the folder of a real one keeps it: what a plan wants, and what is still to be cleared for it. */
  private recorded: { readonly format: UnitFormat; readonly toClear: readonly ClearedUnit[] } | undefined;
  private readonly units = new Map<string, Unit>();
  private owner: SimulatedProcess | undefined;

  constructor(private readonly bug: PlantedBug = {}) {}

  /** `n1/u03@2`: what was made and not cleared. */
  get generations(): string[] {
    return [...this.units.keys()].sort();
  }

  /** The machine's power is gone: of each database any first part of what was not synced is there. */
  losePower(dice: () => number): void {
    for (const { disk } of this.units.values()) void disk.powerLoss(Math.floor(dice() * 2 ** 31), 'prefix');
  }

  /** Takes a user's key out of a database behind its replica's back, as a bug would; false when it is in none. */
  forget(key: Buffer): boolean {
    const name = Buffer.concat([Buffer.from('d/'), key]);
    for (const { db } of this.units.values()) {
      if (db?.getSync(name) === undefined) continue;
      void db.del(name);
      return true;
    }
    return false;
  }

  /** The disk as a process opens it. DISK_IN_USE while another living one has it. */
  async open(process: SimulatedProcess, options: UnitDiskOptions, dice: () => number): Promise<NodeDisk> {
    if (this.owner?.alive === true) throw new ChunkStoreFailure('DISK_IN_USE', `${this.owner.name} has this disk open`);
    this.owner = process;
    for (const unit of this.units.values()) unit.db = undefined;
    const act = actsOf(process, dice);
    if (this.recorded !== undefined && this.recorded.toClear.length > 0) await this.carve(this.recorded, act);
    const specs = this.recorded?.format.units ?? options.specs;
    for (const place of this.units.keys()) {
      const spec = specs.find(({ unitId }) => place.startsWith(`${unitId}@`));
      if (spec?.engine === 'memory') this.units.delete(place);
    }
    this.storeId ??= options.newStoreId();
    return this.mounted(process, this.storeId, specs, act);
  }

  /** Clears what a format leaves nothing of, one unit after another, as the real one does. */
  private async carve(
    { format, toClear }: { readonly format: UnitFormat; readonly toClear: readonly ClearedUnit[] },
    act: Act,
  ): Promise<void> {
    await act('disk format', () => (this.recorded = { format, toClear }));
    for (const unit of toClear)
      await act('unit clear', () => {
        for (const place of this.units.keys()) if (isUpTo(place, unit)) this.units.delete(place);
      });
    await act('disk formatted', () => (this.recorded = { format, toClear: [] }));
  }

  private mounted(process: SimulatedProcess, storeId: string, specsAtStart: readonly UnitSpec[], act: Act): NodeDisk {
    const { units } = this;
    let specs = specsAtStart;
    let formatted = this.recorded?.format;
    const disk = this;
    const spec = (unitId: string): UnitSpec => {
      const found = specs.find((unit) => unit.unitId === unitId);
      if (found === undefined) throw new ChunkStoreFailure('UNIT_UNKNOWN', `${unitId} is no unit of this disk`);
      return found;
    };
    const clearUnit = async (unitId: string, generation: number): Promise<void> => {
      spec(unitId);
      const place = `${unitId}@${generation}`;
      if (units.get(place)?.db !== undefined)
        throw new ChunkStoreFailure('UNIT_CONFLICT', `I10: ${place} is open: close it first`);
      await act('unit clear', () => void (this.bug.keeps?.(process.name, place) !== true && units.delete(place)));
    };
    return {
      storeId,
      get units() {
        return specs;
      },
      unitsRefused: 0,
      get format() {
        return formatted;
      },
      get clusterId() {
        return disk.clusterId;
      },
      spec,
      joinCluster: async (clusterId) => {
        if (this.clusterId !== undefined && this.clusterId !== clusterId)
          throw new ChunkStoreFailure('DISK_FOREIGN', `this disk holds data of cluster ${this.clusterId}`);
        await act('disk join', () => (this.clusterId = clusterId));
      },
      openUnit: async (unitId, generation) => {
        spec(unitId);
        const place = `${unitId}@${generation}`;
        const unit: Unit = units.get(place) ?? { disk: new CrashDisk(), db: undefined };
        if (unit.db !== undefined) throw new ChunkStoreFailure('UNIT_CONFLICT', `I10: ${place} is open already`);
        const way = (content: Uint8Array, write: () => void): Promise<void> => act('unit write', write, content);
        const db = unit.disk.open({ keyEncoding: 'buffer', valueEncoding: 'buffer' }, way);
        unit.db = db as unknown as ReplicaDatabase;
        units.set(place, unit);
        process.onDeath(() => unit.disk.processDeath());
        await db.open();
        return unit.db;
      },
      closeUnit: async (unitId, generation) => {
        const unit = units.get(`${unitId}@${generation}`);
        const db = unit?.db;
        if (unit === undefined || db === undefined) return;
        unit.db = undefined;
        if (db.status !== 'closed') await db.close();
      },
      clearUnit,
      setAside: (unitId, generation) => clearUnit(unitId, generation),
      setAsides: [],
      scrub: () => Promise.resolve(undefined),
      oldestCheckMs: () => undefined,
      reformat: async (format, free) => {
        const open = [...units].find(([place, { db }]) => db !== undefined && free.some((unit) => isUpTo(place, unit)));
        if (open !== undefined) throw new ChunkStoreFailure('UNIT_CONFLICT', `I10: ${open[0]} is open: close it first`);
        await this.carve({ format, toClear: free }, act);
        formatted = format;
        specs = format.units;
      },
      hasRoom: () => Promise.resolve(true),
      generationOf: (unitId) =>
        Promise.resolve(
          Math.max(
            0,
            ...[...units.keys()].map((place) =>
              place.startsWith(`${unitId}@`) ? Number(place.slice(unitId.length + 1)) : 0,
            ),
          ),
        ),
      close: async () => {
        for (const unit of units.values())
          if (unit.db !== undefined && unit.db.status !== 'closed') await unit.db.close();
        this.owner = undefined;
      },
    };
  }
}

/** Changes the disk, unless the process is dead by then; resolves when the process may know. */
type Act = (kind: string, change: () => void, content?: Uint8Array | string) => Promise<void>;

function actsOf(process: SimulatedProcess, dice: () => number): Act {
  const lane = new Lane(process.time, dice, writing);
  return (kind, change, content = '') =>
    new Promise((resolve) =>
      process.act(kind, content, () => {
        change();
        lane.send(() => process.deliver(resolve));
      }),
    );
}

/** `n1/u03@2` is of that unit and not above the generation. */
function isUpTo(place: string, { unitId, generation }: ClearedUnit): boolean {
  return place.startsWith(`${unitId}@`) && Number(place.slice(unitId.length + 1)) <= generation;
}
