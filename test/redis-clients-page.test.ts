import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { clients, facts, libraryFacts, secureFacts } from './interop/clients';
import { cannotPass, redisPySuite } from './interop/redis-py-suite';

const file = join(__dirname, '..', 'docs', 'redis-clients.md');
const start = '<!-- tables -->\n';
const cell = (text: string): string => text.replace(/\|/g, '\\|');

it('docs/redis-clients.md has the tables of test/interop/clients.ts (UPDATE_DOCS=1 writes them)', () => {
  const page = readFileSync(file, 'utf8');
  const tables = [
    '## Clients',
    '',
    '| client | version | language |',
    '|---|---|---|',
    ...clients.map(({ name, version, language }) => `| ${name} | ${version} | ${language} |`),
    '',
    '## What each of them does, and what comes out',
    '',
    '| outcome | what was done |',
    '|---|---|',
    ...facts.map(([line, meaning]) => `| \`${cell(line)}\` | ${cell(meaning)} |`),
    '',
    '## Over TLS, where the door asks who somebody is',
    '',
    `As the program of ${[...new Set(clients.filter(({ secure }) => secure).map(({ name }) => name))].join(', ')} and redis-cli does it.`,
    '',
    '| outcome | what was done |',
    '|---|---|',
    ...secureFacts.map(([line, meaning]) => `| \`${cell(line)}\` | ${cell(meaning)} |`),
    '',
    '## Libraries on top of them',
    '',
    '| outcome | what was done |',
    '|---|---|',
    ...libraryFacts.map(([line, meaning]) => `| \`${cell(line)}\` | ${cell(meaning)} |`),
    '',
    "## redis-py's own tests",
    '',
    `Of redis-py ${redisPySuite.version}: ${redisPySuite.files.map((file) => `\`${file}\``).join(', ')}. More than ${redisPySuite.passed} pass; those of commands that are`,
    'not supported fail with `LVUNSUPPORTED`; these are left:',
    '',
    '| tests | why they do not pass |',
    '|---|---|',
    ...cannotPass.map(([tests, why]) => `| ${tests.map((test) => `\`${test}\``).join(' ')} | ${cell(why)} |`),
    '',
  ].join('\n');
  const wanted = page.slice(0, page.indexOf(start) + start.length) + tables;
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(file, wanted);
  expect(readFileSync(file, 'utf8')).toBe(wanted);
});
