import { spawn, type ChildProcess } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseWatchToken } from '../../libs/sdk/src/client/watch-token';
import { within } from './deadline';

/** A change as the handler was given it, by which process. */
export interface RecordedChange {
  readonly process: string;
  readonly key: string;
  readonly value: number;
  readonly partition: number;
  readonly nextOffset: number;
}

const running = new Set<ChildProcess>();

/** After a failed test too, nothing may be left behind. */
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
});

/** Lives of `recording-app.cjs`, one after the other, in a project with the packed `@levee/nest`. */
export class ChangeRecorder {
  private readonly file: string;
  private child: ChildProcess | undefined;
  private exited: Promise<number | null> = Promise.resolve(null);
  private size = -1;
  private known: readonly RecordedChange[] = [];

  constructor(
    private readonly project: string,
    private readonly portal: string,
  ) {
    this.file = join(project, 'changes.txt');
    copyFileSync(join(__dirname, 'recording-app.cjs'), join(project, 'recording-app.cjs'));
  }

  start(): void {
    const child = spawn(process.execPath, ['recording-app.cjs', this.portal, this.file], {
      cwd: this.project,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { PATH: process.env.PATH },
    });
    running.add(child);
    this.exited = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
    child.once('exit', () => running.delete(child));
    this.child = child;
  }

  async kill(): Promise<void> {
    this.child?.kill('SIGKILL');
    await within('it is killed', 10_000, this.exited);
  }

  async end(): Promise<void> {
    this.child?.kill('SIGTERM');
    expect(await within('it ends', 20_000, this.exited)).toBe(0);
  }

  /** Whole lines so far. */
  lines(): readonly RecordedChange[] {
    if (!existsSync(this.file)) return [];
    const { size } = statSync(this.file);
    if (size === this.size) return this.known;
    this.size = size;
    const whole = readFileSync(this.file, 'utf8').split('\n').slice(0, -1);
    this.known = whole.map((line) => {
      const [process = '', key = '', value, partition, nextOffset] = line.split(/[ :]/);
      return { process, key, value: Number(value), partition: Number(partition), nextOffset: Number(nextOffset) };
    });
    return this.known;
  }

  count(): number {
    return this.lines().length;
  }
}

/**
 * What is wrong with what was handled: values 0 to `changes` are each there, those of a key rise where they come first, and
 * within each process; no process begins before the position that its forerunner had kept (`positions`, by process).
 */
export function judged(
  lines: readonly RecordedChange[],
  { changes, positions }: { readonly changes: number; readonly positions: readonly (string | undefined)[] },
): { missed: number[]; disordered: string[]; tooEarly: string[]; doubles: number[] } {
  const first = new Map<string, number>();
  const seen = new Set<number>();
  const disordered: string[] = [];
  const tooEarly: string[] = [];
  const lives = [...new Set(lines.map(({ process }) => process))];
  const offsets = positions.map((token) => (token === undefined ? undefined : parseWatchToken(token).offsets));
  const doubles = lives.map((life, number) => {
    const own = new Map<string, number>();
    let again = 0;
    for (const { process, key, value, partition, nextOffset } of lines) {
      if (process !== life) continue;
      if (value <= (own.get(key) ?? -1)) disordered.push(`${key}: ${value} behind ${own.get(key)} in life ${number}`);
      own.set(key, value);
      if (seen.has(value)) again++;
      else if (value < (first.get(key) ?? -1)) disordered.push(`${key}: ${value} first comes behind ${first.get(key)}`);
      else first.set(key, value);
      seen.add(value);
      const kept = offsets[number]?.get(partition);
      if (kept !== undefined && nextOffset <= kept)
        tooEarly.push(`${key} at ${partition}:${nextOffset} in life ${number}, which began at ${kept}`);
    }
    return again;
  });
  const missed = Array.from({ length: changes }, (_, value) => value).filter((value) => !seen.has(value));
  return { missed, disordered, tooEarly, doubles };
}
