import { spawn, type ChildProcess } from 'node:child_process';
import { eventually, within } from './deadline';

const running = new Set<ChildProcess>();

/** After a failed test too, nothing may be left behind. */
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
});

/** A process of `examples/nest-orders`, as it was built in `folder`. */
export class OrdersService {
  private text = '';

  private constructor(
    readonly child: ChildProcess,
    readonly exited: Promise<number | null>,
  ) {
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (piece: Buffer) => (this.text = (this.text + piece.toString('utf8')).slice(-100_000)));
  }

  static spawn(folder: string, env: Readonly<Record<string, string>>): OrdersService {
    const child = spawn(process.execPath, ['dist/src/main.js'], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, NO_COLOR: '1', PORT: '0', ...env },
    });
    running.add(child);
    const exited = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
    child.once('close', () => running.delete(child));
    return new OrdersService(child, exited);
  }

  static async start(folder: string, env: Readonly<Record<string, string>>): Promise<OrdersService> {
    const service = OrdersService.spawn(folder, env);
    await eventually(
      'the service listens',
      () => {
        if (service.child.exitCode !== null)
          throw new Error(`it ended with ${service.child.exitCode}\n${service.text}`);
        return service.port > 0;
      },
      30_000,
    );
    return service;
  }

  get printed(): string {
    return this.text;
  }

  /** 0: it does not listen yet. */
  get port(): number {
    return Number(/listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(this.text)?.[1] ?? 0);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Sends the signal, and resolves with the exit code; `null`: it died by a signal. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.child.kill(signal);
    return within(`the service ends by ${signal}; it had printed:\n${this.text}`, 20_000, this.exited);
  }
}
