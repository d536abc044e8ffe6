import {
  ChunkStoreFailure,
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
  private format: UnitFormat | undefined;
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
  open(process: SimulatedProcess, options: UnitDiskOptions, dice: () => number): Promise<NodeDisk> {
    if (this.owner?.alive === true)
      return Promise.reject(new ChunkStoreFailure('DISK_IN_USE', `${this.owner.name} has this disk open`));
    this.owner = process;
    const specs = this.format?.units ?? options.specs;
    for (const [place, unit] of this.units) {
      unit.db = undefined;
      const spec = specs.find(({ unitId }) => place.startsWith(`${unitId}@`));
      if (spec?.engine === 'memory') this.units.delete(place);
    }
    this.storeId ??= options.newStoreId();
    return Promise.resolve(this.mounted(process, this.storeId, specs, dice));
  }

  private mounted(
    process: SimulatedProcess,
    storeId: string,
    specsAtStart: readonly UnitSpec[],
    dice: () => number,
  ): NodeDisk {
    const { units } = this;
    let specs = specsAtStart;
    const lane = new Lane(process.time, dice, writing);
    const disk = this;
    const act = (kind: string, change: () => void, content: Uint8Array | string = ''): Promise<void> =>
      new Promise((resolve) =>
        process.act(kind, content, () => {
          change();
          lane.send(() => process.deliver(resolve));
        }),
      );
    const spec = (unitId: string): UnitSpec => {
      const found = specs.find((unit) => unit.unitId === unitId);
      if (found === undefined) throw new ChunkStoreFailure('UNIT_UNKNOWN', `${unitId} is no unit of this disk`);
      return found;
    };
    return {
      storeId,
      get units() {
        return specs;
      },
      unitsRefused: 0,
      get format() {
        return disk.format;
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
      clearUnit: async (unitId, generation) => {
        spec(unitId);
        const place = `${unitId}@${generation}`;
        if (units.get(place)?.db !== undefined)
          throw new ChunkStoreFailure('UNIT_CONFLICT', `I10: ${place} is open: close it first`);
        await act('unit clear', () => void (this.bug.keeps?.(process.name, place) !== true && units.delete(place)));
      },
      reformat: async (format, free) => {
        const isFree = (place: string): boolean =>
          free.some(
            ({ unitId, generation }) =>
              place.startsWith(`${unitId}@`) && Number(place.slice(unitId.length + 1)) <= generation,
          );
        const doomed = [...units.keys()].filter(isFree);
        const open = doomed.find((place) => units.get(place)?.db !== undefined);
        if (open !== undefined) throw new ChunkStoreFailure('UNIT_CONFLICT', `I10: ${open} is open: close it first`);
        await act('disk format', () => {
          for (const place of doomed) units.delete(place);
          this.format = format;
        });
        specs = format.units;
      },
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
