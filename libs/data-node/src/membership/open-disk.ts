import { checkIn, type NodeDisk, parseUnitSpecs } from '@levee/chunk-store';
import type { NetworkBudget } from '@levee/wire';
import type { DataNodeConfig, NodeWorld } from '../data-node-config';
import { NodeMemory } from './node-memory';

/** The disk of a node, and the memory for what is on it. */
export interface OpenedDisk {
  readonly disk: NodeDisk;
  readonly memory: NodeMemory;
}

/** Says where the units are others than those that were asked for. Fails as the disk does. */
export async function openDisk(
  { folder, units, nodeId, memoryBudgetBytes }: DataNodeConfig,
  { openDisk: open, readerThread, newId: newStoreId, clock, logger }: NodeWorld,
  buffers: NetworkBudget,
): Promise<OpenedDisk> {
  const specs = parseUnitSpecs(units, nodeId);
  const memory = new NodeMemory(memoryBudgetBytes, specs, buffers);
  const checkFiles = checkIn(readerThread);
  const disk = await open({ folder, specs, newStoreId, memory: memory.engines, checkFiles, clock });
  const { format, unitsRefused } = disk;
  if (format !== undefined && JSON.stringify(format.units) !== JSON.stringify(specs))
    logger.warn(
      { planId: format.planId, units: format.units.length, LEVEE_UNITS: units },
      'this disk was formatted by a plan: its units are those of the plan, not those of LEVEE_UNITS',
    );
  if (unitsRefused > 0)
    logger.warn(
      { offered: disk.units.length, refused: unitsRefused, folder },
      'not all units fit into the free space; the others are not offered (LEVEE_UNITS)',
    );
  return { disk, memory };
}
