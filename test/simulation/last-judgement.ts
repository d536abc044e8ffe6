import { collectDigests } from '@levee/audit';
import { checkWhole } from '@levee/cluster';
import type { ChunkRoute } from '@levee/events';
import { bootFold, submit } from '@levee/journal';
import { RareWarning } from '@levee/kernel';
import { RouteTable } from '@levee/keyspace';
import { LogFold } from './log-fold';
import { namespace, type SimulatedCluster, topics } from './simulated-cluster';

/** Looks at every decision as it comes into force: what a portal could see must cover every slot exactly once (I9). */
export function watchRoutes(cluster: SimulatedCluster, faults: string[]): void {
  let version = 0;
  cluster.view.onDecision(() => {
    const { state } = cluster.view;
    if (state.namespace(namespace)?.state !== 'active') return;
    const table = RouteTable.build<ChunkRoute>(state.routesOf(namespace));
    if ('problem' in table) faults.push(`after decision ${cluster.view.seq}: ${table.problem}`);
    else if (table.version < version) faults.push(`I9: the table falls from version ${version} to ${table.version}`);
    else ({ version } = table);
  });
}

/**
 * What must be true of any world in which everything has come to rest: invariants of the state, a fold from the
 * compacted topics like the one from the journal (I8), digests of all replicas equal to each other and to the log (I1),
 * no unit left behind. Returns what is not.
 */
export async function judgeCluster(cluster: SimulatedCluster): Promise<string[]> {
  const faults: string[] = [];
  const { view, log, outside } = cluster;
  try {
    checkWhole(view.state);
  } catch (error) {
    faults.push(String(error));
  }
  faults.push(...unitsLeftBehind(cluster), ...(await judgeProjections(cluster)));
  const { clock, timers, logger, newId } = outside;
  const report = await collectDigests(log, topics, view, {
    namespace,
    principal: 'judge',
    clock,
    timers,
    logger,
    newId,
    deadlineMs: 60_000,
    submit: (command) => submit(log, topics, command, clock, newId),
  });
  const owner = view.state.namespace(namespace);
  if (owner === undefined) return [...faults, `there is no namespace ${namespace}`];
  const chunks = new Map([...view.state.chunksOf(namespace)].map((chunk) => [chunk.chunkId, chunk]));
  const folds = new Map<string, LogFold>();
  for (const { chunkId, partition, barrierOffset: offset, digest, keys, nodeId } of report.replicas) {
    const chunk = chunks.get(chunkId);
    if (chunk === undefined) continue;
    const place = `${partition}@${offset}`;
    const fold = folds.get(place) ?? (await LogFold.of(log, owner, { partition, offset }));
    folds.set(place, fold);
    const wanted = fold.digest(chunk);
    if (wanted.digest !== digest || wanted.keys !== keys)
      faults.push(
        `I1: ${chunkId} on ${nodeId}, partition ${partition} before offset ${offset}: ${keys} keys with digest ` +
          `${digest}; the log says ${wanted.keys} with ${wanted.digest}`,
      );
  }
  if (!report.equal) faults.push('I1: replicas of one chunk differ at one barrier');
  return faults;
}

/** Taken for nobody, or databases of generations that are nobody's any more (I10). */
function unitsLeftBehind({ view: { state }, disks }: SimulatedCluster): string[] {
  const held = new Set(
    [...state.chunks()].flatMap(({ replicas }) => replicas.map(({ unitId, generation }) => `${unitId}@${generation}`)),
  );
  const taken = [...state.units()].flatMap(({ unitId, state: is, generation, chunkId }) => {
    if (is === 'free' || held.has(`${unitId}@${generation}`)) return [];
    return [`I10: unit ${unitId} generation ${generation} is ${is} for ${chunkId}, which has no replica in it`];
  });
  const kept = [...disks].flatMap(([name, { generations }]) =>
    generations.flatMap((place) => (held.has(place) ? [] : `I10: the disk of ${name} still has ${place}`)),
  );
  return [...taken, ...kept];
}

/** What a process that boots now reads in the compacted topics must be what the journal says. */
async function judgeProjections({ view, log, outside: { clock, logger } }: SimulatedCluster): Promise<string[]> {
  const { fold, report } = await bootFold(log, topics, { clock, warning: new RareWarning(logger, clock) });
  if (report.source === 'journal') return [`I8: nobody could boot from the compacted topics: ${report.reason}`];
  const [booted, folded] = [fold, view.journal].map(({ table }) => table.digest);
  if (fold.position.seq !== view.seq || booted === folded) return [];
  return [`I8: booted from the compacted topics the state is ${booted}, folded from the journal ${folded}`];
}
