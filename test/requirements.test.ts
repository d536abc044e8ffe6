import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pageOf, rows } from './requirements/page';

const file = join(__dirname, '..', 'docs', 'requirements.md');

describe('docs/requirements.md', () => {
  it('has each requirement once', () => {
    const ids = rows.flatMap((row) => row.ids.split(' '));
    const wanted = [
      ...Array.from({ length: 98 }, (_, i) => `S${i + 1}`),
      ...Array.from({ length: 15 }, (_, i) => `C${i + 1}`),
      ...Array.from({ length: 14 }, (_, i) => `U${i + 1}`),
      'G7',
    ];
    expect(ids.filter((id, i) => ids.indexOf(id) !== i)).toEqual([]);
    expect(wanted.filter((id) => !ids.includes(id))).toEqual([]);
    expect(ids.filter((id) => !wanted.includes(id))).toEqual([]);
  });

  it('is what the tables in test/requirements say (UPDATE_DOCS=1 writes it)', () => {
    const wanted = pageOf(rows);
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(file, wanted);
    expect(readFileSync(file, 'utf8')).toBe(wanted);
  });
});

describe('C2 to C7: what the card names', () => {
  const root = join(__dirname, '..');
  const sources = ['libs', 'apps'].flatMap((folder) =>
    (readdirSync(join(root, folder), { recursive: true }) as string[])
      .filter((path) => /\/src\/.*\.ts$/.test(path) && !/\.spec\.ts$/.test(path))
      .map((path) => readFileSync(join(root, folder, path), 'utf8')),
  );
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<
    'dependencies' | 'devDependencies',
    Record<string, string>
  >;

  /** `level` comes as its parts: the abstract database, the one on disk and the one in memory. */
  it.each([
    ...['kafkajs', 'avsc', '@nestjs/common', '@nestjs/core', '@nestjs/microservices'],
    ...['abstract-level', 'classic-level', 'memory-level'],
  ])('%s is what the code imports', (name) => {
    expect(dependencies).toHaveProperty([name]);
    expect(sources.some((text) => text.includes(`from '${name}'`))).toBe(true);
  });

  it('jest runs the tests', () => expect(devDependencies).toHaveProperty('jest'));

  it.each(['package.json', 'nest-cli.json', 'apps', 'libs', 'schemas', 'test', 'docker-compose.yml', 'README.md'])(
    '%s is at the top level',
    (name) => expect(readdirSync(root)).toContain(name),
  );
});
