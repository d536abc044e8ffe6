import { type ChildProcess, fork } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import Redis from 'ioredis';
import { withCodeCache } from './built-app';
import { within } from './deadline';
import { type Doors, freePorts } from './standalone-process';

/** What is known to be true of the data folder: keys with their values, and keys that were deleted. */
export interface KnownKeys {
  readonly values: ReadonlyMap<string, string>;
  readonly deleted: readonly string[];
}

export const damageKinds = ['byte', 'cut', 'lost', 'zeroed'] as const;
type DamageKind = (typeof damageKinds)[number];

export interface Damage {
  readonly kind: DamageKind;
  /** Below the data folder. */
  readonly file: string;
  /** First byte that was changed, cut or zeroed. */
  readonly at: number;
}

/** What became of one damage. `wrong` must never have an entry. */
export interface Outcome {
  readonly damage: Damage;
  /** Answers that were untrue, as texts. */
  readonly wrong: readonly string[];
  /** Keys of which the store said that it cannot answer. */
  readonly refused: number;
  /** Why it did not start, in its own words. */
  readonly notStarted: string | undefined;
  /** What doctor, ready and the log of the process named. */
  readonly named: readonly string[];
  /** How often it ended the process. */
  readonly ended: number;
  readonly rebuilds: number;
  readonly setAside: number;
}

/** Files whose bytes are nobody's truth: locks and notes for people. */
const idle = /(^|\/)(LOCK|LOG|LOG\.old|doors\.json)$/;

/** One damage to one file of the folder (units, log, and what else there is), by the dice. */
function strike(folder: string, dice: () => number): Damage {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .filter((file) => !idle.test(file))
    .sort();
  const below = (count: number): number => Math.floor(dice() * count);
  for (;;) {
    const file = files[below(files.length)] as string;
    const path = join(folder, file);
    const { size } = statSync(path);
    const draw = dice();
    const kind: DamageKind = draw < 0.7 ? 'byte' : draw < 0.85 ? 'cut' : draw < 0.93 ? 'lost' : 'zeroed';
    if (kind === 'lost') {
      unlinkSync(path);
      return { kind, file, at: 0 };
    }
    if (size === 0) continue;
    const at = below(size);
    if (kind === 'cut') {
      truncateSync(path, at);
      return { kind, file, at };
    }
    const bytes = readFileSync(path);
    if (kind === 'byte') bytes[at] = (bytes[at] as number) ^ (1 << below(8));
    else bytes.fill(0);
    writeFileSync(path, bytes);
    return { kind, file, at: kind === 'byte' ? at : 0 };
  }
}

const limits = { startMs: 60_000, stopMs: 30_000, askMs: 20_000 } as const;

interface Answer {
  readonly ok: boolean;
  readonly code?: string;
  readonly message?: string;
}

/** The standalone in a child process that outlives many starts of it. */
class Runner {
  private child: ChildProcess | undefined;
  output = '';

  /** Resolves to what was said; `ended` when the process is no more. */
  async tell(message: object, deadlineMs: number): Promise<Answer | 'ended'> {
    const child = this.running();
    return within(
      `an answer of the standalone to ${Object.keys(message).join()}`,
      deadlineMs,
      new Promise((resolve) => {
        const done = (answer: Answer | 'ended'): void => {
          child.off('message', done).off('exit', gone);
          resolve(answer);
        };
        const gone = (): void => {
          this.child = undefined;
          done('ended');
        };
        child.once('message', done).once('exit', gone);
        child.send(message);
      }),
    );
  }

  kill(): void {
    this.child?.kill('SIGKILL');
    this.child = undefined;
  }

  private running(): ChildProcess {
    if (this.child !== undefined) return this.child;
    const child = fork(join(__dirname, 'damage-runner.cjs'), [], {
      execArgv: [...withCodeCache],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { PATH: process.env.PATH, UV_THREADPOOL_SIZE: '4', LEVEE_LOG_LEVEL: 'warn' },
    });
    const keep = (chunk: Buffer): void => void (this.output = (this.output + chunk.toString()).slice(-100_000));
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    return (this.child = child);
  }
}

/** Strikes copies of one data folder, starts the store on each, and asks it everything. */
export class DamageCampaign {
  private readonly runner = new Runner();

  constructor(
    private readonly pristine: string,
    private readonly scratch: string,
    private readonly known: KnownKeys,
    private readonly env: Readonly<Record<string, string>>,
  ) {}

  async strikeOnce(dice: () => number): Promise<Outcome> {
    const folder = join(this.scratch, 'struck');
    rmSync(folder, { recursive: true, force: true });
    cpSync(this.pristine, folder, { recursive: true });
    return this.judge(folder, strike(folder, dice));
  }

