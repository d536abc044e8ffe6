import { execFileSync, type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { link, packed } from './packed-project';

/** What a replica in an application is asked, and says. */
interface Asked {
  readonly values: readonly (string | null)[] | string;
  /** How many of them its replica answered. */
  readonly here: number;
  readonly loads: readonly number[];
  readonly isComplete: boolean;
  readonly problem: string | null;
}

const name = '@levee/client';
const script = `
const { createInterface } = require('node:readline');
const { connect, utf8 } = require('${name}');
const { local } = require('${name}/local');
const { portals, brokers, dir, namespace } = JSON.parse(process.argv[2]);
(async () => {
  const client = await connect({ portals, reads: local({ brokers, dir, namespaces: [namespace] }) });
  const keys = client.namespace(namespace).typed(utf8);
  createInterface({ input: process.stdin }).on('line', async (line) => {
    if (line === 'close') return client.close().then(() => process.exit(0));
    const before = client.status().local.answered;
    const values = await keys.getMany(JSON.parse(line)).then((found) => found.map((value) => value ?? null), String);
    const { answered, namespaces } = client.status().local;
    const [{ isComplete, problem = null, partitions }] = namespaces;
    const loads = partitions.map((partition) => partition.loads);
    console.log(JSON.stringify({ values, here: answered - before, loads, isComplete, problem }));
  });
})();
`;

/** Makes a project of an application whose replicas are on disk, of the packed client. */
export function localProject(project: string): string {
  writeFileSync(join(project, 'package.json'), '{ "private": true, "name": "scratch" }');
  const install = ['install', '--offline', '--no-audit', '--no-fund', '--legacy-peer-deps', packed('client')];
  execFileSync('npm', install, { cwd: project, stdio: 'pipe' });
  for (const name of ['kafkajs', 'snappy', '@foxglove/wasm-zstd', 'classic-level']) link(project, name, name);
  writeFileSync(join(project, 'application.cjs'), script);
  return project;
}

/** Such an application in a process of its own. */
export class LocalProcess {
  private readonly child: ChildProcess;
  private readonly answers: AsyncIterator<string>;
  private said = '';

  /** `fileKiB`: no file of it may be longer, as on a disk that is full. */
  constructor(project: string, of: object, fileKiB?: number) {
    const limit = fileKiB === undefined ? '' : `trap '' XFSZ; ulimit -f ${fileKiB}; `;
    const command = `${limit}exec "$0" application.cjs "$1"`;
    this.child = spawn('bash', ['-c', command, process.execPath, JSON.stringify(of)], { cwd: project });
    this.child.stderr?.on('data', (bytes: Buffer) => (this.said += String(bytes)));
    this.answers = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
  }

  async ask(names: readonly string[]): Promise<Asked> {
    this.child.stdin?.write(`${JSON.stringify(names)}\n`);
    const { value, done } = await this.answers.next();
    if (done === true) throw new Error(`it has ended: ${this.said}`);
    return JSON.parse(value) as Asked;
  }

  /** Resolves with how it ended. */
  async end(how: 'close' | 'kill'): Promise<number | null> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return this.child.exitCode;
    const ended = once(this.child, 'exit') as Promise<[number | null]>;
    if (how === 'kill') this.child.kill('SIGKILL');
    else this.child.stdin?.write('close\n');
    const [code] = await ended;
    return code;
  }
}
