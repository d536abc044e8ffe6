import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { storeErrors, type StoreErrorCode } from '@levee/client';
import { rejectionCodes } from '@levee/cluster';
import { doorCode, doorCodes } from '@levee/kernel';
import { doorCommands, refusedCommands, type Refusal } from '@levee/portal';
import { doorLimits } from '../src/door-limits';
import { statusByCode } from '../src/http-status';

const folder = join(__dirname, '..', '..', '..', 'docs');
const cell = (text: string): string => text.replace(/\|/g, '\\|');

function errorsPage(): string {
  const rows = Object.entries(storeErrors).map(
    ([code, meaning]) => `| \`${code}\` | ${statusByCode[code as StoreErrorCode]} | ${cell(meaning)} |`,
  );
  const rejections = Object.entries(rejectionCodes)
    .filter(([code]) => doorCode(code) === code)
    .map(([code, meaning]) => `| \`${code}\` | ${statusByCode[code]} | ${cell(meaning)} |`);
  const told = Object.entries(doorCodes).map(([code, told]) => `| \`${code}\` | \`${told}\` |`);
  return `# Errors of the doors

Codes are API, messages are for people: a message names the value, the limit and the mend. RESP errors begin with the
code (\`-LVLIMIT a key of 1025 bytes: …\`); HTTP answers are \`{"code", "message", "details"}\` with the status below.
An error about a key ends with that key, escaped and cut: \`(key 'price')\`.
Errors that Redis has too keep its words (\`-ERR syntax error\`, \`-ERR wrong number of arguments …\`, \`-NOPROTO …\`).
Rejected commands carry the rejection's code. This page is written from the tables in \`libs/client\`, \`libs/portal\` and
\`apps/portal\`; a test compares them.

| code | HTTP | meaning |
|---|---|---|
${rows.join('\n')}

## Rejected commands
What the master answers to a command that changes nothing, at the HTTP door and in \`levee\`, beside those above.

| code | HTTP | meaning |
|---|---|---|
${rejections.join('\n')}

## Of HTTP alone
| code | HTTP | meaning |
|---|---|---|
| \`BAD_REQUEST\` | 400 | A parameter, header or body cannot be read or is not known; the message names it. Nothing happened. |
| \`NOT_FOUND\` | 404 | There is no such key, or no such path. |
| \`UNAUTHORIZED\` | 401 | The door asks who you are, or does not believe it any more ([security](security.md)). Nothing happened. |
| \`HOST_REFUSED\` | 403 | The door is not called by the name in the \`Host\` header: use its address, or add the name to \`LEVEE_HTTP_HOSTS\` ([security](security.md#browsers)). Nothing happened. |
| \`ORIGIN_REFUSED\` | 403 | The request was made by a web page of another origin. Nothing happened. |
| \`CONTENT_TYPE_REFUSED\` | 415 | The body of a POST or PATCH has not the content type \`application/json\`. Nothing happened. |
| \`LVLIMIT\` | 413, 431 | A key, value or body above its limit has the first, the head of a request the second; every other limit 429. |
| \`DEADLINE\` | 504 | No answer in time. A command may still be decided: ask \`GET /v1/commands/<id>\`. |
| \`INTERNAL\` | 500 | A mistake of ours; the log of the process has it. The RESP door says it too. Whether a write happened is unknown: read before repeating it. |

## Of \`levee\` on a log or a file
What commands say that read the log itself (\`--brokers\`, \`--data-dir\`) or a file. Exit code 3 where the first column has
a star: a finding, not a failure.

| code | meaning |
|---|---|
| \`NOT_PROVABLE\` * | the log does not prove what was asked for; the message says why, and from which time on it would |
| \`DIFFERENT\` * | two things that were compared differ; the keys are named |
| \`EXPORT_DAMAGED\` * | a byte of an export is not what was written, or its end is missing; the message names the block and its first byte. Nothing was written: take another copy |
| \`NOT_AN_EXPORT\` * | the file is no export of a namespace |
| \`NOT_EMPTY\` | the namespace holds keys that are not of the export. Nothing was changed: import into another one |
| \`NOT_COMPARABLE\` | two namespaces place or write their keys in other ways |
| \`NOT_REBUILT\` | a folder holds no rebuilt namespace, another one, or one that is not finished |
| \`FILE_EXISTS\` | a file of that name is there, and is not written over |
| \`FENCED\` | the same import, or repartitioning, was begun elsewhere: that one goes on |
| \`PRODUCERS_ACTIVE\` | of a repartitioning: records came into wrong partitions in the last five minutes, and their producers are named. Nothing was written |
| \`CONTESTED\` | of a repartitioning: others wrote the same keys at every attempt, and an older record may hide what they wrote last. All else is done: give the command again |

## One condition, one code
What the RESP door can say begins with \`LV\`, at every door: also over HTTP, and in \`levee\`. Inside, in the records of the
journal and in the log of a process, the same has the name of the layer that met it:

| inside | at the doors |
|---|---|
${told.join('\n')}
`;
}

