import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { differencesPage, doorCommands, refusedCommands, refusedSetOptions, type Refusal } from '@levee/portal';
import { TestCluster } from './test-cluster';

jest.setTimeout(60_000);

const page = readFileSync(join(__dirname, '../../..', differencesPage), 'utf8');
const sections = [...page.matchAll(/^## (.+)$/gm)].map(([, title]) => title?.toLowerCase().replace(/ /g, '-'));

/** What is sent, and why it is refused. */
const refusals: readonly (readonly [sent: string, what: string, refusal: Refusal])[] = [
  ...[...refusedCommands].map(([name, refusal]) => [`${name.toLowerCase()} key 1 2`, name, refusal] as const),
  ...Object.entries(refusedSetOptions).map(
    ([option, refusal]) => [`SET key value ${option} 1`, `SET … ${option}`, refusal] as const,
  ),
];

let cluster: TestCluster;
let send: (...args: string[]) => Promise<unknown>;

beforeAll(async () => {
  cluster = await TestCluster.start(1);
  await cluster.namespace('default');
  send = cluster.connect(await cluster.portal()).send;
});
afterAll(() => cluster?.close());

it('every refusal says why, what to do instead, and where more is said', async () => {
  const replies = await Promise.all(refusals.map(([sent]) => send(...sent.split(' '))));
  expect(refusals.map(([, what], i) => [what, replies[i]])).toEqual(
    refusals.map(([, what, { why, instead, section }]) => [
      what,
      `-LVUNSUPPORTED ${what}: ${why}; ${instead} (${differencesPage}#${section})`,
    ]),
  );
  expect(await send('GET', 'key')).toBeNull();
});

it.each(refusals)('%s', (_sent, what, { why, instead, section }) => {
  expect(doorCommands.has(what)).toBe(false);
  expect(sections).toContain(section);
  expect(`${why}${instead}`).not.toMatch(/\.$|undefined/);
  // What loses updates is no advice.
  expect(instead).not.toMatch(/GET,? then SET/i);
  expect(`${what}: ${why}; ${instead}`.length).toBeLessThan(400);
});

it.each([
  ['INCR', /loses updates.*key of its own/],
  ['EXPIRE', /SET key value EX seconds.*session stores/],
  ['SETNX', /no locks yet/],
  ['GETSET', /only where nobody else writes/],
  ['EVAL', /rate limiters/],
  ['LPUSH', /topic of the log/],
])('%s', (name, what) => {
  const { why, instead } = refusedCommands.get(name) as Refusal;
  expect(`${why}; ${instead}`).toMatch(what);
});

it('names every command of Redis once', () => {
  const names = [...refusedCommands.keys()];
  for (const name of ['HGETALL', 'ZRANGEBYSCORE', 'XREADGROUP', 'BLMOVE', 'GETDEL', 'MSETNX', 'SORT'])
    expect(names).toContain(name);
  expect(names.filter((name) => doorCommands.has(name))).toEqual([]);
});
