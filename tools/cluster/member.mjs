// One process of the cluster: started, waited for, restarted, ended.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ask } from './ask.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const dieWithParent = join(dirname(fileURLToPath(import.meta.url)), 'die-with-parent.cjs');
const codeCache = join(root, 'tools', 'code-cache', 'use.cjs');

const stopDeadlineMs = 20_000;
const readyAskMs = 2_000;
const backoffMs = { first: 200, most: 10_000 };
/** A process that has lived this long starts again without waiting. */
const steadyAfterMs = 30_000;

export class Member {
  #child;
  #wanted = false;
  #restarts = 0;
  #paused;
  #backoff;

  /**
   * @param spec {name, app, dir, env, url, ports}: `url` answers /health/ready
   * @param options {keepAlive, onStart(), onExit(member, how), nodeArguments, apps}: `apps` is the folder of the built apps
   */
  constructor(spec, options) {
    Object.assign(this, spec);
    this.options = options;
    this.logFile = join(dirname(spec.dir), `${spec.name}.log`);
    this.starts = 0;
  }

  get pid() {
    return this.#child?.pid;
  }

  get running() {
    return this.#child !== undefined;
  }

  start() {
    if (this.running) throw new Error(`${this.name} is running as ${this.pid}`);
    const main = join(this.options.apps ?? join(root, 'dist', 'apps'), this.app, 'src', 'main.js');
    if (!existsSync(main)) throw new Error(`there is no ${main}: run npm run build`);
    clearTimeout(this.#backoff);
    mkdirSync(this.dir, { recursive: true });
    const log = openSync(this.logFile, 'a');
    const startedMs = performance.now();
    // A session of its own: Ctrl+C in a terminal reaches the supervisor alone, which ends its members in order.
    const loadedFirst = ['--require', dieWithParent, '--require', codeCache];
    const child = spawn(process.execPath, [...loadedFirst, ...(this.options.nodeArguments ?? []), main], {
      cwd: root,
      env: this.env,
      stdio: ['pipe', log, log],
      detached: true,
    });
    closeSync(log);
    child.stdin.on('error', () => undefined);
    this.#child = child;
    this.#wanted = true;
    this.starts += 1;
    const gone = (how) => {
      if (this.#child !== child) return;
      this.#child = undefined;
      this.resume();
      this.lastExit = how;
      this.options.onExit?.(this, how);
      if (!this.#wanted || this.options.keepAlive !== true) return;
      this.#restarts = performance.now() - startedMs > steadyAfterMs ? 0 : this.#restarts + 1;
      const waitMs = Math.min(backoffMs.first * 2 ** Math.max(0, this.#restarts - 1), backoffMs.most);
      this.#backoff = setTimeout(() => this.#wanted && !this.running && this.start(), waitMs);
    };
    this.options.onStart?.();
    child.once('error', (error) => gone(error.message));
    child.once('exit', (code, signal) => gone(signal ?? code));
  }

  /** Resolves when /health/ready answers 200; throws with the end of its log when it ends or is late. */
  async ready(deadlineMs) {
    const until = performance.now() + deadlineMs;
    const startsBefore = this.starts;
    let last = 'it never answered';
    for (;;) {
      const ended = !this.running && (this.options.keepAlive !== true || this.starts - startsBefore > 3);
      if (ended) throw new Error(`${this.name} ended with ${this.lastExit}\n${this.lastLines()}`);
      try {
        const { status, text } = await ask(`${this.url}/health/ready`, { timeoutMs: readyAskMs });
        if (status === 200) return;
        last = `${status} ${text.slice(0, 500)}`;
      } catch (error) {
        last = String(error.cause ?? error);
      }
      if (performance.now() > until)
        throw new Error(`${this.name} is not ready within ${deadlineMs} ms: ${last}\n${this.lastLines()}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Sends a signal; after SIGKILL resolves when the process is gone. */
  async kill(signal = 'SIGKILL') {
    const child = this.#child;
    if (child === undefined) return;
    child.kill(signal);
    if (signal === 'SIGKILL') await ended(child, stopDeadlineMs);
  }

  /** SIGSTOP. A stopped process cannot notice that its supervisor is gone, so a shell does that for it meanwhile. */
  pause() {
    if (this.#child === undefined) throw new Error(`${this.name} is not running`);
    this.#paused ??= spawn('sh', ['-c', 'cat >/dev/null; kill -9 "$1"', 'levee-watchdog', String(this.pid)], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    this.#paused.stdin.on('error', () => undefined);
    this.#child.kill('SIGSTOP');
  }

  resume() {
    this.#child?.kill('SIGCONT');
    this.#paused?.kill('SIGKILL');
    this.#paused = undefined;
  }

  /** SIGTERM, then SIGKILL after a deadline; not started again. Resolves with the exit code or the signal, `undefined` where nothing ran. */
  async stop(deadlineMs = stopDeadlineMs) {
    this.#wanted = false;
    clearTimeout(this.#backoff);
    const child = this.#child;
    // What died before was told when it died.
    if (child === undefined) return undefined;
    this.resume();
    child.kill('SIGTERM');
    if (!(await ended(child, deadlineMs))) {
      child.kill('SIGKILL');
      await ended(child, stopDeadlineMs);
    }
    return this.lastExit;
  }

  lastLines(count = 25) {
    if (!existsSync(this.logFile)) return '';
    return readFileSync(this.logFile, 'utf8').trimEnd().split('\n').slice(-count).join('\n');
  }
}

function ended(child, deadlineMs) {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return Promise.resolve(true);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), deadlineMs);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
