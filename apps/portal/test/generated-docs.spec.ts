import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { doorCommands, refusedCommands, storeErrors, type StoreErrorCode } from '@levee/client';
import { statusByCode } from '../src/http-status';

const folder = join(__dirname, '..', '..', '..', 'docs');
const cell = (text: string): string => text.replace(/\|/g, '\\|');

function errorsPage(): string {
  const rows = Object.entries(storeErrors).map(
    ([code, meaning]) => `| \`${code}\` | ${statusByCode[code as StoreErrorCode]} | ${cell(meaning)} |`,
  );
  return `# Errors of the doors

Codes are API, messages are for people: a message names the value, the limit and the mend. RESP errors begin with the
code (\`-LVLIMIT a key of 1025 bytes: …\`); HTTP answers are \`{"code", "message", "details"}\` with the status below.
Errors that Redis has too keep its words (\`-ERR syntax error\`, \`-ERR wrong number of arguments …\`, \`-NOPROTO …\`).
Rejected commands carry the rejection's code. This page is written from the tables in \`libs/client\` and
\`apps/portal\`; a test compares them.

| code | HTTP | meaning |
|---|---|---|
${rows.join('\n')}
`;
}

function commandsPage(): string {
  const names = [...doorCommands.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const rows = names.map(({ name, arity, summary }) => `| \`${name}\` | ${arity} | ${cell(summary)} |`);
  const refused = [...refusedCommands].sort(([a], [b]) => (a < b ? -1 : 1));
  const byReason = new Map<string, string[]>();
  for (const [name, reason] of refused) byReason.set(reason, [...(byReason.get(reason) ?? []), `\`${name}\``]);
  const reasons = [...byReason].map(([reason, refusedNames]) => `| ${refusedNames.join(' ')} | ${cell(reason)} |`);
  return `# Commands of the RESP door

Any Redis client can be used. The user name of AUTH selects the namespace (\`redis://shop.orders:-@host:7379\`).
Arity counts as Redis does: the name included, negative means at least. Written from the tables in \`libs/client\`; a
test compares them.

| command | arity | what it does |
|---|---|---|
${rows.join('\n')}

## Refused, and why

| commands | reason |
|---|---|
${reasons.join('\n')}
`;
}

it.each([
  ['errors.md', errorsPage],
  ['redis-commands.md', commandsPage],
])('docs/%s says what the tables say (UPDATE_DOCS=1 writes it)', (name, page) => {
  const path = join(folder, name);
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(path, page());
  expect(readFileSync(path, 'utf8')).toBe(page());
});
