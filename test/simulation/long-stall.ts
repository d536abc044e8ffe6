import { judgeCluster } from './last-judgement';
import { namespace, type SimulatedCluster } from './simulated-cluster';

const dayMs = 86_400_000;
/** Below half of the time that tombstones are kept: the others stay complete. */
const stepDays = 3;

export interface Stall {
  /** How long the process stands still. */
  readonly days: number;
  /** Its wall clock stands still too, as that of a suspended machine. */
  readonly clockStops?: boolean;
  /** The log keeps no promise about tombstones: they go at once. */
  readonly tombstonesGoEarly?: boolean;
}

/**
 * A node stands still for so long that the log forgets what was deleted meanwhile, and goes on as if nothing had been.
 * The others and the log stand still as well but for a moment every few days, so that these days cost nothing. Returns
 * what is not as it must be, and how many tombstones the log had forgotten by then.
 */
export async function stalled(
  cluster: SimulatedCluster,
  { days, clockStops = false, tombstonesGoEarly = false }: Stall,
): Promise<{ readonly faults: string[]; readonly forgotten: number }> {
  const { time, log } = cluster;
  const store = cluster.keyValue('p1');
  const owner = store.namespace(namespace);
  const { binlog } = cluster.view.state.namespace(namespace) as { binlog: string };
  const keys = Array.from({ length: 30 }, (_, i) => Buffer.from(`k${i}`));
  for (const key of keys) await store.put(owner, key, Buffer.from('v'), { ack: 'all' });
  const stalls = 'n1';
  cluster.pause(stalls);
  // The first batch is under way to it already when the rest of the world goes on.
  for (const key of keys) await store.put(owner, key, Buffer.from('w'));
  for (const key of keys) await store.delete(owner, key);
  await time.sleep(1_000);
  const others = [...cluster.names].filter((name) => name !== stalls);
  let forgotten = 0;
  for (let day = 0; day < days; day += stepDays) {
    for (const name of others) cluster.pause(name);
    cluster.outside.pause();
    // Else it tells everybody who waits at its end five times a second that nothing happens.
    cluster.broker.pause();
    await time.sleep(stepDays * dayMs);
    cluster.broker.resume();
    if (tombstonesGoEarly) {
      const kept = (await log.describeTopics([binlog]))[0]?.settings ?? {};
      await log.alterTopic(binlog, { 'min.compaction.lag.ms': '0', 'delete.retention.ms': '0' });
      for (let round = 0; round < 2; round++) {
        await time.sleep(1);
        forgotten += await log.compact(binlog);
      }
      await log.alterTopic(binlog, kept);
    }
    cluster.outside.resume();
    for (const name of others) cluster.resume(name);
    await time.sleep(2_500);
    forgotten += await log.compact(binlog);
  }
  if (clockStops) cluster.processOf(stalls)?.loseTime();
  cluster.resume(stalls);
  await time.sleep(5_000);
  await cluster.ready();
  return { faults: await judgeCluster(cluster), forgotten };
}
