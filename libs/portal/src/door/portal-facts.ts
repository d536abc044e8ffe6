import os from 'node:os';
import type { Portal } from '../portal';
import { compatibleRedisVersion } from './connection-commands';
import type { InfoSections } from './info-command';

type Numbers = Readonly<Record<string, number>>;

/**
 * INFO, by section. Names without `levee_` are those that clients, exporters and desktop tools look for; what has no
 * counterpart here is told as of a Redis that does without it: nothing is evicted, nobody subscribes.
 */
export function portalFacts(portal: Portal): InfoSections {
  const { store, config, view } = portal;
  const pace = new CommandPace();
  const counted = (): { reads: Numbers; appends: Numbers } => {
    const { reads, appends } = store.stats() as Readonly<Record<string, Numbers>>;
    return { reads: reads ?? {}, appends: appends ?? {} };
  };
  return {
    Server: () => {
      const uptimeSec = Math.floor(process.uptime());
      return {
        redis_version: compatibleRedisVersion,
        redis_git_sha1: '00000000',
        redis_git_dirty: 0,
        redis_build_id: portal.incarnation.replace(/-/g, '').slice(0, 16),
        redis_mode: 'standalone',
        os: `${os.type()} ${os.release()} ${os.machine()}`,
        arch_bits: process.arch.includes('64') ? 64 : 32,
        multiplexing_api: os.type() === 'Linux' ? 'epoll' : 'libuv',
        process_id: process.pid,
        run_id: portal.incarnation.replace(/-/g, ''),
        tcp_port: portal.respPort,
        server_time_usec: portal.clock.nowMs() * 1000,
        uptime_in_seconds: uptimeSec,
        uptime_in_days: Math.floor(uptimeSec / 86_400),
        executable: process.execPath,
        config_file: '',
        server_name: 'levee',
        levee_instance: config.instance,
      };
    },
    Clients: () => ({
      connected_clients: portal.door.server.stats().connections,
      cluster_connections: 0,
      maxclients: portal.door.server.limits.connectionsMax,
      blocked_clients: 0,
      tracking_clients: 0,
      pubsub_clients: 0,
    }),
    Memory: memoryFacts,
    Persistence: () => ({
      // Clients wait for as long as it says so: only while it cannot answer at all.
      loading: portal.serves ? 0 : 1,
      async_loading: 0,
      rdb_bgsave_in_progress: 0,
      aof_enabled: 1,
      aof_rewrite_in_progress: 0,
      aof_last_write_status: portal.writeProblem === undefined ? 'ok' : 'err',
    }),
    Stats: () => {
      const { connectionsTaken, commands, refusedConnections } = portal.door.server.stats();
      const { reads, appends } = counted();
      return {
        total_connections_received: connectionsTaken,
        total_commands_processed: commands,
        instantaneous_ops_per_sec: pace.perSecond(commands, portal.clock.monotonicMs()),
        rejected_connections: refusedConnections,
        evicted_keys: 0,
        evicted_clients: 0,
        keyspace_hits: reads['hits'] ?? 0,
        keyspace_misses: reads['misses'] ?? 0,
        pubsub_channels: 0,
        pubsub_patterns: 0,
        latest_fork_usec: 0,
        ...prefixed('reads', reads),
        ...prefixed('appends', appends),
      };
    },
    Replication: () => ({ role: 'master', connected_slaves: 0, master_repl_offset: 0 }),
    CPU: () => {
      const { user, system } = process.cpuUsage();
      return { used_cpu_sys: (system / 1e6).toFixed(6), used_cpu_user: (user / 1e6).toFixed(6) };
    },
    Modules: () => ({}),
    Errorstats: () => ({}),
    Cluster: () => ({
      cluster_enabled: 0,
      levee_cluster_id: view.clusterId ?? '',
      levee_seq: view.seq,
      levee_term: view.term,
    }),
    Namespaces: (asker) =>
      Object.fromEntries(
        [...view.state.namespaces()]
          .filter(({ name }) => asker.knows(name))
          .map(({ name, state, partitions, chunks }) => [
            name,
            `state=${state},partitions=${partitions},chunks=${chunks}`,
          ]),
      ),
  };
}

/** Of this process: values are kept by data nodes, which tell of theirs at /metrics. */
function memoryFacts(): Record<string, string | number> {
  const { rss, heapUsed, heapTotal } = process.memoryUsage();
  const peak = process.resourceUsage().maxRSS * 1024;
  const total = os.totalmem();
  return {
    used_memory: rss,
    used_memory_human: human(rss),
    used_memory_rss: rss,
    used_memory_rss_human: human(rss),
    used_memory_peak: peak,
    used_memory_peak_human: human(peak),
    used_memory_lua: 0,
    total_system_memory: total,
    total_system_memory_human: human(total),
    allocator_active: heapTotal,
    allocator_allocated: heapUsed,
    maxmemory: 0,
    maxmemory_human: '0B',
    maxmemory_policy: 'noeviction',
    mem_fragmentation_ratio: '1.00',
    mem_allocator: 'v8',
    lazyfree_pending_objects: 0,
  };
}

function human(bytes: number): string {
  const units = ['B', 'K', 'M', 'G', 'T'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return power === 0 ? `${bytes}B` : `${(bytes / 1024 ** power).toFixed(2)}${units[power]}`;
}

/** Commands a second between the last two looks that were a second apart. */
class CommandPace {
  private from = { commands: 0, atMs: -Infinity };
  private last = 0;

  perSecond(commands: number, atMs: number): number {
    const tookMs = atMs - this.from.atMs;
    if (tookMs < 1_000) return this.last;
    this.last = Number.isFinite(tookMs) ? Math.round(((commands - this.from.commands) * 1_000) / tookMs) : 0;
    this.from = { commands, atMs };
    return this.last;
  }
}

function prefixed(prefix: string, stats: Numbers): Record<string, number> {
  return Object.fromEntries(Object.entries(stats).map(([name, n]) => [`levee_${prefix}_${name.toLowerCase()}`, n]));
}
