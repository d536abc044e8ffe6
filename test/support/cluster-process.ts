import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { within } from './deadline';
import type { RunningCluster } from './one-process';

const root = join(__dirname, '..', '..');
const answerDeadlineMs = 90_000;

export interface ProcessDoors {
  readonly name: string;
  /** Undefined while it is down. */
  readonly pid?: number;
  readonly http: string;
  readonly dir: string;
  readonly log: string;
}

export interface ClusterDoors {
  readonly pid: number;
  readonly dir: string;
  readonly prefix: string;
  readonly portals: ReadonlyArray<ProcessDoors & { readonly resp: string }>;
  readonly nodes: ReadonlyArray<ProcessDoors & { readonly resp: string }>;
  readonly masters: readonly ProcessDoors[];
  readonly dispatchers: readonly ProcessDoors[];
  readonly kafka: { readonly brokers: string; readonly pids: ReadonlyArray<number | null> };
}

interface Answer {
  readonly answer: string;
  readonly ok: boolean;
  readonly message?: string;
  readonly cluster: ClusterDoors;
}

interface Exit {
  readonly event: 'exit';
  readonly name: string;
  readonly how: number | string | null;
}

/** `npm run cluster` as a child, told what to kill, pause and start through its standard input. */
export class ClusterProcess implements RunningCluster {
  private readonly waiting: Array<(answer: Answer) => void> = [];
  private readonly printed: { text: string } = { text: '' };
  readonly exits: Exit[] = [];
  doors!: ClusterDoors;

  private constructor(readonly child: ChildProcess) {}

  static async start(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    deadlineMs = 120_000,
  ): Promise<ClusterProcess> {
    const fixed = ['--json', '--control', '--no-build', '--any-ports'];
    // Nothing heals or balances by itself unless a test asks for it: what is judged is what the test does.
    const command = [join(root, 'tools', 'cluster.mjs'), ...fixed, '--dispatchers', '0', ...args];
    const child = spawn(process.execPath, command, {
      cwd: root,
      stdio: ['pipe', 'pipe', 'pipe'],
      // No balancer stands before its portals unless a test has one.
      env: { ...process.env, LEVEE_LOG_LEVEL: 'warn', LEVEE_DRAIN_NOTICE: '0ms', ...env },
    });
    const cluster = new ClusterProcess(child);
    child.stdin.on('error', () => undefined);
    child.stderr.on('data', (chunk: Buffer) => cluster.keep(chunk.toString('utf8')));
    const up = new Promise<ClusterDoors>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`the cluster ended with ${code}\n${cluster.printed.text}`)));
      createInterface({ input: child.stdout }).on('line', (line) => {
        const said = JSON.parse(line) as Answer | Exit | ClusterDoors;
        if ('event' in said) cluster.exits.push(said);
        else if ('answer' in said) cluster.waiting.shift()?.(said);
        else resolve(said);
      });
    });
    try {
      cluster.doors = await within(`the cluster serves`, deadlineMs, up);
    } catch (error) {
      child.kill('SIGKILL');
      throw new Error(`${String(error)}\n${cluster.printed.text}`, { cause: error });
    }
    return cluster;
  }

  /** RESP ports of the portals. */
  get respPorts(): number[] {
    return this.doors.portals.map((portal) => Number(portal.resp.split(':').pop()));
  }

  /** kill -9 unless told otherwise; resolves when the process is gone. */
  kill(name: string, signal = 'SIGKILL'): Promise<void> {
    return this.command(`kill ${name} ${signal}`);
  }

  /** SIGTERM; it stays down until `start`. */
  stop(name: string): Promise<void> {
    return this.command(`stop ${name}`);
  }

  /** Resolves when it is ready. */
  start(name: string): Promise<void> {
    return this.command(`start ${name}`);
  }

  /** Does not wait until it is ready, which a witness never is. */
  launch(name: string): Promise<void> {
    return this.command(`launch ${name}`);
  }

  pause(name: string): Promise<void> {
    return this.command(`pause ${name}`);
  }

  resume(name: string): Promise<void> {
    return this.command(`resume ${name}`);
  }

  /** Ends everything; resolves with what did not end cleanly, as text. */
  async end(signal: NodeJS.Signals = 'SIGTERM', deadlineMs = 90_000): Promise<string> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const exited = new Promise<void>((resolve) => this.child.once('exit', () => resolve()));
      this.child.kill(signal);
      const timer = setTimeout(() => this.child.kill('SIGKILL'), deadlineMs);
      await exited;
      clearTimeout(timer);
    }
    return this.printed.text;
  }

  private async command(line: string): Promise<void> {
    const answered = new Promise<Answer>((resolve) => this.waiting.push(resolve));
    this.child.stdin?.write(`${line}\n`);
    const answer = await within(`the cluster answers ${line}`, answerDeadlineMs, answered);
    if (!answer.ok) throw new Error(`${line}: ${answer.message}`);
    this.doors = answer.cluster;
  }

  private keep(text: string): void {
    this.printed.text = (this.printed.text + text).slice(-50_000);
  }
}
