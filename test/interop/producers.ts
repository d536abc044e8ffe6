import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { cache, pythonWithVenv, said } from './clients';

/** A folder of examples/producers, or one of two programs in it. */
export interface ExampleProducer {
  readonly client: string;
  readonly version: string;
  readonly language: string;
  /** Below examples/producers. */
  readonly folder: string;
  readonly program: string;
  /** How its partitioner is that of the namespace. */
  readonly partitioner: string;
  /** Who writes Avro. */
  readonly avro: string;
  /** Whether it writes and compares the optional crc. */
  readonly crc: boolean;
  /** False where the client's partitioner cannot be called by itself: only what it produced shows where it puts keys. */
  readonly asked: boolean;
  readonly needs?: readonly [program: string, probe: string | readonly string[], install: string];
  /** What a reader types to build it, in the folder; the last of them is run with `prepare`. */
  readonly build: readonly string[];
  readonly command: (built: string) => readonly [program: string, ...args: string[]];
}

/** librdkafka from its sources is what takes long: about a minute and a half on two idle cores. */
const buildMs = 600_000;

export const examplesFolder = join(__dirname, '..', '..', 'examples', 'producers');

const node = (
  client: string,
  version: string,
  facts: Pick<ExampleProducer, 'program' | 'partitioner'>,
): ExampleProducer => ({
  client,
  version,
  language: 'Node.js',
  folder: 'node',
  avro: 'avsc',
  crc: false,
  asked: true,
  build: ['npm ci --ignore-scripts'],
  command: (built) => [process.execPath, join(built, facts.program)],
  ...facts,
});

const python = (
  client: string,
  version: string,
  facts: Pick<ExampleProducer, 'program' | 'partitioner' | 'asked'>,
): ExampleProducer => ({
  client,
  version,
  language: 'Python',
  folder: 'python',
  avro: 'fastavro',
  crc: false,
  needs: pythonWithVenv,
  build: ['python3 -m venv .venv', '.venv/bin/pip install --quiet --require-hashes -r requirements.txt'],
  command: (built) => [join(built, '.venv', 'bin', 'python'), join(built, facts.program)],
  ...facts,
});

const go = (
  client: string,
  version: string,
  facts: Pick<ExampleProducer, 'program' | 'partitioner'>,
): ExampleProducer => ({
  client,
  version,
  language: 'Go',
  folder: 'go',
  avro: 'by hand',
  crc: true,
  asked: true,
  needs: ['go', 'version', 'Go 1.26 or newer'],
  build: ['go build -o bin/ ./...'],
  command: (built) => [join(built, 'bin', facts.program.replace('/main.go', ''))],
  ...facts,
});

export const exampleProducers: readonly ExampleProducer[] = [
  {
    client: 'kafka-clients',
    version: '4.2.0',
    language: 'Java',
    folder: 'java',
    program: 'src/main/java/levee/Orders.java',
    partitioner: 'the default',
    avro: 'Apache Avro',
    crc: true,
    asked: true,
    needs: ['mvn', '--version', 'Java 17 and Maven'],
    build: ['mvn -q -B package'],
    command: (built) => [
      'java',
      '-cp',
      `${join(built, 'target', 'classes')}:${join(built, 'target', 'lib', '*')}`,
      'levee.Orders',
    ],
  },
  python('confluent-kafka', '2.16.1', {
    program: 'with_confluent_kafka.py',
    partitioner: '`partitioner=murmur2_random`',
    asked: false,
  }),
  python('kafka-python', '3.0.12', { program: 'with_kafka_python.py', partitioner: 'the default', asked: true }),
  go('franz-go', '1.22.3', { program: 'franz/main.go', partitioner: 'the default' }),
  go('sarama', '1.61.1', { program: 'sarama/main.go', partitioner: '`sarama.NewMurmur2Partitioner`' }),
  {
    client: 'rdkafka',
    version: '0.39.0',
    language: 'Rust',
    folder: 'rust',
    program: 'src/main.rs',
    partitioner: '`partitioner=murmur2_random`',
    avro: 'by hand',
    crc: true,
    asked: true,
    needs: ['cargo', '--version', 'Rust 1.88 or newer, and make and a C compiler for librdkafka'],
    build: ['cargo build --quiet --locked'],
    command: (built) => [join(built, 'target', 'debug', 'levee-producers')],
  },
  node('kafkajs', '2.2.4', { program: 'kafkajs.mjs', partitioner: '`Partitioners.DefaultPartitioner`' }),
  node('@platformatic/kafka', '1.35.0', {
    program: 'platformatic.mjs',
    partitioner: '`partitioner: compatibilityPartitioner`',
  }),
];

/** A program that knows nothing of Levee: plain values, by its client's own partitioner. */
export interface PlainProducer {
  readonly example: ExampleProducer;
  /** Below examples/producers. */
  readonly program: string;
  readonly hashAlgorithm: 'murmur2' | 'crc32' | 'fnv1a';
  readonly compression: string;
  readonly command: (built: string) => readonly [program: string, ...args: string[]];
}

const exampleOf = (wanted: string): ExampleProducer => {
  const found = exampleProducers.find(({ client }) => client === wanted);
  if (found === undefined) throw new Error(`no example uses ${wanted}`);
  return found;
};

export const plainProducers: readonly PlainProducer[] = [
  {
    example: exampleOf('kafka-clients'),
    program: 'java/src/main/java/levee/Prices.java',
    hashAlgorithm: 'murmur2',
    compression: 'snappy',
    command: (built) => [
      'java',
      '-cp',
      `${join(built, 'target', 'classes')}:${join(built, 'target', 'lib', '*')}`,
      'levee.Prices',
    ],
  },
  {
    example: exampleOf('confluent-kafka'),
    program: 'python/prices.py',
    hashAlgorithm: 'crc32',
    compression: 'lz4',
    command: (built) => [join(built, '.venv', 'bin', 'python'), join(built, 'prices.py')],
  },
  {
    example: exampleOf('sarama'),
    program: 'go/prices/main.go',
    hashAlgorithm: 'fnv1a',
    compression: 'gzip',
    command: (built) => [join(built, 'bin', 'prices')],
  },
];

/** Builds a copy of the example's folder, so that the tree stays as it is, and gives the copy. */
export async function built({ folder, build }: ExampleProducer): Promise<string> {
  const copy = cache(`producers-${folder}`);
  cpSync(join(examplesFolder, folder), copy, { recursive: true });
  // The copy stands alone as in a reader's hands: what this project asks of its own packages does not hold there.
  const env = { npm_config_engine_strict: 'false' };
  for (const line of build) {
    if (line.includes('-m venv') && existsSync(join(copy, '.venv'))) continue;
    const [program = '', ...args] = line.split(' ');
    await said(program.startsWith('.') ? join(copy, program) : program, args, { cwd: copy, env, timeoutMs: buildMs });
  }
  return copy;
}
