import { asPartition, Failure } from '@levee/kernel';
import { rulesNow } from '../proof/read-key';
import type { AuditWorld } from '../verify/walk-partition';
import { provableCuts, type Rebuilt } from './rebuild';

/**
 * [safety] After a rebuilding: whether what was folded is the state at its positions. A fold reads for a while, and a
 * cleaner that took a record in front of it, for the sake of one behind the position, leaves no trace in what was read.
 * So it is right only where the cleaner stood still; or when reading took at most half of `min.compaction.lag.ms`, or
 * nothing was appended since; or, of a time, when that is provable after the reading too. And deletions that the fold
 * should have met are there for `delete.retention.ms`. Fails with NOT_PROVABLE.
 */
export async function stillProved(
  world: Pick<AuditWorld, 'log' | 'clock' | 'signal'>,
  { manifest, windows }: Pick<Rebuilt, 'manifest' | 'windows'>,
  { atMs, clockMarginMs }: { readonly atMs: number | undefined; readonly clockMarginMs?: number | undefined },
): Promise<void> {
  const { binlog, positions, begunAtMs, cleanedBelow } = manifest;
  const bounds = await world.log.offsets(binlog);
  const moved = bounds.filter(
    ({ partition, cleanedBelow: now }) => now === undefined || now !== cleanedBelow?.[partition],
  );
  if (moved.length === 0) return;
  const tookMs = begunAtMs === undefined ? Infinity : world.clock.nowMs() - begunAtMs;
  const rules = await rulesNow(world.log, binlog, asPartition(0));
  // Such a topic takes whole stretches from its start, which the fold would have met.
  if (windows.namespace.hiddenAfterMs !== null && rules.lagMs === undefined) return;
  const { lagMs = 0, deleteRetentionMs } = rules;
  if (tookMs * 2 > deleteRetentionMs)
    throw new Failure(
      'NOT_PROVABLE',
      `reading ${binlog} took ${tookMs} ms, and half of delete.retention.ms (${deleteRetentionMs}) is the most: begin again, with a higher --rate`,
    );
  if (atMs !== undefined) {
    await provableCuts(world, windows, { atMs, ...(clockMarginMs === undefined ? {} : { clockMarginMs }) });
    return;
  }
  const written = moved.filter(({ partition, endOffset }) => endOffset !== positions[partition]);
  if (written.length > 0 && tookMs * 2 > lagMs)
    throw new Failure(
      'NOT_PROVABLE',
      `reading ${binlog} took ${tookMs} ms while partition ${written[0]?.partition} was written, and half of ` +
        `min.compaction.lag.ms (${lagMs}) is the most: begin again with a higher --rate, or while nobody writes`,
    );
}
