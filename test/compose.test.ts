import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { settingsTable } from '@levee/settings';
import { loadDataNodeConfig } from '../apps/data-node/src/config';
import { loadDispatcherConfig } from '../apps/dispatcher/src/config';
import { loadMasterConfig } from '../apps/master/src/config';
import { loadPortalConfig } from '../apps/portal/src/config';
import { blocks, environmentOf, portsOf } from './support/yaml-blocks';

const root = join(__dirname, '..');
const scratch = mkdtempSync(join(tmpdir(), 'levee-compose-'));
const keyFile = join(scratch, 'cluster.key');
writeFileSync(keyFile, 'ab'.repeat(32));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const compose = readFileSync(join(root, 'docker-compose.yml'), 'utf8');
const image = readFileSync(join(root, 'Dockerfile'), 'utf8');

interface Service {
  readonly name: string;
  readonly app: string;
  readonly environment: Readonly<Record<string, string>>;
  /** On this machine and in the container. */
  readonly ports: readonly (readonly [number, number])[];
  readonly health: string;
}

const top = blocks(compose, 0);
const services: Service[] = [...blocks(top.get('services') ?? '', 2)].flatMap(([name, own]) => {
  const text = own + (top.get(/<<: \*(\w+)/.exec(own)?.[1] ?? '') ?? '');
  const app = /command: \[dist\/apps\/([\w-]+)\/src\/main\.js\]/.exec(text)?.[1];
  if (app === undefined) return [];
  const environment = environmentOf(text);
  const ports = portsOf(text);
  return [{ name, app, environment, ports, health: /http:\/\/127\.0\.0\.1:(\d+\/[\w/]+)/.exec(text)?.[1] ?? '' }];
});

/** What the image sets for every app. */
const ofImage = Object.fromEntries(
  [...image.matchAll(/\b(LEVEE_\w+)=(\S+)/g)].map(([, variable, value]) => [variable, value]),
) as Record<string, string>;

const configs: Readonly<Record<string, (env: Record<string, string>) => object>> = {
  master: loadMasterConfig,
  dispatcher: loadDispatcherConfig,
  'data-node': loadDataNodeConfig,
  portal: loadPortalConfig,
};
const httpPorts: Readonly<Record<string, keyof typeof settingsTable>> = {
  master: 'LEVEE_MASTER_PORT',
  dispatcher: 'LEVEE_DISPATCHER_PORT',
  'data-node': 'LEVEE_NODE_HTTP_PORT',
  portal: 'LEVEE_HTTP_PORT',
};

describe('docker-compose.yml', () => {
  it('has the processes of npm run cluster', () => {
    expect(services.map(({ app }) => app).sort()).toEqual([
      'data-node',
      'data-node',
      'data-node',
      'dispatcher',
      'master',
      'master',
      'portal',
      'portal',
    ]);
    for (const { app } of services) expect(existsSync(join(root, 'apps', app, 'src', 'main.ts'))).toBe(true);
  });

  it.each(services.map((service) => [service.name, service] as const))(
    '%s sets what its app reads, to values that it takes',
    (name, { app, environment }) => {
      expect(Object.keys(environment).length).toBeGreaterThan(2);
      for (const variable of Object.keys({ ...ofImage, ...environment })) {
        expect([variable, variable in settingsTable]).toEqual([variable, true]);
        const { apps } = settingsTable[variable as keyof typeof settingsTable];
        expect([variable, apps]).toEqual([variable, expect.arrayContaining([app])]);
      }
      // Where the container finds the secret of the cluster, which is not in the image.
      expect(environment['LEVEE_CLUSTER_KEY_FILE']).toBe('/run/secrets/cluster_key');
      expect(top.get('secrets')).toContain('cluster_key: { file: ./cluster.key }');
      const here = { ...ofImage, ...environment, LEVEE_CLUSTER_KEY_FILE: keyFile };
      expect(() => configs[app]?.(here)).not.toThrow();
      // Listening for others, it would not start without authentication.
      expect(() => configs[app]?.({ ...here, LEVEE_AUTH: '' })).toThrow(/LEVEE_AUTH=on/);
      // Others reach it by the name that the network of containers knows.
      expect(environment['LEVEE_ADVERTISED_HOST']).toBe(name);
    },
  );

  it.each(services.map((service) => [service.name, service] as const))(
    '%s is asked for its health, and reached, where its app listens',
    (_name, { app, ports, health }) => {
      const http = Number(settingsTable[httpPorts[app] as 'LEVEE_HTTP_PORT'].default);
      expect(health).toBe(`${http}/health/ready`);
      const listens = [http, ...(app === 'portal' ? [Number(settingsTable.LEVEE_RESP_PORT.default)] : [])];
      for (const [, there] of ports) expect(listens).toContain(there);
    },
  );

  it('has no name and no port twice', () => {
    const ids = services.map(({ environment: { LEVEE_INSTANCE: instance, LEVEE_NODE_ID: node } }) => instance ?? node);
    const ports = services.flatMap((service) => service.ports.map(([here]) => here));
    expect(new Set(ids).size).toBe(ids.length);
    expect(new Set(ports).size).toBe(ports.length);
  });

  it('starts a Kafka as the master asks for it', () => {
    const kafka = blocks(top.get('services') ?? '', 2).get('kafka') ?? '';
    const setting = (variable: string): string | undefined =>
      new RegExp(`${variable}: '?([^'\\n]+)'?`).exec(kafka)?.[1];
    expect(setting('KAFKA_AUTO_CREATE_TOPICS_ENABLE')).toBe('false');
    expect(setting('KAFKA_UNCLEAN_LEADER_ELECTION_ENABLE')).toBe('false');
    expect(Number(setting('KAFKA_MESSAGE_MAX_BYTES'))).toBeGreaterThanOrEqual(8 << 20);
    expect(Number(setting('KAFKA_TRANSACTION_MAX_TIMEOUT_MS'))).toBeLessThanOrEqual(900_000);
    const brokers = services.map(({ environment }) => environment['KAFKA_BROKERS']);
    expect(new Set(brokers)).toEqual(new Set([setting('KAFKA_ADVERTISED_LISTENERS')?.replace('PLAINTEXT://', '')]));
  });
});
