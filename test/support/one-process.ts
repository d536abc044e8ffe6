import { join } from 'node:path';
import type { ClusterDoors } from './cluster-process';
import { StandaloneProcess } from './standalone-process';

/** What suites need of a cluster that do not kill, pause or start a part of it: `ClusterProcess` has it too. */
export interface RunningCluster {
  readonly doors: Pick<ClusterDoors, 'portals' | 'nodes' | 'masters'>;
  /** RESP ports of the portals. */
  readonly respPorts: readonly number[];
  /** Processes that ended by themselves. */
  readonly exits: ReadonlyArray<{ readonly name: string; readonly how: number | string | null }>;
  /** Ends everything; resolves with what did not end cleanly, as text. */
  end(): Promise<string>;
}

/** All parts of a cluster in one process, on the embedded log: its doors are those of a cluster with one portal. */
export class OneProcess implements RunningCluster {
  readonly exits = [];

  private constructor(
    private readonly levee: StandaloneProcess,
    readonly doors: RunningCluster['doors'],
  ) {}

  static async start(dir: string, env: Readonly<Record<string, string>>): Promise<OneProcess> {
    const levee = await StandaloneProcess.start(dir, env);
    const { resp, http, master, nodes } = levee.doors;
    const log = '';
    return new OneProcess(levee, {
      portals: [{ name: 'p1', resp, http, dir, log }],
      masters: [{ name: 'm1', http: master, dir, log, pid: levee.child.pid as number }],
      nodes: nodes.map((node) => ({ name: node.nodeId, dir: join(dir, 'nodes', node.nodeId), log, ...node })),
    });
  }

  get respPorts(): number[] {
    return [this.levee.respPort];
  }

  async end(): Promise<string> {
    return (await this.levee.end()) === 0 ? '' : this.levee.printed();
  }
}
