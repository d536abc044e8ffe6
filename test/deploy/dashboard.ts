interface Panel {
  readonly title: string;
  /** As Grafana calls it. */
  readonly unit: string;
  /** By what each line is called. */
  readonly lines: Readonly<Record<string, string>>;
}

const rate = (counter: string, by: string): string => `sum by (${by}) (rate(${counter}[$__rate_interval]))`;
const quantile = (q: number, histogram: string, by = ''): string =>
  `histogram_quantile(${q}, sum by (${by}le) (rate(${histogram}[$__rate_interval])))`;
const took = (title: string, metric: string): Panel => ({
  ...{ title, unit: 's' },
  lines: { p50: quantile(0.5, `${metric}_bucket`), p99: quantile(0.99, `${metric}_bucket`) },
});

const requests = 'levee_request_duration_seconds';

const rows: Readonly<Record<string, readonly Panel[]>> = {
  Requests: [
    {
      ...{ title: 'Requests by outcome', unit: 'reqps' },
      lines: { '{{kind}} {{outcome}}': rate(`${requests}_count{namespace=~"$namespace"}`, 'kind, outcome') },
    },
    {
      ...{ title: 'Time of requests that were answered, p50', unit: 's' },
      lines: {
        '{{door}} {{kind}}': quantile(0.5, `${requests}_bucket{outcome="ok",namespace=~"$namespace"}`, 'door, kind, '),
      },
    },
    {
      ...{ title: 'Time of requests that were answered, p99', unit: 's' },
      lines: {
        '{{door}} {{kind}}': quantile(0.99, `${requests}_bucket{outcome="ok",namespace=~"$namespace"}`, 'door, kind, '),
      },
    },
    {
      ...{ title: 'Requests by namespace', unit: 'reqps' },
      lines: { '{{namespace}}': rate(`${requests}_count{namespace=~"$namespace"}`, 'namespace') },
    },
  ],
  'Log and routes': [
    took('Appends of portals', 'levee_portal_append_duration_seconds'),
    took('Fences of strong reads', 'levee_portal_fence_duration_seconds'),
    took('Acks of replicas', 'levee_portal_ack_duration_seconds'),
    took('Changes of routes', 'levee_portal_route_change_duration_seconds'),
    {
      ...{ title: 'Writes that failed', unit: 'wps' },
      lines: { '{{result}}': rate('levee_portal_write_failures_total', 'result') },
    },
    {
      ...{ title: 'Reads at nodes that took long', unit: 'reqps' },
      lines: {
        'hedges {{result}}': rate('levee_portal_read_hedges_total', 'result'),
        'slow batches': 'sum(rate(levee_portal_read_slow_batches_total[$__rate_interval]))',
      },
    },
  ],
  Nodes: [
    {
      ...{ title: 'Age of the replica that is furthest behind', unit: 's' },
      lines: { '{{instance}}': 'max by (instance) (levee_node_replica_age_seconds)' },
    },
    took('Applying', 'levee_node_apply_duration_seconds'),
    {
      ...{ title: 'Records applied', unit: 'wps' },
      lines: { '{{instance}}': rate('levee_node_applied_records_total', 'instance') },
    },
    {
      ...{ title: 'Replicas', unit: 'short' },
      lines: {
        all: 'sum(levee_node_replicas)',
        readable: 'sum(levee_node_replicas_readable)',
        full: 'sum(levee_node_replicas_full)',
      },
    },
    {
      ...{ title: 'Disk free', unit: 'percentunit' },
      lines: { '{{instance}}': 'min by (instance) (levee_node_disk_free_bytes / levee_node_disk_bytes)' },
    },
    {
      ...{ title: 'Background work', unit: 'Bps' },
      lines: { '{{class}}': rate('levee_node_io_bytes_total', 'class') },
    },
  ],
  'Control plane': [
    { ...{ title: 'Nodes', unit: 'short' }, lines: { '{{state}}': 'max by (state) (levee_master_nodes)' } },
    took('Barriers to every replica', 'levee_master_barrier_duration_seconds'),
    {
      ...{ title: 'Plans', unit: 'short' },
      lines: {
        'steps under way': 'sum(levee_master_plan_steps_underway)',
        alarms: 'max(levee_master_plan_alarms)',
        'proposed in an hour': 'sum(increase(levee_dispatcher_plans_total{result="proposed"}[1h]))',
      },
    },
    {
      ...{ title: 'Proofs of chunks', unit: 'short' },
      lines: {
        chunks: 'max(levee_portal_proof_chunks)',
        proved: 'max(levee_portal_proof_chunks_proved)',
        late: 'max(levee_portal_proof_chunks_late)',
        findings: 'max(levee_portal_proof_findings)',
      },
    },
  ],
  Processes: [
    {
      ...{ title: 'Delay of the event loop, p99', unit: 's' },
      lines: { '{{part}} {{instance}}': 'max by (part, instance) (levee_event_loop_delay_seconds{quantile="0.99"})' },
    },
    {
      ...{ title: 'Memory', unit: 'bytes' },
      lines: { '{{part}} {{instance}}': 'max by (part, instance) (levee_process_resident_memory_bytes)' },
    },
    {
      ...{ title: 'RESP connections', unit: 'short' },
      lines: { '{{instance}}': 'sum by (instance) (levee_portal_resp_connections)' },
    },
    {
      ...{ title: 'Feature level', unit: 'short' },
      lines: { '{{part}} {{instance}}': 'max by (part, instance) (levee_feature_level)' },
    },
  ],
};

const source = { type: 'prometheus', uid: '${source}' } as const;
const [panelWidth, panelHeight, panelsInRow] = [8, 8, 3];

/** Panels in rows of three, each row under its title. */
function panels(): object[] {
  const all: object[] = [];
  let y = 0;
  for (const [row, members] of Object.entries(rows)) {
    all.push({
      id: all.length + 1,
      type: 'row',
      title: row,
      collapsed: false,
      gridPos: { x: 0, y, w: 24, h: 1 },
      panels: [],
    });
    y += 1;
    members.forEach(({ title, unit, lines }, i) => {
      const place = { x: (i % panelsInRow) * panelWidth, y: y + Math.floor(i / panelsInRow) * panelHeight };
      all.push({
        ...{ id: all.length + 1, type: 'timeseries', title, datasource: source },
        gridPos: { ...place, w: panelWidth, h: panelHeight },
        fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
        options: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
        targets: Object.entries(lines).map(([legendFormat, expr], n) => ({
          ...{ refId: String.fromCharCode(65 + n), datasource: source, expr, legendFormat },
        })),
      });
    });
    y += Math.ceil(members.length / panelsInRow) * panelHeight;
  }
  return all;
}

export function dashboardFile(): string {
  const namespace = {
    ...{ name: 'namespace', type: 'query', datasource: source, includeAll: true, multi: true, allValue: '.*' },
    ...{ query: `label_values(${requests}_count, namespace)`, refresh: 2, current: { text: 'All', value: '$__all' } },
  };
  const dashboard = {
    ...{ uid: 'levee', title: 'Levee', tags: ['levee'], schemaVersion: 39, version: 1, editable: true },
    ...{ refresh: '30s', time: { from: 'now-3h', to: 'now' }, timezone: 'browser' },
    templating: { list: [{ name: 'source', type: 'datasource', query: 'prometheus' }, namespace] },
    panels: panels(),
  };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}