function commandsPage(): string {
  const names = [...doorCommands.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const rows = names.map(({ name, arity, summary }) => `| \`${name}\` | ${arity} | ${cell(summary)} |`);
  const alike = new Map<Refusal, string[]>();
  for (const [name, refusal] of refusedCommands) alike.set(refusal, [...(alike.get(refusal) ?? []), `\`${name}\``]);
  const refused = [...alike].map(
    ([{ why, instead, section }, called]) =>
      `| ${called.join(' ')} | ${cell(why)} | ${cell(instead)} | [${section}](redis-differences.md#${section}) |`,
  );
  return `# Commands of the RESP door

Any Redis client can be used. With authentication off the user name of AUTH selects the namespace
(\`redis://shop.orders:-@host:7379\`); with it on AUTH says who the connection is, and \`user@namespace\` selects one too
([security](security.md)). Without the right that a command asks for it answers \`NOPERM\`, before AUTH \`NOAUTH\`. When
AUTH, HELLO … AUTH, SELECT or LV.USE is refused, its connection has no namespace: commands on data are refused, until
AUTH or LV.USE chooses one (after a refused SELECT, SELECT 0 keeps the one before). RESET makes the connection a new
one, which is in the default namespace. What \`MULTI\` does and does not promise, and what is
not there, is in [Where Levee is not Redis](redis-differences.md).
Arity counts as Redis does: the name included, negative means at least. Written from the tables in \`libs/portal\`; a
test compares them.

| command | arity | what it does |
|---|---|---|
${rows.join('\n')}

## Refused, and why

| commands | why | instead | more |
|---|---|---|---|
${refused.join('\n')}
`;
}

function limitsPage(): string {
  const shown = (value: number, unit: string): string => {
    if (unit === 'bytes' && value % 1024 === 0)
      return value % (1024 * 1024) === 0 ? `${value / 1024 / 1024} MiB` : `${value / 1024} KiB`;
    if (unit === 'ms') return value % 1_000 === 0 ? `${value / 1_000} s` : `${value} ms`;
    return `${value.toLocaleString('en')}${unit === 'others' ? '' : ` ${unit}`}`;
  };
  const tables = Object.entries(doorLimits).map(([title, limits]) => {
    const rows = limits.map(({ name, value, unit, why }) => `| \`${name}\` | ${shown(value, unit)} | ${cell(why)} |`);
    return `## ${title}\n| limit | value | what is bounded, and what happens there |\n|---|---|---|\n${rows.join('\n')}\n`;
  });
  return `# Limits of the doors

What one client may use, so that it does not disturb others (I16). Bytes that connections hold of commands, bodies,
replies and answers are counted together, strings and what they cost included, against \`LEVEE_NETWORK_BUDGET\` of a
portal and a part of \`LEVEE_MEMORY_BUDGET\` of a node. This page is written from the tables in the code; a test compares
them.

${tables.join('\n')}`;
}

it.each([
  ['limits.md', limitsPage],
  ['errors.md', errorsPage],
  ['redis-commands.md', commandsPage],
])('docs/%s says what the tables say (UPDATE_DOCS=1 writes it)', (name, page) => {
  const path = join(folder, name);
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(path, page());
  expect(readFileSync(path, 'utf8')).toBe(page());
});
