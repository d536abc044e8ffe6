import { respMetrics } from './common-metrics';
import { counter, gauge, histogram, type ListedMetric } from './listed-metric';

const registry = 'with LEVEE_SCHEMA_REGISTRY';

export const portalMetrics: readonly ListedMetric[] = [
  ...respMetrics('portal'),
  histogram(
    'levee_portal_append_duration_seconds',
    'How long the log took for one call with the writes of one partition (and fences)',
    ['outcome'],
  ),
  histogram(
    'levee_portal_fence_duration_seconds',
    'How long a strong read waited for a position of its partition that was appended after it came',
    ['outcome'],
  ),
  histogram(
    'levee_portal_ack_duration_seconds',
    'How long a write that is in the log waited until the replicas that its ack asks for had applied it',
    ['outcome'],
  ),
  histogram(
    'levee_portal_route_change_duration_seconds',
    'From a decision that changes routes, by the clock of the master, until this portal routes by it',
    [],
  ),
  gauge(
    'levee_portal_chunks_full',
    'Chunks that are above their soft capacity limit: writes to them are refused',
    'portal_capacity_chunks_full',
  ),
  gauge('levee_portal_namespaces_frozen', 'Namespaces whose writes are frozen', 'portal_capacity_namespaces_frozen'),
  counter('levee_portal_reads_total', 'Point reads that began, of all doors', 'portal_reads_reads'),
  counter('levee_portal_read_results_total', 'Point reads that were answered: hit, missing (no such key), failed', {
    label: 'result',
    of: { hit: 'portal_reads_hits', missing: 'portal_reads_misses', failed: 'portal_reads_failures' },
  }),
  counter(
    'levee_portal_read_batches_total',
    'Requests to nodes, each with the reads of one tick',
    'portal_reads_batches',
  ),
  counter('levee_portal_read_retries_total', 'Reads that were sent to the next replica', 'portal_reads_retries'),
  counter(
    'levee_portal_read_hedges_total',
    'Reads that were sent to a second replica because the first took long (sent), that it answered first (won), or that the budget did not allow (refused)',
    {
      label: 'result',
      of: {
        sent: 'portal_reads_hedges_sent',
        won: 'portal_reads_hedges_won',
        refused: 'portal_reads_hedges_refused',
      },
    },
  ),
  counter(
    'levee_portal_read_slow_batches_total',
    'Requests that a node did not answer within the p99 of its recent round trips',
    'portal_reads_slow_batches',
  ),
  gauge('levee_portal_reads_outstanding', 'Reads that are not answered yet', 'portal_reads_outstanding'),
  gauge('levee_portal_reads_waiting', 'Of them, reads that wait for their turn', 'portal_reads_waiting'),
  counter('levee_portal_writes_total', 'Writes that were given to the log', 'portal_appends_appends'),
  counter(
    'levee_portal_append_calls_total',
    'Calls of the log, each with the writes of one partition',
    'portal_appends_calls',
  ),
  counter('levee_portal_fences_total', 'Fence records appended for strong reads', 'portal_appends_fences'),
  counter(
    'levee_portal_write_failures_total',
    'Writes that certainly did not happen (definite), or of which nobody knows (indefinite)',
    { label: 'result', of: { definite: 'portal_appends_definite', indefinite: 'portal_appends_indefinite' } },
  ),
  gauge(
    'levee_portal_append_calls_underway',
    'Calls of the log that it has not answered',
    'portal_appends_calls_under_way',
  ),
  counter('levee_portal_ack_waits_total', 'Waits for replicas to apply a write or a position', 'portal_appends_waits'),
  counter(
    'levee_portal_ack_pending_total',
    'Of them, waits that ended before all had applied it',
    'portal_appends_pending',
  ),
  gauge(
    'levee_portal_position_waits',
    'Waits for positions that somebody named (LV.WAIT) under way',
    'portal_appends_position_waits',
  ),
  gauge('levee_portal_writes_waiting_bytes', 'Bytes of writes that are not over', 'portal_appends_waiting_bytes'),
  gauge('levee_portal_writes_waiting', 'Writes that are not over', 'portal_appends_waiting_records'),
  gauge('levee_portal_route_watchers', 'Clients that follow routes', 'portal_watch_watchers'),
  counter(
    'levee_portal_route_watchers_cut_total',
    'Clients that followed routes too slowly and were hung up on',
    'portal_watch_slow_cut',
  ),
  counter('levee_portal_repeated_writes_total', 'Writes with the id of an earlier one, which got its outcome', {
    label: 'door',
    of: { resp: 'portal_repeated_joined', http: 'repeated_writes_joined' },
  }),
  counter('levee_portal_request_ids_forgotten_total', 'Ids of writes forgotten before 10 minutes, for want of room', {
    label: 'door',
    of: { resp: 'portal_repeated_forgotten_early', http: 'repeated_writes_forgotten_early' },
  }),
  gauge('levee_portal_request_ids', 'Ids of writes that are remembered', {
    label: 'door',
    of: { resp: 'portal_repeated_ids', http: 'repeated_writes_ids' },
  }),
  ...journalMetrics('portal', 'portal_view'),
  gauge(
    'levee_portal_network_bytes',
    'What connections of all doors may hold (budget), hold (used), and held at most (peak), in bytes',
    {
      label: 'what',
      of: { budget: 'network_budget_bytes', used: 'network_used_bytes', peak: 'network_peak_bytes' },
    },
  ),
  gauge('levee_portal_proof_chunks', 'Chunks that are to be proved', 'proofs_chunks'),
  gauge(
    'levee_portal_proof_chunks_proved',
    'Of them, chunks of which all replicas were proved in time',
    'proofs_proved',
  ),
  gauge(
    'levee_portal_proof_chunks_late',
    'Chunks that were not proved for one and a half times LEVEE_PROOF_INTERVAL',
    'proofs_late',
  ),
  gauge(
    'levee_portal_proof_oldest_age_seconds',
    'Age of the oldest proof, in seconds',
    'proofs_oldest_age_ms',
    'once a chunk was proved',
  ),
  gauge(
    'levee_portal_proof_findings',
    'Chunks whose last comparison found a difference, or could prove nothing; at most 50 are counted',
    'proofs_findings',
  ),
  counter(
    'levee_portal_schema_registry_fetches_total',
    'Schemas asked of the registry, by what came of it',
    {
      label: 'result',
      of: {
        fetched: 'schema_registry_fetched',
        failed: 'schema_registry_failed',
        busy: 'schema_registry_refused_busy',
      },
    },
    registry,
  ),
  gauge(
    'levee_portal_schemas',
    'Schemas of the registry: kept, or being asked for',
    {
      label: 'state',
      of: { kept: 'schema_registry_kept', asked: 'schema_registry_asked' },
    },
    registry,
  ),
];

/** Of the journal as a process has read it. */
export function journalMetrics(part: 'portal' | 'master', number: string): readonly ListedMetric[] {
  const name = (rest: string): string => `levee_${part}_journal_${rest}`;
  return [
    gauge(name('seq'), 'Number of the last decision that was read', `${number}_seq`),
    gauge(name('term'), 'Highest number of a reign that was read', `${number}_term`),
    gauge(name('next_offset'), 'Where reading goes on, as an offset of the journal', `${number}_journal_offset`),
    gauge(name('entities'), 'Entities of the state of the cluster', `${number}_entities`),
    counter(name('void_records_total'), 'Records of masters that were deposed, passed over', `${number}_void_records`),
    counter(
      name('foreign_records_total'),
      'Records that no master of this cluster wrote, passed over',
      `${number}_foreign_records`,
    ),
  ];
}
