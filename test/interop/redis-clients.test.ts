import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';
import { itWhereInstalled } from '../support/where-installed';

const root = join(__dirname, '..', '..');
const run = (command: string, args: readonly string[], options: { cwd?: string; input?: Buffer } = {}): string =>
  execFileSync(command, args, { encoding: 'utf8', timeout: 240_000, ...options });

/** The clients people already have, against `npm start`. */
describe('Redis clients of other languages', () => {
  let levee: StandaloneProcess;
  const port = (): string => String(levee.respPort);

  beforeAll(async () => {
    levee = await StandaloneProcess.start(scratchFolder('interop'));
    const created = await fetch(`${levee.url}/v1/namespaces`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'batched', partitions: 4, chunks: 4, multi: 'batch' }),
    });
    expect(created.status).toBe(201);
  }, 60_000);

  afterAll(async () => {
    expect(await levee.end()).toBe(0);
    levee.remove();
  }, 40_000);

  itWhereInstalled('python3', ['-c', 'import venv, ensurepip'], 'Python 3.9 or newer, with venv')(
    'redis-py, RESP2 and RESP3',
    () => {
      const venv = join(root, '.cache', 'interop-python');
      if (!existsSync(join(venv, 'bin', 'pip'))) run('python3', ['-m', 'venv', venv]);
      run(join(venv, 'bin', 'pip'), ['install', '--quiet', 'redis==5.2.1']);
      for (const protocol of ['2', '3']) {
        const said = run(join(venv, 'bin', 'python'), [join(__dirname, 'python', 'client.py'), port(), protocol]);
        expect(said.trim().split('\n')).toEqual([
          'ping True',
          'set True',
          "get b'hello'",
          'missing None',
          "binary b'\\r\\n\\x00\\xff'",
          'large True',
          'pipeline True',
          'multi refused True None',
          "batch [True, b'x', 1]",
          'batch refused True None',
          'scan 1000',
          'ttl True True',
          'del 1 0',
          'incr refused True',
        ]);
      }
    },
    300_000,
  );

  itWhereInstalled('go', 'version', 'Go 1.22 or newer')(
    'go-redis',
    () => {
      const said = run('go', ['run', '.', port()], { cwd: join(__dirname, 'go') });
      expect(said.trim().split('\n')).toEqual([
        'ping PONG',
        'set OK',
        'get hello',
        'missing true',
        'large true',
        'pipeline true',
        'multi refused true 0',
        'batch <nil> x',
        'scan 1000 <nil>',
        'del 1',
        'incr refused true',
      ]);
    },
    300_000,
  );

  itWhereInstalled('redis-cli', '--version', 'the package redis-tools')(
    'redis-cli: commands, a pipe of raw protocol, --scan',
    () => {
      expect(run('redis-cli', ['-p', port(), 'SET', 'cli', 'hello']).trim()).toBe('OK');
      expect(run('redis-cli', ['-p', port(), 'GET', 'cli']).trim()).toBe('hello');
      expect(run('redis-cli', ['-3', '-p', port(), 'GET', 'cli']).trim()).toBe('hello');
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
      const keys = run('redis-cli', ['-p', port(), '--scan', '--pattern', 'cli:*']).trim().split('\n');
      expect(new Set(keys).size).toBe(2000);
    },
    90_000,
  );

  itWhereInstalled('redis-benchmark', '--version', 'the package redis-tools')(
    'redis-benchmark -t ping,set,get,mset, pipelined and not',
    () => {
      for (const pipeline of ['1', '16']) {
        const said = run('redis-benchmark', [
          '-p',
          port(),
          '-t',
          'ping,set,get,mset',
          '-n',
          '5000',
          '-c',
          '50',
          '-r',
          '1000',
          '-P',
          pipeline,
          '--csv',
        ]);
        const rows = said
          .trim()
          .split('\n')
          .map((line) => line.split(',')[0]);
        expect(rows).toEqual(expect.arrayContaining(['"SET"', '"GET"', '"MSET (10 keys)"']));
        expect(said).not.toMatch(/error/i);
      }
    },
    120_000,
  );
});
