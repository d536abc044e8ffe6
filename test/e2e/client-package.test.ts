import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { link, packed } from '../support/packed-project';
import { sampleOf } from '../support/page-sample';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

const root = join(__dirname, '..', '..');
const name = '@levee/client';
const forKafka = ['kafkajs', 'snappy', '@foxglove/wasm-zstd'];
const forDisk = 'classic-level';
const compiler = join(root, 'node_modules/@typescript/native/bin/tsc');

describe('the packed @levee/client in a project of its own', () => {
  let levee: StandaloneProcess;
  let project: string;
  let size: number;

  const node = (...args: string[]): string =>
    execFileSync(process.execPath, args, { cwd: project, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

  beforeAll(async () => {
    project = scratchFolder('client-package');
    const file = packed('client');
    size = statSync(file).size;
    process.stderr.write(`packed: ${size} bytes\n`);
    writeFileSync(join(project, 'package.json'), '{ "private": true, "name": "scratch" }');
    execFileSync('npm', ['install', '--offline', '--no-audit', '--no-fund', file], { cwd: project, stdio: 'pipe' });
    // Of the compiler's environment, which nobody gets with the client.
    mkdirSync(join(project, 'node_modules/@types'), { recursive: true });
    cpSync(join(root, 'node_modules/@types/node'), join(project, 'node_modules/@types/node'), { recursive: true });
    symlinkSync(join(root, 'node_modules/undici-types'), join(project, 'node_modules/undici-types'));
    levee = await StandaloneProcess.start(scratchFolder('client-package-levee'));
  }, 120_000);

  afterAll(async () => {
    expect(await levee.end()).toBe(0);
    levee.remove();
    rmSync(project, { recursive: true, force: true });
  }, 60_000);

  it('needs no other package, and is small; what follows Kafka asks for three, and for one more where it keeps that', () => {
    const { dependencies, peerDependencies, peerDependenciesMeta } = JSON.parse(
      readFileSync(join(project, 'node_modules/@levee/client/package.json'), 'utf8'),
    ) as Record<string, Record<string, unknown> | undefined>;
    expect(dependencies).toBeUndefined();
    expect(Object.keys(peerDependencies ?? {})).toEqual([...forKafka, forDisk]);
    expect(peerDependenciesMeta).toEqual(
      Object.fromEntries([...forKafka, forDisk].map((one) => [one, { optional: true }])),
    );
    // A fifth of it is what only replicas on disk load.
    expect(size).toBeLessThan(640_000);
    // Who reads through portals loads nothing of what reads from nodes, and neither anything of Kafka.
    const fileOf = (entry: string): string =>
      readFileSync(join(project, 'node_modules/@levee/client', `${entry}.mjs`), 'utf8');
    expect(fileOf('index').length).toBeLessThan(132_000);
    expect(fileOf('index')).not.toContain('DirectReach');
    expect(fileOf('direct').length).toBeLessThan(140_000);
    for (const entry of ['index', 'direct', 'avro']) expect(fileOf(entry)).not.toMatch(/kafkajs|MemoryPartition/);
    expect(fileOf('local')).not.toMatch(/ClassicLevel|require\("classic-level"\)/);
  });

  it('without those packages it says which one it is that a replica needs, and nothing else misses it', () => {
    writeFileSync(
      join(project, 'kafka.mjs'),
      `import '@levee/client';\nawait import('${name}/local').catch((error) => console.log(error.code, error.message));\n`,
    );
    expect(node('kafka.mjs')).toMatch(/^MODULE_NOT_FOUND .*'(kafkajs|snappy|@foxglove\/wasm-zstd)'/);
  });

  it('without the package of LevelDB it says so where a folder is given, and nothing else misses it', () => {
    for (const one of forKafka) link(project, one, one);
    const choice = "{ brokers: ['127.0.0.1:1'], namespaces: ['default'], dir: './kept' }";
    writeFileSync(
      join(project, 'disk.cjs'),
      `const { local } = require('${name}/local');\ntry { local(${choice}); } catch (error) { console.log(error.message); }\n`,
    );
    writeFileSync(
      join(project, 'disk.mjs'),
      `import { local } from '${name}/local';\ntry { local(${choice}); } catch (error) { console.log(error.message); }\n`,
    );
    for (const file of ['disk.cjs', 'disk.mjs'])
      expect(node(file)).toMatch(/needs the package classic-level: npm install/);
    link(project, forDisk, forDisk);
    for (const file of ['disk.cjs', 'disk.mjs']) expect(node(file)).toBe('');
    for (const one of [...forKafka, forDisk, '@foxglove'])
      rmSync(join(project, 'node_modules', one), { recursive: true });
  });

  const lines = (head: string): string => `${head}
(async () => {
  const client = await connect({ portals: ['${levee.doors.resp}'] });
  const prices = client.namespace('default').typed(json());
  await prices.put('price', { cents: 5 });
  console.log(JSON.stringify(await prices.get('price')), typeof avro);
  await client.close();
})();
`;

  it('reads a value in ten lines as an ES module', () => {
    const head = `import { connect, json } from '@levee/client';\nimport { avro } from '${name}/avro';`;
    writeFileSync(join(project, 'ten.mjs'), lines(head));
    expect(node('--trace-warnings', 'ten.mjs')).toBe('{"cents":5} function\n');
  });

  it('and as CommonJS', () => {
    const head = `const { connect, json } = require('@levee/client');\nconst { avro } = require('${name}/avro');`;
    writeFileSync(join(project, 'ten.cjs'), lines(head));
    expect(node('--trace-warnings', 'ten.cjs')).toBe('{"cents":5} function\n');
  });

  it('is typed strictly for both, and docs/client.md does what it says', () => {
    mkdirSync(join(project, 'node_modules/@foxglove'));
    for (const one of forKafka) symlinkSync(join(root, 'node_modules', one), join(project, 'node_modules', one));
    writeFileSync(
      join(project, 'sample.mts'),
      sampleOf(readFileSync(join(root, 'docs/client.md'), 'utf8'), levee.doors.resp),
    );
    writeFileSync(
      join(project, 'typed.cts'),
      `import { connect, utf8, type Namespace } from '@levee/client';
const names: Promise<Namespace<string>> = connect({ portals: [] }).then((client) => client.namespace('a').typed(utf8));
void names.then(async (all): Promise<string | undefined> => {
  // @ts-expect-error a name is a text
  await all.put('a', 5);
  return all.get('a');
});
`,
    );
    const options = {
      module: 'node20',
      target: 'es2023',
      strict: true,
      skipLibCheck: false,
    };
    writeFileSync(
      join(project, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: { ...options, types: ['node'] }, files: ['sample.mts', 'typed.cts'] }),
    );
    node(compiler, '-p', '.');
    const said = node('--trace-warnings', 'sample.mjs').split('\n');
    expect(said.slice(0, 3)).toEqual(['{ total: 5 }', 'undefined', "[ 'Ann', 'Bob', undefined ]"]);
    expect(said[3]).toMatch(/^Ann \d+:\d+ \d{4}-/);
    expect(said.slice(4)).toEqual([
      ...[
        'name:1 Ann',
        'name:2 Bob',
        'name:3 Cleo',
        'Ann',
        'default',
        'Ann',
        'default',
        '499',
        'name:4 Dan',
        'LVLIMIT',
        '',
      ],
    ]);
  });
});
