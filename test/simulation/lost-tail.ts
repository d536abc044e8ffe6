import { asPartition } from '@levee/kernel';
import { namespace, type SimulatedCluster } from './simulated-cluster';

const lostTail = {
  keys: 40,
  /** Taken from the end of each partition. */
  records: 12,
  /** Until everybody has noticed. */
  noticedMs: 10_000,
} as const;

const consistencies = ['eventual', 'session', 'strong'] as const;

/**
 * The log loses its end while all replicas hold it, and grows again; then a node starts anew. Returns what is not as it
 * must be: a replica that gave up what only it has, and an answer that is not true.
 */
export async function judgeLostTail(
  cluster: SimulatedCluster,
  meanwhile: () => void = () => undefined,
): Promise<string[]> {
  const { time } = cluster;
  const store = cluster.keyValue('p1');
  const owner = store.namespace(namespace);
  const keys = Array.from({ length: lostTail.keys }, (_, i) => Buffer.from(`k${i}`));
  for (const key of keys) await store.put(owner, key, Buffer.from(`v ${key.toString()}`), { ack: 'all' });
  const deleted = new Set(keys.filter((_, i) => i % 5 === 0).map(String));
  for (const key of keys) if (deleted.has(String(key))) await store.delete(owner, key, { ack: 'all' });
  const before = await contentsOf(cluster);
  const { binlog, partitions } = cluster.view.state.namespace(namespace) as { binlog: string; partitions: number };
  for (let partition = 0; partition < partitions; partition++)
    await cluster.cutLog.cut(binlog, asPartition(partition), lostTail.records);
  // The log grows again: what is refused for good reason is no fault.
  await store.put(owner, Buffer.from('later'), Buffer.from('x')).catch(() => undefined);
  await time.sleep(lostTail.noticedMs);
  cluster.kill('n1');
  await time.sleep(500);
  cluster.restart('n1');
  await time.sleep(lostTail.noticedMs);
  meanwhile();
  const faults: string[] = [];
  const after = await contentsOf(cluster);
  for (const [place, value] of before)
    if (after.get(place) !== value) faults.push(`I14: ${place} is gone, and the log has it no more`);
  for (const key of keys)
    for (const consistency of consistencies) {
      const wanted = deleted.has(String(key)) ? undefined : `v ${key.toString()}`;
      const found = await store.get(owner, key, { consistency }).then(
        (entry) => ({ value: entry?.value.toString() }),
        () => undefined,
      );
      if (found !== undefined && found.value !== wanted)
        faults.push(
          `I2: ${key.toString()} is ${found.value ?? 'nil'} for ${consistency}, it was ${wanted ?? 'deleted'}`,
        );
    }
  return faults;
}

async function contentsOf(cluster: SimulatedCluster): Promise<Map<string, string>> {
  const all = new Map<string, string>();
  for (const disk of cluster.disks.values()) for (const [place, value] of await disk.contents()) all.set(place, value);
  return all;
}
