import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exampleProducers, examplesFolder, plainProducers } from './interop/producers';

const page = join(examplesFolder, 'README.md');
const read = (...path: string[]): string => readFileSync(join(examplesFolder, ...path), 'utf8');
/** Files that people read: no lock files, no list of requirements. */
const isSource = (file: string): boolean => /\.(java|py|go|rs|mjs)$/.test(file);
const sources = (folder: string): string[] =>
  (readdirSync(join(examplesFolder, folder), { recursive: true }) as string[])
    .filter((file) => isSource(file) && !/(^|\/)(node_modules|target|bin|\.venv)\//.test(file))
    .map((file) => join(folder, file));

describe('examples/producers', () => {
  it('README.md has the tables of test/interop/producers.ts (UPDATE_DOCS=1 writes it)', () => {
    const shown = (command: (built: string) => readonly string[]): string => {
      const [started, ...args] = command('.').map((part) => part.replace(process.execPath, 'node'));
      return [started, ...args.map((arg) => (arg.includes('*') ? `'${arg}'` : arg))].join(' ');
    };
    const rows = exampleProducers.map(
      ({ language, client, version, folder, program, partitioner, avro, crc, build, command }) => {
        return `| ${language} | ${client} ${version} | [${folder}/${program}](${folder}/${program}) | ${partitioner} | ${avro}${crc ? ', with crc' : ''} | ${build.map((line) => `\`${line}\``).join('<br>')} | \`${shown(command)}\` |`;
      },
    );
    const table = [
      '| language | client | program | partitioner | Avro | build it | run it |',
      '|---|---|---|---|---|---|---|',
      ...rows,
    ];
    const plain = [
      '| client | program | its partitioner | compression | run it |',
      '|---|---|---|---|---|',
      ...plainProducers.map(
        ({ example, program, hashAlgorithm, compression, command }) =>
          `| ${example.client} ${example.version} | [${program}](${program}) | ${hashAlgorithm} | ${compression} | \`${shown(command)} <brokers> <topic> <count>\` |`,
      ),
    ];
    let wanted = readFileSync(page, 'utf8');
    for (const [name, lines] of [
      ['table', table],
      ['plain', plain],
    ] as const) {
      const [start, end] = [`<!-- ${name} -->\n`, `\n<!-- end of ${name} -->`];
      const [head = '', tail = ''] = [wanted.split(start)[0], wanted.split(end)[1]];
      wanted = [head, start, lines.join('\n'), end, tail].join('');
    }
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(page, wanted);
    expect(readFileSync(page, 'utf8')).toBe(wanted);
  });

  it('no lock file names a host, but for the one that Cargo wants', () => {
    const locks = [
      'node/package-lock.json',
      'python/requirements.txt',
      'go/go.sum',
      'go/go.mod',
      'java/pom.xml',
      'rust/Cargo.lock',
    ];
    const cargo = /^source = "registry\+https:\/\/github\.com\/rust-lang\/crates\.io-index"$/gm;
    const funding = /"url": "https?:\/\/[^"]*(github\.com|opencollective\.com|patreon\.com)[^"]*"/g;
    const schema = /"?http:\/\/maven\.apache\.org\/POM\/4\.0\.0"/g;
    for (const lock of locks)
      expect([
        lock,
        /https?:\/\/\S+/.exec(read(lock).replace(cargo, '').replace(funding, '').replace(schema, ''))?.[0],
      ]).toEqual([lock, undefined]);
    expect(read('node', 'package-lock.json')).not.toContain('"resolved"');
    const pinned = read('python', 'requirements.txt').match(
      /^\S+==\S+ \\\n(?: {4}--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+/gm,
    );
    expect(pinned?.join('')).toBe(read('python', 'requirements.txt'));
  });

  it('the versions of the table are those that are installed', () => {
    const installed: Record<string, string> = {
      node: read('node', 'package.json'),
      python: read('python', 'requirements.txt'),
      go: read('go', 'go.mod'),
      java: read('java', 'pom.xml'),
      rust: read('rust', 'Cargo.lock'),
    };
    for (const { client, version, folder } of exampleProducers) {
      // In each of these formats the version follows the name on its line or the next one.
      const named = (installed[folder] as string).split(client).slice(1);
      const found = named.some((rest) => rest.split('\n', 2).join(' ').includes(version));
      expect([client, found]).toEqual([client, true]);
    }
  });

  it('a reader is through a program in minutes: none is longer than 150 lines', () => {
    const files = [...new Set(exampleProducers.map(({ folder }) => folder))].flatMap(sources);
    expect(files.length).toBeGreaterThan(12);
    expect(files.filter((file) => read(file).split('\n').length > 150)).toEqual([]);
  });
});
