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
  /** Its files are not what was written; `fails`: the engine notices itself, whatever it is asked. */
  damage: 'silent' | 'fails' | undefined;
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

  /**
   * Damages the files of every unit that is open. `silent`: some users' keys are not found any more, as by a changed
   * byte in a filter, and nothing else; `fails`: the engine finds out. Returns how many units that befell.
   */
  damage(kind: 'silent' | 'fails'): number {
    let count = 0;
    for (const unit of this.units.values()) {
      if (unit.db === undefined) continue;
      unit.damage = kind;
      if (kind === 'silent') for (const key of keysOf(unit.db)) void unit.db.del(key);
      count++;
    }
    return count;
  }

  /** Units that are damaged still: nobody has built them anew. */
  get damaged(): string[] {
    return [...this.units].flatMap(([place, { damage }]) => (damage === undefined ? [] : [place]));
  }

  /** What users' keys have in the databases that are open: key, and the stored bytes as text. */
  async contents(): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for (const [place, { db }] of this.units)
      if (db !== undefined)
        for await (const [key, value] of db.iterator({ gte: Buffer.from('d/'), lt: Buffer.from('d0') }))
          found.set(`${place} ${key.toString()}`, value.toString('latin1'));
    return found;
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
    // As the real one looks at checksums of files.
    const look = (place: string, { damage }: Unit): undefined => {
      if (damage === undefined || this.bug.unchecked?.(process.name) === true) return undefined;
      throw new ChunkStoreFailure('REPLICA_DAMAGED', `the files of ${place} are not what was written`);
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
        const unit: Unit = units.get(place) ?? { disk: new CrashDisk(), damage: undefined, db: undefined };
        if (unit.db !== undefined) throw new ChunkStoreFailure('UNIT_CONFLICT', `I10: ${place} is open already`);
        look(place, unit);
        const way = (content: Uint8Array, write: () => void): Promise<void> => act('unit write', write, content);
        const db = unit.disk.open({ keyEncoding: 'buffer', valueEncoding: 'buffer' }, way);
        unit.db = failing(db as unknown as ReplicaDatabase, () => unit.damage === 'fails');
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
      // Never: so the log is read before anything is cleared.
      keepProblem: () => Promise.resolve('nothing is kept here'),
      keep: (unitId, generation) => clearUnit(unitId, generation),
      needed: () => undefined,
      letGoKept: () => Promise.resolve(),
      scrub: (unitId, generation) => {
        const place = `${unitId}@${generation}`;
        const unit = units.get(place);
        return Promise.resolve().then(() => unit && look(place, unit));
      },
      oldestCheckMs: () => undefined,
      checkProgress: () => undefined,
      stopChecks: () => undefined,
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

/** Every third key of users in a database. */
function keysOf(db: ReplicaDatabase): Buffer[] {
  const found: Buffer[] = [];
  for (let i = 0; i < 200; i++) {
    const key = Buffer.from(`d/old${i}`);
    if (i % 3 === 1 && db.getSync(key) !== undefined) found.push(key);
  }
  return found;
}

/** The database as its engine has it: while it `fails` whatever reads or writes is told so. */
function failing(db: ReplicaDatabase, fails: () => boolean): ReplicaDatabase {
  const corruption = (): Error =>
    Object.assign(new Error('Corruption: block checksum mismatch'), { code: 'LEVEL_CORRUPTION' });
  const asked = new Set<string | symbol>(['get', 'getMany', 'has', 'put', 'del']);
  return new Proxy(db, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      const call = value as (...args: unknown[]) => unknown;
      return (...args: unknown[]): unknown => {
        if (!fails()) return call.apply(target, args);
        if (asked.has(name)) return Promise.reject(corruption());
        if (name === 'getSync') throw corruption();
        const made = call.apply(target, args);
        if (name === 'iterator' || name === 'batch') spoiled(made as object, corruption);
        return made;
      };
    },
  });
}

/** An iterator whose reads, or a batch whose write, end so. */
function spoiled(made: object, corruption: () => Error): void {
  const names = 'write' in made ? ['write'] : ['next', 'nextv', 'all'];
  for (const name of names) Reflect.set(made, name, () => Promise.reject(corruption()));
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
