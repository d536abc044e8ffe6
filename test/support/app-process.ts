import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { builtApp } from './built-app';
import { eventually, within } from './deadline';
import { freePort } from './portal-process';

const root = join(__dirname, '..', '..');
const httpPortOf = { master: 'LEVEE_MASTER_PORT', 'data-node': 'LEVEE_NODE_HTTP_PORT' } as const;

const running = new Set<ChildProcess>();

/** After a failed test too, nothing may be left behind. */
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
});

interface Readiness {
  readonly status: number;
  readonly text: string;
}

/** One process of a cluster beside those that a test has, such as a second one of a name. */
export class AppProcess {
  private printedText = '';
  /** It has ended, and all that it printed is here: `exit` comes before the last of that. */
  private readonly closed: Promise<number | null>;

  private constructor(
    readonly child: ChildProcess,
    readonly url: string,
  ) {
    const keep = (chunk: Buffer): void => {
      this.printedText = (this.printedText + chunk.toString('utf8')).slice(-200_000);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    running.add(child);
    child.once('exit', () => running.delete(child));
    this.closed = new Promise((resolve) => child.once('close', (code) => resolve(code)));
  }

  /** `fileBlocksMax`: no file may grow beyond so many blocks of `ulimit -f`, as on a disk that is full. */
  static async start(
    app: keyof typeof httpPortOf,
    env: Readonly<Record<string, string>>,
    { fileBlocksMax }: { readonly fileBlocksMax?: number } = {},
  ): Promise<AppProcess> {
    const httpPort = String(await freePort());
    const main: readonly [string, ...string[]] = [process.execPath, ...builtApp(app)];
    const limited = ['sh', '-c', `ulimit -f ${fileBlocksMax} && exec "$0" "$@"`, ...main] as const;
    const [command, ...args] = fileBlocksMax === undefined ? main : limited;
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        UV_THREADPOOL_SIZE: '4',
        LEVEE_LOG_LEVEL: 'warn',
        LEVEE_NODE_RESP_PORT: String(await freePort()),
        ...env,
        [httpPortOf[app]]: httpPort,
      },
    });
    return new AppProcess(child, `http://127.0.0.1:${httpPort}`);
  }

  get printed(): string {
    return this.printedText;
  }

  /** What `/health/ready` says; fails while nobody answers, or when the process has ended. */
  async readiness(): Promise<Readiness> {
    if (this.child.exitCode !== null) throw new Error(`it ended with ${this.child.exitCode}\n${this.printed}`);
    const answer = await fetch(`${this.url}/health/ready`, { signal: AbortSignal.timeout(2_000) });
    return { status: answer.status, text: await answer.text() };
  }

  async ready(deadlineMs = 60_000): Promise<void> {
    await eventually('it is ready', async () => (await this.readiness()).status === 200, deadlineMs, 100);
  }

  /** Resolves with the readiness answer once it matches; it must not be ready before. */
  refuses(pattern: RegExp, deadlineMs = 60_000): Promise<Readiness> {
    return eventually(
      `it refuses with ${String(pattern)}`,
      async () => {
        const answer = await this.readiness();
        if (answer.status === 200) throw new Error('it says that it is ready');
        return pattern.test(answer.text) ? answer : undefined;
      },
      deadlineMs,
      50,
    );
  }

  exit(deadlineMs = 45_000): Promise<number | null> {
    return within('the process ends', deadlineMs, this.closed);
  }

  end(): Promise<number | null> {
    this.child.kill('SIGTERM');
    return this.exit();
  }
}
