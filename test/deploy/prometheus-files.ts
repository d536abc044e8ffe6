import { alerts, healthy, type Alert } from './alerts';

/** Quoted as YAML and JSON both read it. */
const quoted = (text: string): string => JSON.stringify(text);

const runbook = (name: string): string => `docs/operating.md, "Alerts", ${name}`;

const written = (of: string): string =>
  `# Written from test/deploy/${of} by UPDATE_DOCS=1 on test/deploy.test.ts: change it there.\n`;

export function rulesFile(): string {
  const rules = alerts.map(({ name, severity, lasts, expr, says }) =>
    [
      `      - alert: ${name}`,
      `        expr: ${quoted(expr)}`,
      `        for: ${lasts}`,
      `        labels: { severity: ${severity} }`,
      '        annotations:',
      `          summary: ${quoted(says)}`,
      `          runbook: ${quoted(runbook(name))}`,
    ].join('\n'),
  );
  return `${written('alerts.ts')}groups:\n  - name: levee\n    rules:\n${rules.join('\n')}\n`;
}

/** At which all rules have had time to fire. */
const judgedAt = '4h';

function testOf(title: string, series: Readonly<Record<string, string>>, expected: readonly Alert[]): string {
  const inputs = Object.entries(series).map(
    ([name, values]) => `      - { series: ${quoted(name)}, values: ${quoted(values)} }`,
  );
  const judged = alerts.map((alert) => {
    const { name, severity, says, labels = {} } = alert;
    const start = `      - eval_time: ${judgedAt}\n        alertname: ${name}\n`;
    if (!expected.includes(alert)) return `${start}        exp_alerts: []`;
    const told = Object.entries({ severity, ...labels }).map(([label, value]) => `${label}: ${quoted(value)}`);
    return (
      `${start}        exp_alerts:\n          - exp_labels: { ${told.join(', ')} }\n` +
      `            exp_annotations:\n              summary: ${quoted(says)}\n              runbook: ${quoted(runbook(name))}`
    );
  });
  return [
    `  - name: ${quoted(title)}`,
    '    interval: 1m',
    '    input_series:',
    ...inputs,
    '    alert_rule_test:',
    ...judged,
  ].join('\n');
}

/** For `promtool test rules`: each alert alone fires for what it is for, and none on a healthy cluster. */
export function ruleTestsFile(): string {
  const tests = [
    testOf('a healthy cluster', healthy, []),
    ...alerts.flatMap((alert) =>
      [[alert.says, alert.fires] as const, ...Object.entries(alert.firesToo ?? {})].map(([title, series]) =>
        testOf(title, { ...healthy, ...series }, [alert]),
      ),
    ),
  ];
  return `rule_files: [alerts.yml]\nevaluation_interval: 1m\ntests:\n${tests.join('\n')}\n`;
}
