import { Failure } from '@levee/kernel';
import type { Log, LogDamage } from '@levee/log';
import type { Line } from './accept-loss';
import type { KeptStat, WitnessReplica, WitnessNodes } from './witness-nodes';

/**
 * People let go a stretch that is damaged in the log: readers pass over it from then on. [safety] Only where no replica
 * is past it: one that is holds what was there, others are copied from it, and beside it a replica that passed over the
 * stretch would be another state (I1). So every replica must say where it stands, and one that cannot is no proof.
 */
export async function* letPass(
  { nodes, log }: { readonly nodes: WitnessNodes; readonly log: Log },
  {
    namespace,
    partition,
    yes,
  }: { readonly namespace: string; readonly partition?: number | undefined; readonly yes: boolean },
): AsyncGenerator<Line> {
  const { binlog, sourceTopic } = nodes.namespaceOf(namespace);
  // Nothing is changed at a topic of others (I23).
  if (sourceTopic !== null) return;
  const { damage } = await log.examine([binlog]);
  const wanted = damage.filter((each) => partition === undefined || each.partition === partition);
  if (wanted.length === 0) return;
  const replicas = await nodes.replicasOf(namespace);
  const kept = await nodes.keptFor(namespace);
  for (const each of wanted) {
    const message = holders(each, replicas);
    if (message !== undefined) {
      yield { event: 'note', message, partition: each.partition };
      continue;
    }
    const { topic, fromOffset, toOffset, what } = each;
    const where = `${topic} partition ${each.partition}, offsets ${fromOffset} to ${toOffset - 1} (${what})`;
    const stake =
      'what was written there is held by no replica, so which keys it were is not known: those that were changed or ' +
      `deleted there are as before${keptText(each, kept, replicas)}`;
    if (yes) await log.passOver(topic, each.partition, { fromOffset, toOffset });
    yield {
      event: yes ? 'letGo' : 'cut',
      message: yes ? `${where} was let go: readers pass over it; ${stake}` : `${where} would be let go; ${stake}`,
      partition: each.partition,
      fromOffset,
      toOffset,
    };
  }
}

/** Files of which nobody will be copied, and that may say more. */
function keptText(
  { partition, toOffset }: LogDamage,
  kept: readonly KeptStat[],
  replicas: readonly WitnessReplica[],
): string {
  const units = new Set(
    replicas.flatMap(({ unitId, positions }) => (positions.some((of) => of.partition === partition) ? [unitId] : [])),
  );
  const folders = kept
    .filter(({ unitId, keptFor }) => {
      const at = keptFor?.positions?.find((of) => of.partition === partition);
      return units.has(unitId) && (at === undefined || at.nextOffset >= toOffset);
    })
    .map(({ nodeId, folder, keptFor }) => `${folder} of ${nodeId}${keptFor?.damaged === true ? ' (damaged)' : ''}`);
  return folders.length === 0
    ? ''
    : `. What replicas held of it before they were built anew is kept until then in ${folders.join(', ')}: copy it first`;
}

/** Why the stretch is not let go, in words. */
function holders(
  { topic, partition, fromOffset, toOffset }: LogDamage,
  replicas: readonly (WitnessReplica & { readonly nodeId: string })[],
): string | undefined {
  const where = `${topic} partition ${partition}, offsets ${fromOffset} to ${toOffset - 1}`;
  for (const { nodeId, unitId, chunkId, state, hole, positions } of replicas) {
    const at = positions.find((each) => each.partition === partition);
    if (at === undefined) continue;
    const name = `${chunkId} on ${unitId} of ${nodeId}`;
    if (at.nextOffset >= toOffset)
      return `${where} are left alone: ${name} is past it and holds what was there; the others are copied from it`;
    // Without a database nobody knows where it stands, unless the hole is what keeps it from having one.
    if (state !== 'following' && state !== 'atHole' && state !== 'witness' && (hole ?? null) === null)
      throw new Failure(
        'NOT_PROVABLE',
        `${where}: ${name} is ${state} and may be past it; nothing was changed. See levee doctor, and try again`,
      );
  }
  return undefined;
}
