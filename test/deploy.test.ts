import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { metricsOf } from '@levee/service-kit';
import { alerts, healthy } from './deploy/alerts';
import { dashboardFile } from './deploy/dashboard';
import { rulesFile } from './deploy/prometheus-files';

const root = join(__dirname, '..');
const metrics = (['portal', 'data-node', 'master', 'dispatcher'] as const).flatMap((part) => metricsOf(part));
const series = new Map(
  metrics.flatMap(({ name, kind, labels }): [string, readonly string[]][] => {
    if (kind !== 'histogram') return [[name, labels]];
    const others = ['sum', 'count'].map((each): [string, readonly string[]] => [`${name}_${each}`, labels]);
    return [[`${name}_bucket`, [...labels, 'le']], ...others];
  }),
);

it.each([
  ['deploy/prometheus/alerts.yml', rulesFile],
  ['deploy/grafana/levee.json', dashboardFile],
])('%s is what test/deploy says (UPDATE_DOCS=1 writes it)', (path, content) => {
  const file = join(root, path);
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(file, content());
  expect(readFileSync(file, 'utf8')).toBe(content());
});

it.each([
  ['alert rules', () => alerts.map(({ expr }) => expr).join('\n')],
  [
    'series that make them fire',
    () =>
      alerts
        .flatMap(({ fires, firesToo = {} }) => [fires, ...Object.values(firesToo)].flatMap((of) => Object.keys(of)))
        .join('\n'),
  ],
  ['series of a healthy cluster', () => Object.keys(healthy).join('\n')],
  ['dashboards', () => dashboardFile().replace(/\\"/g, '"')],
])('%s name only series, and labels of series, that are in the list of metrics', (_what, text) => {
  const found = [...text().matchAll(/\b(levee_\w+)(?:\{([^}]*)\})?/g)];
  expect(found.length).toBeGreaterThan(20);
  // Prometheus sets them where it scrapes, or every process does.
  const everywhere = ['instance', 'job', 'part'];
  const wrong = found.flatMap(([, name = '', matchers = '']) => {
    const labels = series.get(name);
    if (labels === undefined) return [name];
    const asked = [...matchers.matchAll(/(\w+)=~?"/g)].map(([, label]) => label as string);
    return asked.filter((label) => ![...labels, ...everywhere].includes(label)).map((label) => `${name} ${label}`);
  });
  expect(wrong).toEqual([]);
});

it('every alert has its row in docs/operating.md, with what to do, and no row is of an alert that is gone', () => {
  const page = readFileSync(join(root, 'docs/operating.md'), 'utf8');
  const [, section = ''] = page.split('\n## Alerts\n');
  const rows = [...(section.split('\n## ')[0] ?? '').matchAll(/^\| `(Levee\w+)` \| (.+) \| (.+) \|$/gm)];
  expect(rows.map(([, name]) => name)).toEqual(alerts.map(({ name }) => name));
  expect(rows.filter(([, , means = '', mend = '']) => means.length < 20 || mend.length < 20)).toEqual([]);
});
