import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NamespaceState } from '@levee/events';
import { Failure } from '@levee/kernel';
import type { CarriedSource } from './carried-source';
import { type Comparison, FilledNamespace, type FillWorld } from './filled-namespace';

export interface Filled {
  /** Records that this run appended. */
  readonly written: number;
  /** Keys that were there before it. */
  readonly before: number;
  /** What the log holds now: equal to the source, or not. */
  readonly found: Comparison;
  readonly isEqual: boolean;
}

/**
 * Makes a namespace's log hold exactly what `source` holds, and nothing else. What is there already, from a run that was
 * ended, stays; anything else in it is refused before a record is written (NOT_EMPTY). It may be ended and begun again at
 * any point: the outcome is the same. Nobody else may write to the namespace meanwhile; who does is found at the end.
 */
export async function fillNamespace(
  world: FillWorld,
  namespace: NamespaceState,
  source: CarriedSource,
): Promise<Filled> {
  const folder = await mkdtemp(join(tmpdir(), 'levee-fill-'));
  const target = new FilledNamespace(world, namespace, folder);
  try {
    const before = await target.compare(source);
    if (before.foreign > 0)
      throw new Failure(
        'NOT_EMPTY',
        `${namespace.name} holds ${before.foreign} keys that are not of ${source.name}: ${before.examples.join('; ')}. ` +
          'Nothing was changed: take an empty namespace',
      );
    const written = await target.append(source);
    const found = await target.compare(source);
    const isEqual =
      found.missing === 0 &&
      found.foreign === 0 &&
      found.digests.every((digest, partition) => digest === source.partitions[partition]?.digest);
    return { written, before: before.same, found, isEqual };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
