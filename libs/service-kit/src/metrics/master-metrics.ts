import { counter, gauge, histogram, type ListedMetric } from './listed-metric';
import { journalMetrics } from './portal-metrics';

const reigning = 'of the active master';
const entities = ['namespaces', 'nodes', 'units', 'chunks', 'routes', 'outcomes', 'plans', 'users'] as const;
const states = ['up', 'suspect', 'lost', 'maintenance', 'taken_away'] as const;

export const masterMetrics: readonly ListedMetric[] = [
  ...journalMetrics('master', 'journal'),
  histogram(
    'levee_master_barrier_duration_seconds',
    'From the append of a barrier until every readable replica is known to have applied it; an upper bound, since nodes tell positions with every tenth heartbeat',
    [],
    reigning,
  ),
  gauge('levee_master_entities', 'Entities of the cluster, by kind', {
    label: 'kind',
    of: Object.fromEntries(entities.map((each) => [each, `cluster_${each}`])),
  }),
  gauge('levee_master_active', '1 for the master that decides, 0 for one that stands by', 'master_active'),
  gauge('levee_master_term', 'Number of its reign', 'master_term', reigning),
  counter('levee_master_batches_total', 'Batches of commands that were decided', 'master_batches', reigning),
  gauge('levee_master_queued', 'Commands that wait to be decided', 'master_queued', reigning),
  gauge(
    'levee_master_projected_seq',
    'Number of the last decision that is in the compacted topics',
    'master_projected_seq',
    reigning,
  ),
  gauge(
    'levee_master_nodes',
    'Nodes that are registered, by state; taken_away: silent, cordoned and without a replica, so that nobody misses it, and counted as no other',
    {
      label: 'state',
      of: Object.fromEntries(states.map((each) => [each, `nodes_${each}`])),
    },
  ),
  gauge('levee_master_storm', '1 while so many nodes are silent at once that none is given up', 'nodes_storm'),
  gauge('levee_master_topics_problem', '1 while topics are not as they must be; the status says why', 'topics_problem'),
  gauge(
    'levee_master_topics_advice',
    'Settings of topics that let acknowledged records be lost when brokers fail',
    'topics_advice',
  ),
  gauge(
    'levee_master_open_transactions',
    'Transactions of other producers that hold back a binlog',
    'topics_open_transactions',
  ),
  counter(
    'levee_master_node_findings_total',
    'What became of nodes: suspected, lost, revived',
    {
      label: 'finding',
      of: { suspected: 'node_watch_suspected', lost: 'node_watch_lost', revived: 'node_watch_revived' },
    },
    reigning,
  ),
  counter(
    'levee_master_storms_total',
    'Storms: so many nodes silent at once that none was given up',
    'node_watch_storms',
    reigning,
  ),
  counter(
    'levee_master_plan_steps_total',
    'Steps of plans, by what the state made of them',
    {
      label: 'result',
      of: { decided: 'plans_decided', refused: 'plans_refused' },
    },
    reigning,
  ),
  counter(
    'levee_master_plan_verifications_total',
    'Comparisons of replicas for plans that were made',
    'plans_verified',
    reigning,
  ),
  counter(
    'levee_master_plans_stalled_total',
    'Plans that failed because nothing of them moved for LEVEE_PLAN_STALL',
    'plans_stalled',
    reigning,
  ),
  gauge('levee_master_plan_steps_underway', 'Steps of plans that the master is at', 'plans_under_way', reigning),
  gauge('levee_master_plan_alarms', 'Plans that do not get on without a person', 'plans_alarms', reigning),
  counter(
    'levee_master_barrier_looks_total',
    'Times that all namespaces were looked at for barriers',
    'barriers_looks',
    reigning,
  ),
  counter(
    'levee_master_barriers_total',
    'Barriers, by whether the log took them',
    {
      label: 'result',
      of: { written: 'barriers_written', failed: 'barriers_failed' },
    },
    reigning,
  ),
  gauge(
    'levee_master_barrier_oldest_unapplied_seconds',
    'Age of the oldest barrier that some replica is not known to have applied; 0 = none',
    'barriers_oldest_unapplied_ms',
    reigning,
  ),
  gauge(
    'levee_master_barriers_unapplied',
    'Partitions whose last barrier some replica is not known to have applied',
    'barriers_unapplied',
    reigning,
  ),
];
