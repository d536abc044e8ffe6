import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { withCodeCache } from './built-app';
import type { ClusterDoors } from './cluster-process';
import { within } from './deadline';
import type { RunningCluster } from './one-process';
import { freePorts } from './standalone-process';

/** A cluster of which a part can be stopped and started: on Kafka as a process, in one process as what it is made of. */
export interface StoppableCluster extends RunningCluster {
  readonly doors: Pick<ClusterDoors, 'portals' | 'nodes' | 'masters' | 'dispatchers'>;
  /** Ends it in good order; it stays down until `start`. */
  stop(name: string): Promise<void>;
  /** Resolves when it is ready, at its old doors. */
  start(name: string): Promise<void>;
}

export interface PartsWanted {
  readonly nodes: number;
  readonly portals: number;
  readonly dispatchers?: number;
  /** Of the first namespace. */
  readonly namespace: { readonly partitions: number; readonly chunks: number; readonly replicas: number };
}

interface Answer {
  readonly doors?: StoppableCluster['doors'];
  readonly message?: string;
}

const deadlineMs = 90_000;
const running = new Set<ChildProcess>();

/** After a failed test too, nothing may be left behind. */
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
});

/**
 * The parts of a cluster on an embedded log, which one process has to hold: several portals and nodes that come and go,
 * as the standalone does not have them. None of them can be killed or stand still alone.
 */
export class PartsInOneProcess implements StoppableCluster {
  readonly exits: RunningCluster['exits'][number][] = [];
  doors!: StoppableCluster['doors'];
  private readonly child: ChildProcess;
  private printedText = '';
  private before: Promise<unknown> = Promise.resolve();

  private constructor() {
    this.child = fork(join(__dirname, 'parts-runner.cjs'), [], {
      execArgv: [...withCodeCache],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { PATH: process.env.PATH, UV_THREADPOOL_SIZE: '4', LEVEE_LOG_LEVEL: 'warn' },
    });
    running.add(this.child);
    this.child.once('exit', (code, signal) => {
      running.delete(this.child);
      if (code !== 0) this.exits.push({ name: 'the process', how: signal ?? code });
    });
    const keep = (chunk: Buffer): void => {
      this.printedText = (this.printedText + chunk.toString('utf8')).slice(-200_000);
    };
    this.child.stdout?.on('data', keep);
    this.child.stderr?.on('data', keep);
  }

  /** Resolves when all of them serve. `env`: settings, of all parts. */
  static async start(
    dir: string,
    { nodes, portals, dispatchers = 0, namespace }: PartsWanted,
    env: Readonly<Record<string, string>> = {},
  ): Promise<PartsInOneProcess> {
    const named = (kind: string, count: number) => Array.from({ length: count }, (_, i) => `${kind}${i + 1}`);
    const names = [...named('m', 1), ...named('n', nodes), ...named('d', dispatchers), ...named('p', portals)];
    const parts = new PartsInOneProcess();
    try {
      await parts.tell('begin', { env: { ...freePorts, ...env, LEVEE_DATA_DIR: dir }, names, namespace });
    } catch (error) {
      parts.child.kill('SIGKILL');
      throw error;
    }
    return parts;
  }

  get respPorts(): number[] {
    return this.doors.portals.map(({ resp }) => Number(resp.split(':').pop()));
  }

  /** What all parts logged. */
  get printed(): string {
    return this.printedText;
  }

  stop(name: string): Promise<void> {
    return this.tell('stop', { name });
  }

  start(name: string): Promise<void> {
    return this.tell('start', { name });
  }

  /**
   * Another node process than that of its name: `name` is what this test calls it, `of` the node that it says it is, and
   * `folder` its disk. It may never be ready.
   */
  launch(name: string, node: { readonly of: string; readonly folder: string }): Promise<void> {
    return this.tell('start', { name, ...node, waits: false });
  }

  async end(): Promise<string> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return this.printedText || 'it ended before';
    const exited = new Promise<number | null>((resolve) => this.child.once('exit', resolve));
    try {
      await this.tell('end', {});
      return (await within('the process ends', deadlineMs, exited)) === 0 ? '' : this.printedText;
    } catch (error) {
      this.child.kill('SIGKILL');
      return `${String(error)}\n${this.printedText}`;
    }
  }

  /** One after the other. */
  private tell(word: string, about: object): Promise<void> {
    const told = this.before.then(async () => {
      const { child } = this;
      const answered = new Promise<Answer>((resolve) => {
        const done = (answer: Answer): void => {
          child.off('message', done).off('exit', gone);
          resolve(answer);
        };
        const gone = (code: number | null): void => done({ message: `the process ended with ${code}` });
        child.once('message', done).once('exit', gone);
        child.send({ word, ...about });
      });
      const { doors, message } = await within(`an answer to ${word}`, deadlineMs, answered);
      if (doors === undefined) throw new Error(`${message}\n${this.printedText}`);
      this.doors = doors;
    });
    this.before = told.catch(() => undefined);
    return told;
  }
}
