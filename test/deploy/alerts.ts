/** A rule that wakes somebody up, with the series by which a test makes it fire. */
export interface Alert {
  readonly name: string;
  readonly severity: 'critical' | 'warning';
  /** For how long it must be so, as Prometheus writes times. */
  readonly lasts: string;
  /** Of the labels of series only `instance` is left. */
  readonly expr: string;
  readonly says: string;
  /** What differs from a healthy cluster when it fires: values of series, a minute apart. */
  readonly fires: Readonly<Record<string, string>>;
  /** The same for other causes, by their names. */
  readonly firesToo?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Labels of the alert then, beside `severity`. */
  readonly labels?: Readonly<Record<string, string>>;
}

const requests = 'levee_request_duration_seconds';

const share = (kind: 'read' | 'write'): string =>
  `sum(rate(${requests}_count{kind="${kind}",outcome=~"failed|unknown"}[5m])) / sum(rate(${requests}_count{kind="${kind}"}[5m])) > 0.01`;

const p99 = (buckets: string, byInstance = ''): string =>
  `histogram_quantile(0.99, sum by (${byInstance}le) (rate(${buckets}[5m])))`;

const portal = 'instance="p1:7380"';
const node = 'instance="n1:7500"';
const master = 'instance="m1:7381"';
/** Buckets of a histogram of which nothing took less than 5 s. */
const slow = (metric: string, labels: string): Record<string, string> => ({
  [`${metric}_bucket{${labels},le="0.005"}`]: '0x300',
  [`${metric}_bucket{${labels},le="5"}`]: '0x300',
  [`${metric}_bucket{${labels},le="10"}`]: '0+600x300',
  [`${metric}_bucket{${labels},le="+Inf"}`]: '0+600x300',
});

