import { respMetrics } from './common-metrics';
import { counter, gauge, histogram, type ListedMetric } from './listed-metric';

const ioClasses = ['scan', 'copy', 'digest', 'sweep'] as const;

const ofClasses = (rest: string) => ({
  label: 'class',
  of: Object.fromEntries(ioClasses.map((each) => [each, `node_io_${each}_${rest}`])),
});
const joined = 'once it has read the control topics';
const thread = 'with a reader thread';

export const nodeMetrics: readonly ListedMetric[] = [
  ...respMetrics('node'),
  histogram(
    'levee_node_apply_duration_seconds',
    'How long it took to apply a piece of a partition to one replica: from handing it in until it is in the unit',
    [],
    joined,
  ),
  gauge('levee_node_replicas', 'Replicas that the node has', 'node_replicas'),
  gauge('levee_node_replicas_readable', 'Replicas that the node serves', 'node_replicas_readable'),
  gauge(
    'levee_node_replicas_full',
    'Replicas that stand still because their unit or the disk is full',
    'node_replicas_full',
  ),
  gauge(
    'levee_node_replica_age_seconds',
    'Of the readable replica that is furthest behind: seconds since it last had all that its partitions hold',
    'node_oldest_age_ms',
    'once a replica is readable',
  ),
  counter('levee_node_rebuilds_total', 'Replicas that were thrown away and built anew', 'node_rebuilds'),
  counter('levee_node_applied_records_total', 'Records that were applied to replicas', 'node_records_applied'),
  counter('levee_node_applied_bytes_total', 'Bytes of records that were applied to replicas', 'node_bytes_applied'),
  counter('levee_node_writes_total', 'Batches written to units', 'node_writes'),
  counter('levee_node_reads_total', 'Keys that were read', 'node_reads'),
  counter('levee_node_cache_hits_total', 'Of them, keys whose value was in memory', 'node_cache_hits'),
  gauge('levee_node_stored_bytes', 'Bytes that the units in use take', 'node_stored_bytes'),
  gauge('levee_node_live_keys', 'Keys of all replicas, as of the last sweep of each', 'node_live_keys'),
  gauge('levee_node_units_offered', 'Units that the node offers', 'node_units_offered'),
  gauge('levee_node_reads_waiting', 'Reads that wait for a position to be applied', 'node_waits'),
  gauge(
    'levee_node_disk_free_bytes',
    'Free bytes of the file system of the node',
    'node_disk_free_bytes',
    'once it was measured',
  ),
  gauge('levee_node_disk_bytes', 'Bytes of the file system of the node', 'node_disk_bytes', 'once it was measured'),
  gauge('levee_node_journal_seq', 'Number of the last decision that was read', 'node_seq'),
  gauge('levee_node_feeds', 'Binlog partitions that are followed', 'node_feeds_feeds', joined),
  counter('levee_node_feed_records_total', 'Records read from binlogs', 'node_feeds_records', joined),
  counter('levee_node_feed_bytes_total', 'Bytes read from binlogs', 'node_feeds_bytes', joined),
  counter('levee_node_feed_batches_total', 'Batches read from binlogs', 'node_feeds_batches', joined),
  counter(
    'levee_node_feed_bad_records_total',
    'Records that could not be applied, kept in quarantine',
    'node_feeds_bad_records',
    joined,
  ),
  counter(
    'levee_node_feed_restarts_total',
    'Times that a partition could not be followed and was begun again',
    'node_feeds_restarts',
    joined,
  ),
  counter(
    'levee_node_digests_total',
    'Digests of replicas, by what came of them',
    {
      label: 'result',
      of: { computed: 'node_digests_computed', dropped: 'node_digests_dropped', failed: 'node_digests_failed' },
    },
    joined,
  ),
  counter(
    'levee_node_digest_scans_total',
    'Scans of a replica, each for all digests due',
    'node_digests_scans',
    joined,
  ),
  gauge(
    'levee_node_memory_bytes',
    'LEVEE_MEMORY_BUDGET and its parts, and what is used of them, in bytes',
    {
      label: 'what',
      of: {
        budget: 'node_memory_budget_bytes',
        engine_budget: 'node_memory_engine_budget_bytes',
        engine_used: 'node_memory_engine_used_bytes',
        value_budget: 'node_memory_value_budget_bytes',
        value_used: 'node_memory_value_used_bytes',
        network_budget: 'node_memory_network_budget_bytes',
        network_used: 'node_memory_network_used_bytes',
        network_peak: 'node_memory_network_peak_bytes',
        memory_units: 'node_memory_memory_units_bytes',
      },
    },
    joined,
  ),
  gauge(
    'levee_node_value_hit_ratio',
    'Part of the reads whose value was in memory, 0 to 1, since the replicas were opened',
    'node_memory_value_hit_ratio',
    joined,
  ),
  counter(
    'levee_node_network_waits_total',
    'Pages and blocks that waited for room in the network budget',
    'node_memory_network_waits',
    joined,
  ),
  counter('levee_node_network_refusals_total', 'Of them, those that got none', 'node_memory_network_refusals', joined),
  gauge(
    'levee_node_loop_busy_seconds',
    'The last round of the event loop that background work saw, in seconds',
    'node_io_loop_busy_ms',
    joined,
  ),
  gauge('levee_node_io_waiting', 'Background work that waits for its turn, by class', ofClasses('waiting'), joined),
  counter('levee_node_io_turns_total', 'Turns of background work, by class', ofClasses('granted'), joined),
  counter('levee_node_io_bytes_total', 'Bytes that background work moved, by class', ofClasses('bytes'), joined),
  counter(
    'levee_node_io_rested_seconds_total',
    'Seconds for which background work rested, by class',
    ofClasses('rested_ms'),
    joined,
  ),
  counter('levee_node_scrub_tables_total', 'Files that were looked at for damage', 'node_scrub_tables', joined),
  counter('levee_node_scrub_bytes_total', 'Bytes that were looked at for damage', 'node_scrub_bytes', joined),
  counter('levee_node_scrub_damaged_total', 'Files that were found damaged', 'node_scrub_damaged', joined),
  gauge(
    'levee_node_scrub_oldest_check_seconds',
    'Age of the oldest look at a file, in seconds',
    'node_scrub_oldest_check_ms',
  ),
  gauge('levee_node_set_asides', 'Folders of damaged files that are kept for people', 'node_scrub_set_aside'),
  gauge(
    'levee_node_set_aside_bytes',
    'Bytes of the damaged files that are kept for people',
    'node_scrub_set_aside_bytes',
  ),
  gauge('levee_node_copies', 'Snapshots that other nodes copy from here', 'node_copies_open'),
  counter(
    'levee_node_copies_total',
    'Snapshots for copies: opened, refused, or ended because nobody asked on (idle)',
    {
      label: 'result',
      of: { opened: 'node_copies_opened', refused: 'node_copies_refused', idle: 'node_copies_idle' },
    },
    joined,
  ),
  counter('levee_node_copy_blocks_total', 'Blocks that were handed to copies', 'node_copies_blocks', joined),
  counter('levee_node_copy_bytes_total', 'Bytes that were handed to copies', 'node_copies_bytes', joined),
  counter(
    'levee_node_quarantine_records_total',
    'Copies of bad records: appended, dropped for want of room, or failed',
    {
      label: 'result',
      of: {
        appended: 'node_quarantine_appended',
        dropped: 'node_quarantine_dropped',
        failed: 'node_quarantine_failures',
      },
    },
  ),
  gauge(
    'levee_node_quarantine_waiting',
    'Copies of bad records that the log does not have yet',
    'node_quarantine_waiting',
  ),
  counter(
    'levee_node_reader_thread_starts_total',
    'Times that the thread that reads for copies and digests was begun',
    'node_reader_thread_starts',
    thread,
  ),
  counter(
    'levee_node_reader_thread_failures_total',
    'Times that it ended unasked',
    'node_reader_thread_failures',
    thread,
  ),
];
