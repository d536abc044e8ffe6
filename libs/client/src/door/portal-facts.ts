import type { Portal } from '../portal';
import { compatibleRedisVersion } from './connection-commands';

type Facts = Readonly<Record<string, Readonly<Record<string, string | number>>>>;

/** INFO, by section; the first names are those that Redis clients look for. */
export function portalFacts(portal: Portal): Facts {
  const { view, store, door, config } = portal;
  const server = door.server.stats();
  const keyspace: Record<string, string> = {};
  for (const namespace of view.state.namespaces())
    keyspace[namespace.name] = `state=${namespace.state},partitions=${namespace.partitions},chunks=${namespace.chunks}`;
  const { reads, appends } = store.stats() as Readonly<Record<string, Readonly<Record<string, number>>>>;
  return {
    Server: {
      redis_version: compatibleRedisVersion,
      redis_mode: 'standalone',
      server_name: 'levee',
      process_id: process.pid,
      tcp_port: portal.respPort,
      run_id: portal.incarnation.replace(/-/g, ''),
      levee_instance: config.instance,
    },
    Clients: { connected_clients: server.connections, maxclients: door.server.limits.connectionsMax },
    // Clients wait for as long as it says so: only while it cannot answer at all.
    Persistence: { loading: portal.serves ? 0 : 1 },
    Stats: {
      total_commands_processed: server.commands,
      rejected_connections: server.refusedConnections,
      keyspace_hits: reads?.hits ?? 0,
      keyspace_misses: reads?.misses ?? 0,
      ...prefixed('reads', reads),
      ...prefixed('appends', appends),
    },
    Replication: { role: 'master', connected_slaves: 0 },
    Cluster: { cluster_enabled: 0, levee_cluster_id: view.clusterId ?? '', levee_seq: view.seq, levee_term: view.term },
    Keyspace: keyspace,
  };
}

function prefixed(prefix: string, stats: Readonly<Record<string, number>> | undefined): Record<string, number> {
  return Object.fromEntries(
    Object.entries(stats ?? {}).map(([name, n]) => [`levee_${prefix}_${name.toLowerCase()}`, n]),
  );
}
