import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { eventually } from './deadline';
import { freePorts, scratchFolder } from './standalone-process';
import { type Step, stepsOf, withOutputs } from './walked-page';

/** A page of commands that somebody alone on a machine types, each with what it prints. */
export interface PageOfCommands {
  /** In docs. */
  readonly name: string;
  readonly tasks: number;
  /** Topics of Kafka that the page makes, besides those of Levee. */
  readonly topics?: readonly string[];
  /** What is another one each time on this page, besides what is so on all, and what stands for it in a comparison. */
  readonly varies?: readonly Varying[];
}

export type Varying = readonly [found: RegExp, stands: string];

/**
 * Types what stands in the page, block by block, and compares what is printed; UPDATE_DOCS=1 writes it there. This is put
 * in place of what the page says: free ports for the usual ones, a scratch folder for `.levee`, a topic prefix and the
 * Kafka of KAFKA_BROKERS for the one that a cluster brings along, and the built command line for `npm run -s levee --`,
 * which would look for changes of the sources each time. A machine without redis-cli gets one of a few lines.
 */
export function walkThrough(page: PageOfCommands): void {
  const file = join(root, 'docs', page.name);
  const text = readFileSync(file, 'utf8');
  const steps = stepsOf(text);
  const tasks = [...new Set(steps.map(({ task }) => task))];

  describe(`docs/${page.name}`, () => {
    const walk = new PageWalk(page);

    beforeAll(() => {
      if (brokers === '') throw new Error('KAFKA_BROKERS is not set: npm test starts a Kafka');
    });

    afterAll(async () => {
      await walk.end();
      if (update) writeFileSync(file, withOutputs(text, steps, walk.outputs));
    }, 90_000);

    it(`has ${page.tasks} tasks`, () => expect(tasks.length).toBe(page.tasks));

    it.each(tasks)(
      '%s',
      async (task) => {
        for (const step of steps.filter((each) => each.task === task)) {
          const output = await walk.take(step);
          walk.outputs.push(output);
          if (update) continue;
          const compared = (said: string): string => withoutVarying(step, said, page.varies ?? []);
          expect([step.command, compared(output)]).toEqual([step.command, compared(step.output ?? '')]);
        }
      },
      120_000,
    );
  });
}

const root = join(__dirname, '..', '..');
const update = process.env['UPDATE_DOCS'] === '1';
const brokers = process.env['KAFKA_BROKERS'] ?? '';
const hasRedisCli = spawnSync('redis-cli', ['--version']).status === 0;
const commandDeadlineMs = 90_000;
const untilDeadlineMs = 90_000;

