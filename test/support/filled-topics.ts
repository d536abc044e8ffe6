import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type Redis from 'ioredis';
import { within } from './deadline';
import { kafkaJars } from './kafka-jars';

const program = join(__dirname, '..', 'interop', 'topics', 'FillTopics.java');

/** What a producer says that its topic holds. */
export interface Account {
  readonly topic: string;
  /** Everything that was sent: what was aborted, and what has no key, too. */
  readonly written: number;
  readonly aborted: number;
  readonly withoutKey: number;
  readonly badExpiry: number;
  /** Keys that hold a value. */
  readonly keys: number;
  /** Of every key with its value, see `sumOf`. */
  readonly sum: string;
}

/** Java's producer, which writes to several topics as `FillTopics.java` says and keeps account of what they hold. */
export class FilledTopics {
  private readonly lines: AsyncIterator<string>;
  private errors = '';

  private constructor(
    private readonly child: ChildProcessWithoutNullStreams,
    private readonly topics: number,
  ) {
    this.lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    child.stderr.on('data', (chunk: Buffer) => (this.errors = (this.errors + chunk.toString()).slice(-20_000)));
    child.stdin.on('error', () => undefined);
  }

  /** `codecs`: by topic. Each gets `records` now, and as many with each `more`. */
  static async start(
    brokers: string,
    { codecs, records, seed }: { codecs: ReadonlyMap<string, string>; records: number; seed: number },
  ): Promise<FilledTopics> {
    const topics = [...codecs].map(([topic, codec]) => `${topic}=${codec}`);
    const memory = ['-Xmx1g', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];
    const args = ['-cp', join(await kafkaJars(), '*'), program, brokers, `${seed}`, `${records}`, ...topics];
    return new FilledTopics(spawn('java', [...memory, ...args]), topics.length);
  }

  /** What each topic holds once everything is acknowledged that was asked for. */
  async accounts(deadlineMs: number): Promise<Account[]> {
    const read = async (): Promise<Account[]> => {
      const accounts: Account[] = [];
      while (accounts.length < this.topics) {
        const line = await this.lines.next();
        if (line.done === true) throw new Error(`the producer ended\n${this.errors}`);
        accounts.push(JSON.parse(line.value) as Account);
      }
      return accounts;
    };
    return within('topics are filled', deadlineMs, read());
  }

  more(): void {
    this.child.stdin.write('\n');
  }

  async end(): Promise<number | null> {
    if (this.child.exitCode !== null) return this.child.exitCode;
    const ended = new Promise<number | null>((resolve) => this.child.once('exit', resolve));
    this.child.stdin.end();
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 20_000);
    const code = await ended;
    clearTimeout(timer);
    return code;
  }
}

/** Of every key that a scan finds, with the value that `MGET` gives: how many, and the sum that producers make of theirs. */
export async function sumOf(client: Redis): Promise<Pick<Account, 'keys' | 'sum'>> {
  let keys = 0;
  let sum = 0n;
  for (let cursor = '0', first = true; first || cursor !== '0'; first = false) {
    const [next, page] = await client.scanBuffer(cursor, 'COUNT', 1_000);
    cursor = next.toString();
    if (page.length === 0) continue;
    for (const [at, value] of (await client.mgetBuffer(...page)).entries()) {
      const key = page[at] as Buffer;
      if (value === null) throw new Error(`a scan gives ${key.toString('hex')}, which has no value`);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(key.length);
      sum += createHash('sha256').update(length).update(key).update(value).digest().readBigInt64BE();
      keys++;
    }
  }
  return { keys, sum: BigInt.asUintN(64, sum).toString() };
}
