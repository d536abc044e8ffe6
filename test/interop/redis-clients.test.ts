import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';
import { itWhereInstalled } from '../support/where-installed';
import { clients, facts, libraryFacts, said } from './clients';

/** The clients people already have, against `npm start`. */
describe('Redis clients', () => {
  let levee: StandaloneProcess;
  const port = (): string => String(levee.respPort);

  beforeAll(async () => {
    levee = await StandaloneProcess.start(scratchFolder('interop'));
    const answer = await fetch(`${levee.url}/v1/namespaces`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'batched', partitions: 2, chunks: 2, multi: 'batch', flush: 'sweep' }),
    });
    expect([answer.status, await answer.text()]).toEqual([201, expect.any(String)]);
  }, 60_000);

  afterAll(async () => {
    expect(await levee.end()).toBe(0);
    levee.remove();
  }, 40_000);

  for (const { name, version, needs, prepare, command } of clients)
    (needs === undefined ? it : itWhereInstalled(...needs))(
      `${name} ${version}`,
      async () => {
        await prepare?.();
        const [program, ...args] = command(port());
        const lines = (await said(program, args)).trim().split('\n');
        expect(lines).toEqual(facts.map(([line]) => line));
      },
      300_000,
    );

  it('a session store, a cache, a rate limiter: connect-redis, Keyv, rate-limiter-flexible', async () => {
    const lines = await said(process.execPath, [join(__dirname, 'node', 'libraries.mjs'), port()]);
    expect(lines.trim().split('\n')).toEqual(libraryFacts.map(([line]) => line));
  }, 60_000);

  itWhereInstalled('redis-cli', '--version', 'the package redis-tools')(
    'redis-cli: commands, a pipe of raw protocol, --scan',
    async () => {
      const cli = (...args: string[]): Promise<string> => said('redis-cli', ['-p', port(), ...args]);
      expect((await cli('SET', 'cli', 'hello')).trim()).toBe('OK');
      expect((await cli('GET', 'cli')).trim()).toBe('hello');
      expect((await cli('-3', 'GET', 'cli')).trim()).toBe('hello');
      const commands = Array.from(
        { length: 2000 },
        (_, i) => `*3\r\n$3\r\nSET\r\n$${`cli:${i}`.length}\r\ncli:${i}\r\n$1\r\nx\r\n`,
      ).join('');
      const piped = spawnSync('redis-cli', ['-p', port(), '--pipe'], {
        input: commands,
        encoding: 'utf8',
        timeout: 60_000,
      });
      expect(piped.stdout).toMatch(/errors: 0, replies: 2000/);
      const keys = (await cli('--scan', '--pattern', 'cli:*')).trim().split('\n');
      expect(new Set(keys).size).toBe(2000);
    },
    90_000,
  );

  itWhereInstalled('redis-benchmark', '--version', 'the package redis-tools')(
    'redis-benchmark -t ping,set,get,mset, pipelined and not',
    async () => {
      for (const pipeline of ['1', '16']) {
        const options = `-t ping,set,get,mset -n 5000 -c 50 -r 1000 -P ${pipeline} --csv`.split(' ');
        const printed = await said('redis-benchmark', ['-p', port(), ...options]);
        const rows = printed.trim().split('\n');
        expect(rows.map((row) => row.split(',')[0])).toEqual(
          expect.arrayContaining(['"SET"', '"GET"', '"MSET (10 keys)"']),
        );
        expect(printed).not.toMatch(/error/i);
      }
    },
    120_000,
  );
});