export const alerts: readonly Alert[] = [
  {
    ...{ name: 'LeveeProcessDown', severity: 'critical', lasts: '2m' },
    expr: 'min by (instance) (up{job=~"levee.*"}) == 0',
    says: 'a process does not answer its scrapes',
    ...{ fires: { [`up{job="levee",${node}}`]: '0x300' }, labels: { instance: 'n1:7500' } },
  },
  {
    ...{ name: 'LeveeNoActiveMaster', severity: 'critical', lasts: '1m' },
    expr: '(sum(levee_master_active) or vector(0)) < 1',
    says: 'no master decides: data is served, nothing of the cluster changes',
    fires: { [`levee_master_active{${master}}`]: '0x300' },
  },
  {
    ...{ name: 'LeveeNodeLost', severity: 'warning', lasts: '5m' },
    expr: 'max(levee_master_nodes{state="lost"}) > 0',
    says: 'a node is away for so long that its replicas are dead',
    fires: { [`levee_master_nodes{${master},state="lost"}`]: '1x300' },
  },
  {
    ...{ name: 'LeveeStorm', severity: 'critical', lasts: '1m' },
    expr: 'max(levee_master_storm) == 1',
    says: 'so many nodes are silent at once that none is given up',
    fires: { [`levee_master_storm{${master}}`]: '1x300' },
  },
  {
    ...{ name: 'LeveeTopicsProblem', severity: 'critical', lasts: '5m' },
    expr: 'max(levee_master_topics_problem) == 1',
    says: 'topics of the log are not as they must be',
    fires: { [`levee_master_topics_problem{${master}}`]: '1x300' },
  },
  {
    ...{ name: 'LeveePlanStuck', severity: 'warning', lasts: '5m' },
    expr: 'max(levee_master_plan_alarms) > 0',
    says: 'a plan does not get on without a person',
    fires: { [`levee_master_plan_alarms{${master}}`]: '1x300' },
  },
  {
    ...{ name: 'LeveeBarrierUnapplied', severity: 'warning', lasts: '2m' },
    expr: 'max(levee_master_barrier_oldest_unapplied_seconds) > 60',
    says: 'some replica does not follow its partition',
    fires: { [`levee_master_barrier_oldest_unapplied_seconds{${master}}`]: '0+60x300' },
  },
  {
    ...{ name: 'LeveeReplicaBehind', severity: 'warning', lasts: '2m' },
    expr: 'max by (instance) (levee_node_replica_age_seconds) > 30',
    says: 'a replica that is served has not had all of its partitions for longer than 30 s',
    ...{ fires: { [`levee_node_replica_age_seconds{${node}}`]: '45x300' }, labels: { instance: 'n1:7500' } },
  },
  {
    ...{ name: 'LeveeReplicaFull', severity: 'critical', lasts: '1m' },
    expr: 'max by (instance) (levee_node_replicas_full) > 0',
    says: 'replicas stand still because their unit or the disk is full',
    ...{ fires: { [`levee_node_replicas_full{${node}}`]: '2x300' }, labels: { instance: 'n1:7500' } },
  },
  {
    ...{ name: 'LeveeDiskFilling', severity: 'warning', lasts: '10m' },
    expr: 'min by (instance) (levee_node_disk_free_bytes / levee_node_disk_bytes) < 0.1',
    says: 'the disk of a node has less than a tenth free',
    ...{ fires: { [`levee_node_disk_free_bytes{${node}}`]: '5x300' }, labels: { instance: 'n1:7500' } },
  },
  {
    ...{ name: 'LeveeFilesDamaged', severity: 'warning', lasts: '0m' },
    expr: 'max by (instance) (increase(levee_node_scrub_damaged_total[1h])) > 0',
    says: 'files of a replica were found damaged; it is built anew',
    ...{ fires: { [`levee_node_scrub_damaged_total{${node}}`]: '0x210 1x90' }, labels: { instance: 'n1:7500' } },
  },
  {
    ...{ name: 'LeveeBadRecords', severity: 'warning', lasts: '0m' },
    expr: 'sum(increase(levee_node_feed_bad_records_total[10m])) > 0',
    says: 'records that cannot be applied come to a binlog; they are in quarantine',
    fires: { [`levee_node_feed_bad_records_total{${node}}`]: '0+1x300' },
  },
  {
    ...{ name: 'LeveeWritesFail', severity: 'critical', lasts: '5m' },
    expr: share('write'),
    says: 'more than one write in a hundred fails, or nobody knows what became of it',
    fires: { [`${requests}_count{${portal},door="resp",kind="write",outcome="unknown"}`]: '0+60x300' },
  },
  {
    ...{ name: 'LeveeReadsFail', severity: 'critical', lasts: '5m' },
    expr: share('read'),
    says: 'more than one read in a hundred fails',
    fires: { [`${requests}_count{${portal},door="resp",kind="read",outcome="failed"}`]: '0+60x300' },
  },
  {
    ...{ name: 'LeveeReadsSlow', severity: 'warning', lasts: '10m' },
    expr: `${p99(`${requests}_bucket{kind="read",outcome="ok"}`)} > 0.25`,
    says: 'one read in a hundred takes longer than 250 ms',
    fires: slow(requests, `${portal},door="resp",kind="read",outcome="ok"`),
  },
  {
    ...{ name: 'LeveeWritesSlow', severity: 'warning', lasts: '10m' },
    expr: `${p99(`${requests}_bucket{kind="write",outcome="ok"}`)} > 1`,
    says: 'one write in a hundred takes longer than 1 s',
    fires: slow(requests, `${portal},door="resp",kind="write",outcome="ok"`),
  },
  {
    ...{ name: 'LeveeLogSlow', severity: 'warning', lasts: '10m' },
    expr: `${p99('levee_portal_append_duration_seconds_bucket', 'instance, ')} > 1`,
    says: 'the log takes longer than 1 s for one append in a hundred of a portal',
    fires: slow('levee_portal_append_duration_seconds', portal),
    labels: { instance: 'p1:7380' },
  },
  {
    ...{ name: 'LeveeRoutesLate', severity: 'warning', lasts: '2m' },
    expr: `${p99('levee_portal_route_change_duration_seconds_bucket', 'instance, ')} > 5`,
    says: 'a portal hears of changed routes more than 5 s after they were decided',
    fires: slow('levee_portal_route_change_duration_seconds', portal),
    labels: { instance: 'p1:7380' },
  },
  {
    ...{ name: 'LeveeChunkFull', severity: 'critical', lasts: '10m' },
    expr: 'max(levee_portal_chunks_full) > 0',
    says: 'a chunk takes no writes since it is full, and nothing has split it',
    fires: { [`levee_portal_chunks_full{${portal}}`]: '1x300' },
  },
  {
    ...{ name: 'LeveeProofFinding', severity: 'critical', lasts: '0m' },
    expr: 'max(levee_portal_proof_findings) > 0',
    says: 'a chunk differs from its log, or could not be proved',
    fires: { [`levee_portal_proof_findings{${portal}}`]: '1x300' },
  },
  {
    ...{ name: 'LeveeProofLate', severity: 'warning', lasts: '1h' },
    expr: 'max(levee_portal_proof_chunks_late) > 0',
    says: 'chunks are not proved as often as they should be',
    fires: { [`levee_portal_proof_chunks_late{${portal}}`]: '3x300' },
  },
  {
    ...{ name: 'LeveeNoDispatcher', severity: 'warning', lasts: '5m' },
    expr: 'absent((levee_dispatcher_standby == 0) and on (instance) (rate(levee_dispatcher_rounds_total[10m]) > 0))',
    says: 'no dispatcher leads and looks at the cluster: nothing heals by itself',
    fires: { 'levee_dispatcher_standby{instance="d1:7382"}': '1x300' },
    firesToo: {
      'the one that leads looks at nothing, since it is cut off from the log': {
        'levee_dispatcher_rounds_total{instance="d1:7382"}': '70x300',
      },
    },
  },
  {
    ...{ name: 'LeveeUsersUnheard', severity: 'warning', lasts: '1m' },
    expr: 'max by (instance) (levee_portal_auth_users_age_seconds) > 60',
    says: 'a portal is cut off from the log and believes its users on trust',
    ...{ fires: { [`levee_portal_auth_users_age_seconds{${portal}}`]: '90x300' }, labels: { instance: 'p1:7380' } },
  },
  {
    ...{ name: 'LeveeGuessing', severity: 'warning', lasts: '10m' },
    expr: 'sum(rate(levee_portal_auth_attempts_total{result="failed"}[5m])) > 1',
    says: 'somebody fails again and again to say who he is',
    fires: { [`levee_portal_auth_attempts_total{${portal},result="failed"}`]: '0+300x300' },
  },
  {
    ...{ name: 'LeveeCertificateEnds', severity: 'warning', lasts: '5m' },
    expr: 'min by (instance) (levee_tls_certificate_expires_in_seconds) < 1209600',
    says: 'a certificate ends within two weeks',
    ...{
      fires: { [`levee_tls_certificate_expires_in_seconds{${portal}}`]: '86400x300' },
      labels: { instance: 'p1:7380' },
    },
  },
  {
    ...{ name: 'LeveeCertificateBroken', severity: 'critical', lasts: '1m' },
    expr: 'max by (instance) (levee_tls_broken) == 1',
    says: 'new files of a certificate cannot be used; the old one serves on until it ends',
    ...{ fires: { [`levee_tls_broken{${portal}}`]: '1x300' }, labels: { instance: 'p1:7380' } },
  },
  {
    ...{ name: 'LeveeEventLoopLate', severity: 'warning', lasts: '5m' },
    expr: 'max by (instance) (levee_event_loop_delay_seconds{quantile="0.99"}) > 0.25',
    says: 'a process is too busy, or stopped: its timers are late by more than 250 ms',
    fires: { [`levee_event_loop_delay_seconds{${node},quantile="0.99"}`]: '0.4x300' },
    labels: { instance: 'n1:7500' },
  },
  {
    ...{ name: 'LeveeLevelsDiffer', severity: 'warning', lasts: '1h' },
    expr: 'max(levee_feature_level) - min(levee_feature_level) > 0',
    says: 'processes of two versions run beside each other: an upgrade was not finished',
    fires: { [`levee_feature_level{${node}}`]: '5x300' },
  },
];