/** What is another one each time, and what stands for it in a comparison. */
const variesEverywhere: readonly Varying[] = [
  [/^( {2}(?:portal|node|master|dispatcher) +[a-z]\d) +\d+/gm, '$1 PID'],
  [/^( {2}kafka +)(?:k1 +\d+|- +-) /gm, '$1KAFKA '],
  [/kill -9 \d+/g, 'kill -9 PID'],
  [/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME'],
  [/\b1[789]\d{11}\b/g, 'MS'],
  [/^(Date|levee-session|levee-position): .*$/gim, '$1: …'],
  [/^\d+:\d+\t/gm, 'POSITION\t'],
  [/"offset":\d+/g, '"offset":N'],
  [/\b[0-9a-f]{8}-[0-9a-f-]{27}\b/g, 'UUID'],
  [/\bp\d{1,4}\b(?=  | goes| is| \()/g, 'PLAN'],
  [/\b(decision|version|offset|term):? \d+/g, '$1 N'],
  [/ (proposed|running)(?= {2}\(operator\))/g, ' UNDER WAY'],
  [/\b\d+ bytes\b/g, 'N bytes'],
  [/about \d+ (s|min)\b/g, 'about N s'],
  [/\b(looked at) \d+ topics/g, '$1 N topics'],
  [/ {2,}/g, '  '],
  [/[ \t]+$/gm, ''],
];

/** A time to live counts down while nobody looks; a watched plan may be quicker than the watch. */
function withoutVarying({ command }: Step, output: string, varies: readonly Varying[]): string {
  const plain = [...varies, ...variesEverywhere].reduce(
    (text, [what, stands]) => text.replace(what, stands),
    output.trimEnd(),
  );
  if (/\bTTL\b/.test(command)) return plain.replace(/\b\d+$/m, 'N');
  if (!command.includes('--watch')) return plain;
  const lines = plain.split('\n');
  return [lines[0], lines.at(-1)].join('\n');
}

/** What one of the two stores of the page is: its process, its folder, and its ports beside the usual ones. */
interface Store {
  readonly child: ChildProcess;
  printed: string;
  ports: ReadonlyArray<readonly [usual: number, real: number]>;
}

interface Noted {
  readonly pid: number;
  readonly [door: string]: unknown;
}

const usualPorts: Record<string, number> = { resp: 7379, http: 7380, master: 7381, dispatcher: 7382 };

class PageWalk {
  readonly dir: string;
  readonly outputs: string[] = [];
  private store: Store | undefined;
  private readonly beside: ChildProcess[] = [];
  private readonly functions: string[] = [];
  private readonly path: string;
  private readonly prefix: string;
  private readonly topics: readonly string[];

  constructor({ name, topics = [] }: PageOfCommands) {
    const short = name.replace(/\.md$/, '');
    this.dir = scratchFolder(short);
    this.path = [join(this.dir, 'bin'), process.env['PATH'] ?? ''].join(':');
    this.prefix = update ? 'levee' : `${short}-${process.pid}`;
    this.topics = topics;
    mkdirSync(join(this.dir, 'bin'));
    if (!hasRedisCli) symlinkSync(join(root, 'test/support/redis-cli.cjs'), join(this.dir, 'bin', 'redis-cli'));
  }

  async take(step: Step): Promise<string> {
    const { command, until } = step;
    if (command === 'npm start') return this.standalone();
    if (command === 'npm run cluster') return this.cluster();
    if (command.endsWith('&')) return this.start(command);
    if (/^\w+\(\) \{/.test(command)) this.functions.push(command);
    if (until === undefined) return this.run(command);
    return eventually(
      `${command} says ${until}`,
      async () => {
        const said = await this.run(command);
        if (!said.includes(until)) throw new Error(said);
        return said;
      },
      untilDeadlineMs,
      300,
    );
  }

  async end(): Promise<void> {
    for (const child of this.beside) if (child.exitCode === null) process.kill(-(child.pid as number), 'SIGTERM');
    await this.stop();
    for (const child of this.beside)
      await eventually('it ends', () => child.exitCode !== null || child.signalCode !== null);
    rmSync(this.dir, { recursive: true, force: true });
    await this.deleteTopics();
  }

  private async deleteTopics(): Promise<void> {
    if (this.topics.length === 0) return;
    const admin = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    const made = await admin.listTopics();
    const topics = this.topics.map((topic) => this.own(topic)).filter((topic) => made.includes(topic));
    if (topics.length > 0) await admin.deleteTopics({ topics });
    await admin.disconnect();
  }

  /** Ctrl-C in the first terminal, and what then comes to an end. */
  private async stop(): Promise<void> {
    const store = this.store;
    if (store === undefined) return;
    this.store = undefined;
    store.child.kill('SIGINT');
    const ended = (): boolean => store.child.exitCode !== null || store.child.signalCode !== null;
    await eventually('it stops', ended, commandDeadlineMs).catch(() => store.child.kill('SIGKILL'));
    expect([store.child.exitCode, store.printed.slice(-2000)]).toEqual([expect.any(Number), expect.anything()]);
  }

  private async standalone(): Promise<string> {
    await this.stop();
    const main = [join(root, 'dist/apps/standalone/src/main.js')];
    const store = this.spawn(main, {
      LEVEE_LOG_LEVEL: 'warn',
      LEVEE_TOPIC_PREFIX: this.prefix,
      ...(update ? {} : freePorts),
    });
    await this.until(store, 'Ctrl-C');
    const doors = JSON.parse(readFileSync(join(this.dir, 'doors.json'), 'utf8')) as Noted;
    const nodes = doors['nodes'] as ReadonlyArray<{ resp: string; http: string }>;
    store.ports = [
      ...Object.entries(usualPorts).map(([door, usual]) => [usual, portOf(String(doors[door]))] as const),
      ...nodes.flatMap(({ resp, http }, i) => [[7400 + i, portOf(resp)] as const, [7500 + i, portOf(http)] as const]),
    ];
    return this.asInPage(store.printed.slice(store.printed.indexOf('Levee serves.')));
  }

  private async cluster(): Promise<string> {
    await this.stop();
    const args = [
      '--no-build',
      '--brokers',
      brokers,
      '--dir',
      join(this.dir, 'cluster'),
      ...(update ? [] : ['--any-ports']),
    ];
    const store = this.spawn([join(root, 'tools/cluster.mjs'), ...args], { LEVEE_TOPIC_PREFIX: this.prefix });
    await this.until(store, 'Ctrl+C');
    const { portals, nodes, masters, dispatchers } = JSON.parse(
      readFileSync(join(this.dir, 'cluster', 'cluster.json'), 'utf8'),
    ) as Record<string, ReadonlyArray<{ resp: string; http: string }>>;
    const pairs = (of: typeof nodes, resp: number, http: number, step: number) =>
      (of ?? []).flatMap((each, i) => [
        ...(resp === 0 ? [] : [[resp + i * step, portOf(each.resp)] as const]),
        [http + i * step, portOf(each.http)] as const,
      ]);
    store.ports = [
      ...pairs(portals, 7379, 7380, 10),
      ...pairs(nodes, 7400, 7500, 1),
      ...pairs(masters, 0, 7381, 10),
      ...pairs(dispatchers, 0, 7382, 10),
      [9092, portOf(brokers)],
    ];
    return this.asInPage(store.printed.slice(store.printed.indexOf('a cluster')));
  }

  private spawn(args: readonly string[], settings: Record<string, string>): Store {
    const env = { PATH: process.env['PATH'], LEVEE_DATA_DIR: this.dir, UV_THREADPOOL_SIZE: '4', ...settings };
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], env });
    const store: Store = { child, printed: '', ports: [] };
    const keep = (bytes: Buffer): void => void (store.printed += bytes.toString('utf8'));
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    this.store = store;
    return store;
  }

  private until(store: Store, words: string): Promise<unknown> {
    const ready = (): boolean => {
      if (store.child.exitCode !== null) throw new Error(`it ended\n${store.printed}`);
      return store.printed.includes(words) && store.printed.endsWith('\n');
    };
    return eventually(`it prints ${words}`, ready, commandDeadlineMs);
  }

  /** Runs a block as one script; what it prints on both ways, in the words of the page. */
  private async run(command: string): Promise<string> {
    const child = this.bash(command);
    let printed = '';
    const keep = (bytes: Buffer): void => void (printed += bytes.toString('utf8'));
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    const timer = setTimeout(() => child.kill('SIGKILL'), commandDeadlineMs);
    await new Promise((resolve, reject) => child.once('close', resolve).once('error', reject));
    clearTimeout(timer);
    return this.asInPage(printed);
  }

  private start(command: string): string {
    this.beside.push(this.bash(command.replace(/ *&$/, '')));
    return '';
  }

  private bash(command: string): ChildProcess {
    const script = [...this.functions, command].join('\n');
    const env = { PATH: this.path, LEVEE_DATA_DIR: this.dir, LEVEE_TOPIC_PREFIX: this.prefix };
    const options = { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] as ['ignore', 'pipe', 'pipe'], env, detached: true };
    return spawn('bash', ['-c', this.asHere(script)], options);
  }

  private asHere(script: string): string {
    const direct = script.replaceAll('npm run -s levee --', `node ${join(root, 'tools/levee.cjs')}`);
    const placed = direct
      .replace(/(?<=[ =/'"])(\.\/)?\.levee\b/g, this.dir)
      .replace(/\blevee(?=\.binlog)/g, this.prefix)
      .replace(/(?<=topic:? '?|produce )\w+/g, (topic) => (this.topics.includes(topic) ? this.own(topic) : topic));
    return this.swapped(placed, ([usual, real]) => [usual, real]);
  }

  private asInPage(printed: string): string {
    const plain = printed.replaceAll('\r', '').replaceAll(this.dir, '/home/you/levee/.levee');
    const topics = this.topics.reduce((text, topic) => text.replaceAll(this.own(topic), topic), plain);
    const placed = topics.replaceAll(`${this.prefix}.`, 'levee.');
    return this.swapped(placed, ([usual, real]) => [real, usual]);
  }

  /** Beside those of other runs on the same Kafka. */
  private own(topic: string): string {
    return update ? topic : `${this.prefix}-${topic}`;
  }

  private swapped(text: string, pair: (ports: readonly [number, number]) => [number, number]): string {
    const by = new Map((this.store?.ports ?? []).map(pair));
    return text.replace(/(?<=-p |[:(=])\d{4,5}\b/g, (port) => String(by.get(Number(port)) ?? port));
  }
}

const portOf = (address: string): number => Number(address.split(':').pop());
