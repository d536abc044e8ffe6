// Kafka's jars and an empty, formatted metadata log, fetched or made once and kept in a cache folder outside git.
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));

/** Downloading 43 MB over a slow line; a warm Maven cache takes 3 s. */
const mavenDeadlineMs = 240_000;
const formatDeadlineMs = 60_000;

export function cacheFolder(env = process.env) {
  return env.LEVEE_CACHE_DIR ?? join(here, '..', '..', '.cache');
}

/**
 * The folder of Kafka's jars, filled by plain Maven when it is not there. `peers` adds Java's performance tools and
 * Kafka Streams in a folder of its own. Throws with one sentence that says what is missing.
 */
export async function kafkaJars({ peers = false, env = process.env } = {}) {
  const version = await kafkaVersion();
  const folder = join(cacheFolder(env), 'kafka', `${version}${peers ? '-peers' : ''}`);
  if (existsSync(folder)) return folder;
  const partial = `${folder}.${randomUUID()}`;
  await mkdir(partial, { recursive: true });
  const args = ['-q', '-B', '-f', join(here, 'pom.xml')];
  if (peers) args.push('-P', 'peers');
  args.push('dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${partial}`);
  try {
    await run('mvn', args, mavenDeadlineMs, 'install Maven 3.8 or newer, or set KAFKA_BROKERS to a running Kafka');
    await adopt(partial, folder);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return folder;
}

/**
 * `bootstrap.checkpoint` of a freshly formatted node: feature levels, the same for every cluster and node. Copying it
 * and writing `meta.properties` saves a JVM start (1 s) per broker.
 */
async function bootstrapCheckpoint({ env = process.env } = {}) {
  const jars = await kafkaJars({ env });
  const file = join(cacheFolder(env), 'kafka', `${await kafkaVersion()}.bootstrap.checkpoint`);
  if (!existsSync(file)) await writeCheckpoint(file, jars, []);
  return file;
}

/** `users`: as `--add-scram` takes them. */
async function writeCheckpoint(file, jars, users) {
  const scratch = `${file}.${randomUUID()}`;
  await mkdir(scratch, { recursive: true });
  try {
    const properties = join(scratch, 'server.properties');
    await writeFile(
      properties,
      [
        'process.roles=broker,controller',
        'node.id=1',
        'controller.quorum.voters=1@127.0.0.1:9093',
        'listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093',
        'controller.listener.names=CONTROLLER',
        `log.dirs=${join(scratch, 'data')}`,
      ].join('\n'),
    );
    const args = [
      '-Xmx128m',
      '-XX:TieredStopAtLevel=1',
      '-XX:+UseSerialGC',
      '-cp',
      join(jars, '*'),
      'kafka.tools.StorageTool',
      'format',
      '-t',
      kafkaUuid(),
    ];
    const scram = users.flatMap((user) => ['--add-scram', user]);
    await run('java', [...args, '-c', properties, ...scram], formatDeadlineMs, javaMend);
    await rename(join(scratch, 'data', 'bootstrap.checkpoint'), file);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Makes `folder` look as `StorageTool format` leaves it; `users` with SCRAM as `--add-scram` takes them. */
export async function formatFolder(folder, { clusterId, nodeId, env, users = [] }) {
  await mkdir(folder, { recursive: true });
  const checkpoint = join(folder, 'bootstrap.checkpoint');
  if (users.length > 0) await writeCheckpoint(checkpoint, await kafkaJars({ env }), users);
  else await cp(await bootstrapCheckpoint({ env }), checkpoint);
  const meta = { version: 1, 'cluster.id': clusterId, 'node.id': nodeId, 'directory.id': kafkaUuid() };
  await writeFile(
    join(folder, 'meta.properties'),
    Object.entries(meta)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
}

/** Kafka's Uuid: 16 bytes in URL-safe base64, not beginning with a dash (its command line would take it as an option). */
export function kafkaUuid() {
  for (;;) {
    const text = Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url');
    if (!text.startsWith('-')) return text;
  }
}

export const javaMend = 'install Java 17 or newer, or set KAFKA_BROKERS to a running Kafka';

async function kafkaVersion() {
  const pom = await readFile(join(here, 'pom.xml'), 'utf8');
  const version = /<kafka\.version>([^<]+)</.exec(pom)?.[1];
  if (version === undefined) throw new Error('tools/kafka/pom.xml names no kafka.version');
  return version;
}

/** Several processes may fill the cache at once: the first rename wins, the others use what it put there. */
async function adopt(partial, folder) {
  try {
    await rename(partial, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  }
}

function run(command, args, deadlineMs, mend) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk) => (output = (output + chunk).slice(-4000));
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`local Kafka: '${command}' did not finish within ${deadlineMs} ms\n${output}`));
    }, deadlineMs);
    child.on('error', (error) => {
      clearTimeout(timer);
      const missing = error.code === 'ENOENT' ? `'${command}' is not on the PATH: ${mend}` : error.message;
      reject(new Error(`local Kafka: ${missing}`));
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      if (code === 0) resolve(output);
      else reject(new Error(`local Kafka: '${command} ${args.join(' ')}' ended with ${code}\n${output}`));
    });
  });
}
