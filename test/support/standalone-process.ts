import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { builtApp } from './built-app';
import { eventually } from './deadline';

const root = join(__dirname, '..', '..');

/** What a running standalone writes into its data folder once it serves. */
export interface Doors {
  readonly pid: number;
  readonly resp: string;
  readonly http: string;
  readonly master: string;
  readonly nodes: readonly { readonly nodeId: string; readonly resp: string; readonly http: string }[];
}

/** Every door of a standalone on any free port. */
export const freePorts = {
  LEVEE_RESP_PORT: '0',
  LEVEE_HTTP_PORT: '0',
  LEVEE_MASTER_PORT: '0',
  LEVEE_DISPATCHER_PORT: '0',
  LEVEE_NODE_RESP_PORT: '0',
  LEVEE_NODE_HTTP_PORT: '0',
} as const;

export function scratchFolder(name: string): string {
  return mkdtempSync(join(process.env.LEVEE_TEST_SCRATCH ?? tmpdir(), `${name}-`));
}

const running = new Set<ChildProcess>();

/** After a failed test too, nothing may be left behind: its pipes would keep the test run from ending. */
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
});

/** `npm start` as a child process on free ports, with everything it printed. */
export class StandaloneProcess {
  private constructor(
    readonly child: ChildProcess,
    readonly dataDir: string,
    private readonly output: { text: string },
    /** Resolves with the exit code once all that it printed is here: `exit` comes before the last of that. */
    readonly closed: Promise<number | null>,
  ) {}

  doors!: Doors;

  static spawn(dataDir: string, env: Record<string, string> = {}): StandaloneProcess {
    const child = spawn(process.execPath, builtApp('standalone'), {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        UV_THREADPOOL_SIZE: '4',
        LEVEE_DATA_DIR: dataDir,
        ...freePorts,
        LEVEE_LOG_LEVEL: 'warn',
        ...env,
      },
    });
    running.add(child);
    child.once('exit', () => running.delete(child));
    const output = { text: '' };
    const keep = (chunk: Buffer): void => {
      output.text = (output.text + chunk.toString('utf8')).slice(-200_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const closed = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
    return new StandaloneProcess(child, dataDir, output, closed);
  }

  static async start(
    dataDir: string,
    env: Record<string, string> = {},
    deadlineMs = 80_000,
  ): Promise<StandaloneProcess> {
    const started = StandaloneProcess.spawn(dataDir, env);
    await started.serving(deadlineMs);
    return started;
  }

  async serving(deadlineMs = 80_000): Promise<void> {
    const file = join(this.dataDir, 'doors.json');
    this.doors = await eventually(
      'the standalone serves',
      () => {
        if (this.child.exitCode !== null) throw new Error(`it ended with ${this.child.exitCode}\n${this.printed()}`);
        if (!existsSync(file)) return undefined;
        const doors = JSON.parse(readFileSync(file, 'utf8')) as Doors;
        return doors.pid === this.child.pid ? doors : undefined;
      },
      deadlineMs,
    ).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}\nit had printed:\n${this.printed()}`, { cause: error });
    });
  }

  printed(): string {
    return this.output.text;
  }

  get respPort(): number {
    return Number(this.doors.resp.split(':').pop());
  }

  get url(): string {
    return this.doors.http;
  }

  /** Sends `signal` and resolves with the exit code (null for a death by signal). */
  async end(signal: NodeJS.Signals = 'SIGTERM', deadlineMs = 20_000): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), deadlineMs);
    await this.closed;
    clearTimeout(timer);
    if (signal === 'SIGTERM' && this.child.exitCode !== 0)
      process.stderr.write(`the standalone ended with ${this.child.exitCode}; it had printed:\n${this.printed()}\n`);
    return this.child.exitCode;
  }

  remove(): void {
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}
