import { nodeCommands } from '@levee/wire';
import type { PortalReplica } from './namespace-routes';
import type { NamespaceStore } from './namespace-store';
import { StoreFailure } from './store-errors';

/** The part of LV.STAT that is read here. */
interface NodeStat {
  readonly replicas?: readonly { readonly chunkId?: string; readonly liveKeys?: number }[];
}

const statMs = 2_000;

/** Keys of a namespace as the replicas that serve it counted them in their last sweep. Fails with LVUNAVAILABLE. */
export async function keyCount(namespace: NamespaceStore): Promise<number> {
  const table = namespace.table;
  if (!table) throw new StoreFailure('LVUNAVAILABLE', namespace.problem ?? 'there are no routes yet');
  const wanted = new Map<string, PortalReplica>();
  for (const { chunkId, readable } of table.all) {
    const replica = readable.find(({ target }) => target.link.usable);
    if (!replica) throw new StoreFailure('LVUNAVAILABLE', `no replica of ${chunkId} can be reached`);
    wanted.set(chunkId, replica);
  }
  const links = [...new Set([...wanted.values()].map(({ target }) => target.link))];
  const counts = await Promise.all(
    links.map(async (link) => {
      const reply = await link.scans.request([nodeCommands.stat], statMs);
      const stat = JSON.parse(String(reply)) as NodeStat;
      let keys = 0;
      for (const { chunkId, liveKeys } of stat.replicas ?? [])
        if (chunkId !== undefined && wanted.get(chunkId)?.target.link === link) keys += liveKeys ?? 0;
      return keys;
    }),
  );
  return counts.reduce((sum, keys) => sum + keys, 0);
}