/** A cluster of which nobody has to hear. */
export const healthy: Readonly<Record<string, string>> = {
  [`up{job="levee",${node}}`]: '1x300',
  [`up{job="levee",${portal}}`]: '1x300',
  [`levee_master_active{${master}}`]: '1x300',
  'levee_master_active{instance="m2:7381"}': '0x300',
  [`levee_master_nodes{${master},state="up"}`]: '3x300',
  [`levee_master_nodes{${master},state="lost"}`]: '0x300',
  // Drained and stopped: not missed.
  [`levee_master_nodes{${master},state="taken_away"}`]: '1x300',
  [`levee_master_storm{${master}}`]: '0x300',
  [`levee_master_topics_problem{${master}}`]: '0x300',
  [`levee_master_plan_alarms{${master}}`]: '0x300',
  [`levee_master_barrier_oldest_unapplied_seconds{${master}}`]: '3x300',
  [`levee_node_replica_age_seconds{${node}}`]: '0.4x300',
  [`levee_node_replicas_full{${node}}`]: '0x300',
  [`levee_node_disk_free_bytes{${node}}`]: '60x300',
  [`levee_node_disk_bytes{${node}}`]: '100x300',
  [`levee_node_scrub_damaged_total{${node}}`]: '0x300',
  [`levee_node_feed_bad_records_total{${node}}`]: '2x300',
  ...Object.fromEntries(
    ['read', 'write'].flatMap((kind) => {
      const labels = `${portal},door="resp",kind="${kind}",outcome`;
      return [
        [`${requests}_count{${labels}="ok"}`, '0+600x300'],
        [`${requests}_count{${labels}="failed"}`, '0x300'],
        ...['0.005', '5', '10', '+Inf'].map((le) => [`${requests}_bucket{${labels}="ok",le="${le}"}`, '0+600x300']),
      ];
    }),
  ),
  ...Object.fromEntries(
    ['append', 'route_change'].flatMap((what) =>
      ['0.005', '5', '10', '+Inf'].map((le) => [
        `levee_portal_${what}_duration_seconds_bucket{${portal},le="${le}"}`,
        '0+600x300',
      ]),
    ),
  ),
  [`levee_portal_chunks_full{${portal}}`]: '0x300',
  [`levee_portal_proof_findings{${portal}}`]: '0x300',
  [`levee_portal_proof_chunks_late{${portal}}`]: '0x300',
  'levee_dispatcher_standby{instance="d1:7382"}': '0x300',
  'levee_dispatcher_standby{instance="d2:7382"}': '1x300',
  'levee_dispatcher_rounds_total{instance="d1:7382"}': '0+12x300',
  'levee_dispatcher_rounds_total{instance="d2:7382"}': '0+12x300',
  [`levee_portal_auth_users_age_seconds{${portal}}`]: '0.2x300',
  [`levee_portal_auth_attempts_total{${portal},result="failed"}`]: '7x300',
  [`levee_tls_certificate_expires_in_seconds{${portal}}`]: '7776000x300',
  [`levee_tls_broken{${portal}}`]: '0x300',
  [`levee_event_loop_delay_seconds{${node},quantile="0.99"}`]: '0.012x300',
  [`levee_feature_level{${node}}`]: '6x300',
  [`levee_feature_level{${portal}}`]: '6x300',
};