  close(): void {
    this.runner.kill();
  }

  /** Starts the store on a folder that was damaged, and judges all it says. */
  private async judge(folder: string, damage: Damage): Promise<Outcome> {
    const { runner } = this;
    runner.output = '';
    let ended = 0;
    let answer: Answer | 'ended' = 'ended';
    for (; ended < 3; ended++) {
      answer = await runner
        .tell({ start: { ...freePorts, ...this.env, LEVEE_DATA_DIR: folder } }, limits.startMs)
        .catch(() => 'ended');
      if (answer !== 'ended') break;
      runner.kill();
    }
    const outcome = { damage, wrong: [] as string[], refused: 0, named: [] as string[], rebuilds: 0, setAside: 0 };
    if (answer === 'ended' || !answer.ok) {
      const notStarted = answer === 'ended' ? `the process ended ${ended} times` : `${answer.code}: ${answer.message}`;
      // Only a failure with a code says what is damaged.
      const isNamed = answer !== 'ended' && /^[A-Z_]+$/.test(answer.code ?? '');
      return { ...outcome, ended, notStarted, named: isNamed ? [notStarted] : [] };
    }
    const doors = JSON.parse(readFileSync(join(folder, 'doors.json'), 'utf8')) as Doors;
    outcome.refused = await this.ask(doors, outcome.wrong);
    for (const { http } of doors.nodes) {
      const stat = (await getJson(`${http}/v1/node`)) as { replicas: { problem: string | null }[]; setAside: object[] };
      outcome.setAside += stat.setAside.length;
      outcome.named.push(...stat.replicas.flatMap(({ problem }) => (problem === null ? [] : [problem])));
    }
    if (outcome.refused > 0) {
      const { findings } = (await getJson(`${doors.http}/v1/doctor`)) as { findings: { finding: string }[] };
      outcome.named.push(...findings.map(({ finding }) => finding));
    }
    outcome.rebuilds = (runner.output.match(/rebuilding a replica/g) ?? []).length;
    const stopped = await runner.tell({ stop: true }, limits.stopMs).catch(() => 'ended' as const);
    if (stopped === 'ended') {
      ended++;
      runner.kill();
    }
    return { ...outcome, ended, notStarted: undefined };
  }

  /** Every key at every consistency, and a scan; how many answers were refused. */
  private async ask(doors: Doors, wrong: string[]): Promise<number> {
    const redis = new Redis(Number(doors.resp.split(':').pop()), '127.0.0.1', { retryStrategy: () => null });
    redis.on('error', () => undefined);
    let refused = 0;
    const { values, deleted } = this.known;
    const all = [...values.keys(), ...deleted];
    try {
      for (const consistency of ['eventual', 'session', 'strong']) {
        await redis.call('LV.CONSISTENCY', consistency);
        const pipeline = redis.pipeline();
        for (const key of all) pipeline.get(key);
        const answers = await within(`answers (${consistency})`, limits.askMs, pipeline.exec());
        answers?.forEach(([error, value], i) => {
          const key = all[i] as string;
          if (error !== null) refused++;
          else judgeKey(key, value as string | null, values, consistency, wrong);
        });
      }
      refused += await within('a scan', limits.askMs, this.scan(redis, wrong));
    } finally {
      redis.disconnect();
    }
    return refused;
  }

  private async scan(redis: Redis, wrong: string[]): Promise<number> {
    const seen = new Set<string>();
    let cursor = '0';
    try {
      do {
        const [next, keys] = await redis.scan(cursor, 'COUNT', 1_000);
        for (const key of keys) seen.add(key);
        cursor = next;
      } while (cursor !== '0');
    } catch {
      return 1;
    }
    for (const key of this.known.values.keys()) if (!seen.has(key)) wrong.push(`scan: ${key} is not in it`);
    for (const key of this.known.deleted) if (seen.has(key)) wrong.push(`scan: ${key} came back`);
    return 0;
  }
}

function judgeKey(
  key: string,
  value: string | null,
  values: ReadonlyMap<string, string>,
  consistency: string,
  wrong: string[],
): void {
  const expected = values.get(key) ?? null;
  if (value === expected) return;
  if (value === null) wrong.push(`${consistency}: ${key} is silently absent`);
  else if (expected === null) wrong.push(`${consistency}: ${key} came back as ${value.slice(0, 40)}`);
  else wrong.push(`${consistency}: ${key} is ${value.slice(0, 40)}, not ${expected.slice(0, 40)}`);
}

async function getJson(url: string): Promise<unknown> {
  const answer = await fetch(url.startsWith('http') ? url : `http://${url}`, {
    signal: AbortSignal.timeout(limits.askMs),
  });
  return answer.json();
}
