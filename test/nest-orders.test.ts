import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { settingsTable } from '@levee/settings';
import { loadStandaloneSettings } from '../apps/standalone/src/config';
import { blocks, environmentOf, portsOf } from './support/yaml-blocks';

const root = join(__dirname, '..');
const example = join(root, 'examples', 'nest-orders');
const read = (...path: string[]): string => readFileSync(join(example, ...path), 'utf8');

interface Manifest {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}
const manifestOf = (text: string): Manifest => JSON.parse(text) as Manifest;
const whole = manifestOf(readFileSync(join(root, 'package.json'), 'utf8'));
const own = manifestOf(read('package.json'));
const lock = JSON.parse(read('package-lock.json')) as {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly integrity?: string } & Manifest>>;
};
const compose = read('docker-compose.yml');
const image = read('Dockerfile');
const services = blocks(blocks(compose, 0).get('services') ?? '', 2);
const service = (name: string): string => services.get(name) ?? '';

describe('examples/nest-orders', () => {
  it('has the versions that this repository is tested with, and the packages as they are called now', () => {
    const { '@levee/client': client, '@levee/nest': nest, ...others } = own.dependencies;
    expect([client, nest]).toEqual(['client', 'nest'].map((name) => `file:levee-${name}-${whole.version}.tgz`));
    const { typescript, ...tools } = own.devDependencies;
    const known: Record<string, string> = { ...whole.devDependencies, ...whole.dependencies };
    for (const [name, version] of Object.entries({ ...others, ...tools })) {
      // What is named by nothing but another dependency here is as that has it.
      const installed = manifestOf(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version;
      expect([name, version]).toEqual([name, known[name] ?? installed]);
    }
    expect(known['@typescript/native']).toBe(`npm:typescript@${typescript}`);
  });

  it('its lock file is of these, says no host, and no checksum of packages that are made anew', () => {
    const { dependencies, devDependencies } = lock.packages[''] as Manifest;
    expect({ dependencies, devDependencies }).toEqual({
      dependencies: own.dependencies,
      devDependencies: own.devDependencies,
    });
    for (const [path, { integrity }] of Object.entries(lock.packages))
      if (path !== '') expect([path, integrity === undefined]).toEqual([path, path.startsWith('node_modules/@levee/')]);
    expect(/"resolved": "(?!file:levee-)[^"]*"/.exec(read('package-lock.json'))?.[0]).toBe(undefined);
  });

  it('the image has what it needs, ends by SIGTERM, and is not root’s', () => {
    const base = (text: string): string[] => [...text.matchAll(/^FROM (\S+)/gm)].map(([, from]) => from as string);
    expect(base(image)).toEqual(base(readFileSync(join(root, 'Dockerfile'), 'utf8')));
    const packed = new Set(Object.values(own.dependencies).flatMap((of) => /^file:(.*)$/.exec(of)?.slice(1) ?? []));
    const copied = [...image.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, files]) =>
      (files as string).split(' '),
    );
    for (const file of copied)
      expect([file, packed.has(file) || existsSync(join(example, file))]).toEqual([file, true]);
    expect(copied).toEqual(expect.arrayContaining(['package-lock.json', 'tsconfig.json', 'src', ...packed]));
    const letIn = read('.dockerignore')
      .split('\n')
      .flatMap((line) => /^!(.*)$/.exec(line)?.slice(1) ?? []);
    for (const file of copied) expect([file, letIn.some((name) => matches(name, file))]).toEqual([file, true]);
    expect(image).toMatch(/^USER 1000:1000$/m);
    expect(image).toMatch(/^STOPSIGNAL SIGTERM$/m);
    // The same program as `npm start`.
    expect(image).toContain('CMD ["node", "dist/src/main.js"]');
    expect(own).toMatchObject({ scripts: { start: 'node dist/src/main.js', build: 'tsc' } });
  });

  const levee = service('levee');
  it('Levee beside it: settings that it takes, on the log that KAFKA_BROKERS says', () => {
    const ofImage = Object.fromEntries(
      [...readFileSync(join(root, 'Dockerfile'), 'utf8').matchAll(/\b(LEVEE_\w+)=(\S+)/g)].map(([, name, value]) => [
        name,
        value,
      ]),
    ) as Record<string, string>;
    const environment = environmentOf(levee);
    for (const name of Object.keys(environment)) {
      expect([name, name in settingsTable]).toEqual([name, true]);
      expect(settingsTable[name as keyof typeof settingsTable].apps).toContain('standalone');
    }
    for (const [brokers, wanted] of [
      ['', undefined],
      ['kafka:9092', ['kafka:9092']],
    ] as const) {
      expect(environment['KAFKA_BROKERS']).toBe('${KAFKA_BROKERS:-}');
      const env = { ...ofImage, ...environment, KAFKA_BROKERS: brokers };
      expect(loadStandaloneSettings(env)).toMatchObject({ KAFKA_BROKERS: wanted, LEVEE_ADVERTISED_HOST: 'levee' });
    }
    expect(levee).toContain(`http://127.0.0.1:${settingsTable.LEVEE_HTTP_PORT.default}/health/ready`);
    expect(levee).toContain(`volumes: [levee:${ofImage['LEVEE_DATA_DIR']}]`);
  });

  it('its setup asks where Levee answers; the service is told what it reads, where it listens and answers', () => {
    expect(environmentOf(service('setup'))).toEqual({
      LEVEE_URL: `http://levee:${settingsTable.LEVEE_HTTP_PORT.default}`,
    });
    const settings = read('src', 'settings.ts');
    const orders = service('orders');
    const environment = environmentOf(orders);
    for (const name of [...Object.keys(environment), 'HOST'])
      expect([name, settings.includes(`'${name}'`)]).toEqual([name, true]);
    expect(environment['LEVEE_PORTALS']).toBe(`levee:${settingsTable.LEVEE_RESP_PORT.default}`);
    const port = Number(/'PORT', (\d)_(\d{3})/.exec(settings)?.slice(1).join(''));
    expect(portsOf(orders)).toEqual([[port, port]]);
    expect(orders).toContain(`http://127.0.0.1:${port}/health/ready`);
    expect(image).toContain(`EXPOSE ${port}`);
    for (const name of ['setup', 'orders']) {
      expect(service(name)).toContain('secrets: [orders_password]');
      expect(service(name)).toContain('/run/secrets/orders_password');
    }
    expect(service('setup')).toContain(`--password --read 'shop.*' --write 'shop.*'`);
    expect(compose).toContain('orders_password: { file: ./orders.password }');
    // It serves on for DRAIN_MS, and its last requests have time too.
    const drainMs = Number(/'DRAIN_MS', (\d)_(\d{3})/.exec(settings)?.slice(1).join(''));
    expect(Number(/stop_grace_period: (\d+)s/.exec(orders)?.[1]) * 1_000).toBeGreaterThan(2 * drainMs);
  });

  it('its page names every file of it, every setting with its default, and nothing else', () => {
    const page = read('README.md');
    const linked = [...page.matchAll(/\]\(((?:src|test)\/[^)]+)\)/g)].map(([, path]) => path as string);
    const there = ['src', 'test'].flatMap((folder) =>
      readdirSync(join(example, folder)).map((name) => `${folder}/${name}`),
    );
    expect([...linked].sort()).toEqual(there.sort());
    const known = [...read('src', 'settings.ts').matchAll(/(?:env\['|\(env, ')([A-Z_]+)'/g)].map(([, name]) => name);
    const table = page.slice(page.indexOf('## Settings'));
    expect([...new Set([...table.matchAll(/`([A-Z_]{4,})`/g)].map(([, name]) => name))].sort()).toEqual(known.sort());
  });
});

/** A line of .dockerignore, as far as they are used here. */
const matches = (name: string, file: string): boolean =>
  new RegExp(`^${name.replaceAll('.', '\\.').replaceAll('*', '.*')}$`).test(file);
