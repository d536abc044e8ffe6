import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { cutBefore } from './segment-file';

const startDeadlineMs = 90_000;
const commandDeadlineMs = 60_000;

export interface Ports {
  readonly brokers: readonly number[];
  readonly controllers: readonly number[];
}

/** What stands between the brokers and controllers of one Kafka. */
export interface Between {
  /** `host:port` that others are told, by node. */
  readonly brokers: readonly string[];
  readonly controllers: readonly string[];
  /** Called before anything starts. */
  leadTo(ports: Ports): void;
}

export interface KafkaWishes {
  /** As `startKafka` takes them. */
  readonly secure?: { readonly users: Readonly<Record<string, string>>; readonly clientCertificates?: boolean };
  readonly apart?: boolean;
  readonly host?: string;
  readonly between?: Between;
}

/** A Kafka of this suite alone, whose brokers may be killed and whose files may be damaged. */
export class KafkaProcess {
  brokers: readonly string[] = [];
  /** Ports of the listeners of `behind`, by their name, then by broker. */
  portsBehind: Readonly<Record<string, readonly number[]>> = {};
  dir = '';
  certificates: { readonly ca: string; readonly cert?: string; readonly key?: string } | undefined;
  private readonly answers: AsyncIterator<string>;
  private errors = '';
  private queue: Promise<unknown> = Promise.resolve();

  private constructor(private readonly child: ChildProcessWithoutNullStreams) {
    this.answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    child.stderr.on('data', (chunk: Buffer) => (this.errors += chunk.toString()));
    child.stdin.on('error', () => undefined);
  }

  /** `settings`: broker properties over those of tools/kafka. `behind`: as `startKafka` takes them. */
  static async start(
    nodes: 1 | 3,
    settings: Readonly<Record<string, string>> = {},
    behind: Readonly<Record<string, readonly string[]>> = {},
    { secure, apart = false, between, host }: KafkaWishes = {},
  ): Promise<KafkaProcess> {
    const tool = join(__dirname, '../../../tools/kafka/kafka.mjs');
    const wishes = ['--settings', JSON.stringify(settings), '--behind', JSON.stringify(behind)];
    if (secure !== undefined) wishes.push('--secure', JSON.stringify(secure));
    if (apart) wishes.push('--apart');
    if (host !== undefined) wishes.push('--host', host);
    if (between !== undefined) {
      const { brokers, controllers } = between;
      wishes.push('--between', JSON.stringify({ brokers, controllers }));
    }
    const kafka = new KafkaProcess(spawn(process.execPath, [tool, 'run', '--nodes', `${nodes}`, ...wishes]));
    let started = await kafka.answer('start', startDeadlineMs);
    // Again when a port was taken meanwhile.
    while (between !== undefined && started['prepared'] !== undefined) {
      between.leadTo(started['prepared'] as Ports);
      started = await kafka.answer('start', startDeadlineMs);
    }
    kafka.brokers = String(started['brokers']).split(',');
    kafka.portsBehind = started['portsBehind'] as Record<string, number[]>;
    kafka.dir = String(started['dir']);
    kafka.certificates = started['certificates'] as KafkaProcess['certificates'];
    return kafka;
  }

  /** Several at once where one of them would hear of the other's end. */
  kill(...nodes: readonly number[]): Promise<void> {
    return this.command(`kill ${nodes.join(',')}`);
  }

  /** Several at once where none of them can serve alone. */
  restart(...nodes: readonly number[]): Promise<void> {
    return this.command(`restart ${nodes.join(',')}`);
  }

  /** The one broker comes back without what these partitions of `topic` hold from an offset on. */
  async comeBackWithout(topic: string, fromOffsets: ReadonlyMap<number, number>): Promise<void> {
    await this.kill(1);
    for (const [partition, offset] of fromOffsets) await cutBefore(this.partitionFolder(topic, partition), offset);
    await this.restart(1);
  }

  pause(node: number): Promise<void> {
    return this.command(`pause ${node}`);
  }

  resume(node: number): Promise<void> {
    return this.command(`resume ${node}`);
  }

  /** Where the node keeps this partition. */
  partitionFolder(topic: string, partition: number, node = 1): string {
    return join(this.dir, `node-${node}`, 'data', `${topic}-${partition}`);
  }

  async stop(): Promise<void> {
    this.child.stdin.end();
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    await new Promise<void>((resolve) => this.child.once('exit', () => resolve()));
  }

  private command(line: string): Promise<void> {
    const run = async (): Promise<void> => {
      this.child.stdin.write(`${line}\n`);
      const answer = await this.answer(line, commandDeadlineMs);
      if (answer['done'] !== line) throw new Error(`${line}: ${JSON.stringify(answer)}`);
    };
    const done = this.queue.then(run);
    this.queue = done.catch(() => undefined);
    return done;
  }

  private async answer(what: string, deadlineMs: number): Promise<Record<string, unknown>> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(
        () => reject(new Error(`local Kafka: no answer to '${what}' in ${deadlineMs} ms`)),
        deadlineMs,
      );
    });
    try {
      const step = await Promise.race([this.answers.next(), late]);
      if (step.done === true) throw new Error(`local Kafka: ended before '${what}' was done\n${this.errors}`);
      return JSON.parse(step.value) as Record<string, unknown>;
    } finally {
      clearTimeout(timer);
    }
  }
}
