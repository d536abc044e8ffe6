import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../support/deadline';
import { scratchFolder } from '../support/standalone-process';

const tool = join(__dirname, '../../tools/kafka/kafka.mjs');
/** A quorum without a majority: the broker waits for it for as long as it is let. */
const neverServes = JSON.stringify({ 'controller.quorum.voters': '1@127.0.0.1:1,9@127.0.0.1:2' });
const goneMs = 30_000;

describe('the local Kafka of tests', () => {
  const dir = scratchFolder('local-kafka');
  let child: ChildProcessWithoutNullStreams;

  beforeEach(() => {
    mkdirSync(dir, { recursive: true });
    child = spawn(process.execPath, [tool, 'run', '--settings', neverServes], {
      env: { ...process.env, TMPDIR: dir },
    });
    child.stdin.on('error', () => undefined);
  });
  afterEach(() => {
    child.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  });

  const brokers = (): string[] =>
    readdirSync('/proc').filter((pid) => {
      try {
        return /^\d+$/.test(pid) && /java.*kafka\.Kafka/s.test(cmdline(pid)) && cmdline(pid).includes(dir);
      } catch {
        return false;
      }
    });

  it.each([
    ['ends its input', () => void child.stdin.end()],
    ['ends it by a signal', () => void child.kill('SIGTERM')],
    ['kills it', () => void child.kill('SIGKILL')],
  ])(
    'ends with its brokers and folders when whoever started it %s, also while it starts',
    async (_how, end) => {
      await eventually('a broker starts', () => brokers().length > 0, 30_000, 50);
      end();
      await eventually('its process ends', () => child.exitCode !== null || child.signalCode !== null, goneMs, 50);
      await eventually('its brokers end', () => brokers().length === 0, goneMs, 50);
      await eventually('its folders go', () => readdirSync(dir).length === 0, goneMs, 50);
    },
    150_000,
  );
});

const cmdline = (pid: string): string => readFileSync(`/proc/${pid}/cmdline`, 'utf8');
