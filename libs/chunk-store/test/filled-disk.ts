import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseUnitSpecs, UnitDisk, type UnitDiskOptions } from '@levee/chunk-store';

export const k = (text: string): Buffer => Buffer.from(text);

/** As a rejected call says it. */
export const damaged = (words: RegExp) => ({
  code: 'REPLICA_DAMAGED',
  message: expect.stringMatching(words) as string,
});

/** A disk of two units in a folder of its own, opened again and again, whose files a test bends meanwhile. */
export class FilledDisk {
  folder!: string;
  disk!: UnitDisk;

  async begin(): Promise<void> {
    this.folder = mkdtempSync(join(tmpdir(), 'levee-damage-'));
    await this.open();
  }

  async end(): Promise<void> {
    await this.disk.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async open(options: Partial<UnitDiskOptions> = {}): Promise<UnitDisk> {
    const { folder } = this;
    const specs = parseUnitSpecs('2x1MiB,1x1MiB:memory', 'n1');
    return (this.disk = await UnitDisk.open({ folder, specs, newStoreId: () => 'a store', ...options }));
  }

  unit(name = 'u01', generation = 1): string {
    return join(this.folder, 'units', name, `g${generation}`);
  }

  /** A unit with a table: opening writes what was in the write-ahead file into one. */
  async filled(unitId = 'n1/u01'): Promise<void> {
    const { disk } = this;
    const db = await disk.openUnit(unitId, 1);
    for (let i = 0; i < 50; i++) await db.put(k(`key ${i}`), k(`value ${i}`));
    await disk.closeUnit(unitId, 1);
    await disk.openUnit(unitId, 1);
    await disk.closeUnit(unitId, 1);
  }

  /** One bit of a table; a second time it is put right. */
  changeTable(): void {
    const path = join(this.unit(), readdirSync(this.unit()).find((name) => name.endsWith('.ldb')) as string);
    const bytes = readFileSync(path);
    bytes[20] = (bytes[20] as number) ^ 1;
    writeFileSync(path, bytes);
  }
}
