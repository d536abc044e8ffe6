import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { claimPorts } from '../../tools/ports.cjs';
import { builtApp } from './built-app';
import { eventually } from './deadline';

const root = join(__dirname, '..', '..');

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  return (await claimPorts([0]))[0]!;
}

/** A portal of its own, beside the cluster that `env` (KAFKA_BROKERS, LEVEE_TOPIC_PREFIX) names. */
export class PortalProcess {
  private constructor(
    readonly child: ChildProcess,
    readonly respPort: number,
    readonly url: string,
  ) {}

  /** Resolves when it is ready, or, with `ready` false, when its HTTP door answers. `respPort`: of one that is gone. */
  static async start(
    env: Record<string, string>,
    { ready = true, respPort: wanted }: { ready?: boolean; respPort?: number } = {},
  ): Promise<PortalProcess> {
    const [respPort, httpPort] = [wanted ?? (await freePort()), await freePort()];
    const child = spawn(process.execPath, builtApp('portal'), {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        LEVEE_RESP_PORT: String(respPort),
        LEVEE_HTTP_PORT: String(httpPort),
        LEVEE_LOG_LEVEL: 'warn',
        LEVEE_DRAIN_NOTICE: '0ms',
        ...env,
      },
    });
    let printed = '';
    const keep = (chunk: Buffer): void => {
      printed = (printed + chunk.toString('utf8')).slice(-50_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const portal = new PortalProcess(child, respPort, `http://127.0.0.1:${httpPort}`);
    await eventually(
      'the portal is ready',
      async () => {
        if (child.exitCode !== null) throw new Error(`the portal ended with ${child.exitCode}\n${printed}`);
        return (await fetch(`${portal.url}/health/ready`)).ok || !ready;
      },
      30_000,
      100,
    );
    return portal;
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return this.child.exitCode;
    const exited = new Promise<void>((resolve) => this.child.once('exit', () => resolve()));
    this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 15_000);
    await exited;
    clearTimeout(timer);
    return this.child.exitCode;
  }
}
