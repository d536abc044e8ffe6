import { spawn, type ChildProcess } from 'node:child_process';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { encodePut } from '@levee/codec';
import { readCopies } from '@levee/journal';
import { crc32 } from '@levee/kernel';
import { hashOf, partitionOf } from '@levee/keyspace';
import { systemClock } from '@levee/log';
import { KafkaLog } from '@levee/log-kafka';
import Redis from 'ioredis';
import { Kafka, logLevel, type Message, Partitioners, type Producer } from 'kafkajs';
import { builtApp } from '../support/built-app';
import { tell } from '../support/counts';
import { eventually } from '../support/deadline';
import { drawnOne } from '../support/drawn';
import { type CommandResult, leveeWith } from '../support/levee-command';
import { full } from '../support/seed';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';
const brokers = (process.env.KAFKA_BROKERS ?? '').split(',');
const prefix = `repartition${process.pid}`;
const partitions = 8;
const keyCount = full ? 6_000 : 1_500;
const root = join(__dirname, '..', '..');

type Format = 'put' | 'raw';
interface Done {
  readonly keys: number;
  readonly home: number;
  readonly records: number;
  readonly restored: number;
  readonly strayed: number;
  readonly stays: Readonly<Record<string, number>>;
}

/** A team's producer has the default partitioner of librdkafka; the namespace is placed by that of Java. */
describe.each(drawnOne<Format>('repartition, records', ['raw', 'put']))(
  'a producer wrote into wrong partitions of a %s namespace',
  (format) => {
    const name = `${format}.prices`;
    const topic = `${prefix}${format}.binlog.${name}`;
    const serverEnv = { KAFKA_BROKERS: brokers.join(','), LEVEE_TOPIC_PREFIX: `${prefix}${format}` };
    const kafka = new Kafka({ clientId: 'prices', brokers, logLevel: logLevel.NOTHING });
    const keys = Array.from({ length: keyCount }, (_, n) => `item:${n}`);
    const astrayOf = (key: string): number => crc32(Buffer.from(key)) % partitions;
    const isAstray = (key: string): boolean =>
      astrayOf(key) !== partitionOf(hashOf(Buffer.from(key), 'murmur2'), partitions);
    /** What each key holds once all is right; what is not there was deleted, or never written. */
    const oracle = new Map<string, string>();
    let levee: StandaloneProcess;
    let redis: Redis;
    let right: Producer;
    let wrong: Producer;
    let log: KafkaLog;

    const connect = (): Redis => {
      const client = new Redis({ port: levee.respPort, host: '127.0.0.1', username: name, password: '-' });
      client.on('error', () => undefined);
      return client;
    };
    const command = (...args: string[]): Promise<CommandResult> => leveeWith({ LEVEE_URL: levee.url }, args);
    const repartition = (...more: string[]): string[] => [
      'namespace',
      'repartition',
      name,
      '--quiet',
      '-o',
      'json',
      ...more,
    ];
    const done = async (...more: string[]): Promise<Done> => {
      const { code, stdout, stderr } = await command(...repartition(...more));
      expect([code, stderr]).toEqual([0, '']);
      return JSON.parse(stdout) as Done;
    };
    const state = async (): Promise<Record<string, unknown>> =>
      (await (await fetch(`${levee.url}/v1/namespaces/${name}`)).json()) as Record<string, unknown>;
    const message = (key: string, value: string | null): Message => ({
      key,
      value: value === null || format === 'raw' ? value : encodePut(Buffer.from(key), Buffer.from(value), null),
    });
    const send = async (producer: Producer, entries: readonly (readonly [string, string | null])[]): Promise<void> => {
      const messages = entries.map((entry) => message(...entry));
      await producer.send({ topic, acks: -1, messages });
    };
    const contents = async (): Promise<Map<string, string>> => {
      const found = new Map<string, string>();
      for (let at = 0; at < keys.length; at += 500) {
        const some = keys.slice(at, at + 500);
        (await redis.mget(...some)).forEach((value, i) => value !== null && found.set(some[i] as string, value));
      }
      return found;
    };
    /** Starts it slowly, and ends it once some keys are at home and others are not. */
    const halfway = async (end: (child: ChildProcess) => Promise<unknown>): Promise<void> => {
      const before = (await contents()).size;
      const args = repartition('--producers-stopped', '--rate', '60KiB');
      const child = spawn(process.execPath, [...builtApp('cli'), ...args], {
        ...{ cwd: root, stdio: 'ignore', env: { PATH: process.env.PATH, LEVEE_URL: levee.url } },
      });
      const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
      const isHalfway = async (): Promise<boolean> => child.exitCode === null && (await contents()).size > before;
      await eventually('some records are at home', isHalfway, 120_000, 50);
      await end(child);
      child.kill('SIGKILL');
      await ended;
    };

    beforeAll(async () => {
      levee = await StandaloneProcess.start(scratchFolder('repartition'), serverEnv);
      right = kafka.producer({ allowAutoTopicCreation: false, createPartitioner: Partitioners.DefaultPartitioner });
      wrong = kafka.producer({
        allowAutoTopicCreation: false,
        createPartitioner: () => (of) => astrayOf(String(of.message.key)),
      });
      await Promise.all([right.connect(), wrong.connect()]);
      log = await KafkaLog.open({ brokers, clientId: 'auditor' });
      const create = ['namespace', 'create', name, '--partitions', String(partitions), '--record-format', format];
      expect(await command(...create)).toMatchObject({ code: 0, stderr: '' });
      redis = connect();
    }, 120_000);

    afterAll(async () => {
      redis.disconnect();
      await Promise.all([right.disconnect(), wrong.disconnect(), log.close()]);
      expect(await levee.end()).toBe(0);
      levee.remove();
    }, 60_000);

    it('quarantine, dry run, brought home, read by GET; killed half-way it goes on, and a second run brings nothing', async () => {
      const some = (...digits: number[]): string[] => keys.filter((_, n) => digits.includes(n % 10));
      const write = async (producer: Producer, digits: number[], value: string | null): Promise<void> => {
        const of = some(...digits);
        await send(
          producer,
          of.map((key) => [key, value === null ? null : `${value} of ${key} `.padEnd(100, '.')]),
        );
        for (const key of of)
          if (value === null) oracle.delete(key);
          else oracle.set(key, `${value} of ${key} `.padEnd(100, '.'));
      };
      await write(right, [0, 1, 2, 7, 8], 'old');
      const oldMs = Date.now();
      await eventually('they are older than a doubt', () => Date.now() - oldMs > 6_000);
      const readable = new Map(oracle);
      await write(wrong, [6], 'first');
      await write(wrong, [1, 3, 4, 6, 7, 9], 'astray');
      await write(wrong, [2, 5], null);
      for (const [key, value] of oracle) if (!isAstray(key)) readable.set(key, value);
      for (const key of some(2, 5)) if (!isAstray(key)) readable.delete(key);
      await write(right, [4], 'later');
      await write(right, [7], null);
      for (const key of some(4)) readable.set(key, oracle.get(key) as string);
      for (const key of some(7)) readable.delete(key);
      const asReadable = async (): Promise<boolean> => {
        expect(await contents()).toEqual(readable);
        return true;
      };
      await eventually('what is in the right partitions is read, and nothing else', asReadable, 60_000, 200);
      const quarantined = async (): Promise<boolean> => {
        let astray = 0;
        const onCopy = ({ reason }: { reason: string }): void => void (astray += Number(reason === 'wrongPartition'));
        await readCopies(log, `${serverEnv.LEVEE_TOPIC_PREFIX}.quarantine`, {
          clock: systemClock,
          deadlineMs: 20_000,
          onCopy,
        });
        return astray > 0;
      };
      await eventually('what went astray is in quarantine', quarantined, 60_000, 500);

      const astray = (...digits: number[]): number => some(...digits).filter(isAstray).length;
      const dry = await done('--dry-run');
      expect(dry).toMatchObject({
        ...{ dryRun: true, keys: astray(1, 2, 3, 4, 5, 6, 7, 9), home: astray(1, 2, 3, 6, 9), outdone: astray(6) },
        stays: { nothingToDelete: astray(5), atHome: 0, beyondTombstones: 0, unreadable: 0 },
      });
      expect((dry.stays['later'] ?? 0) + (dry.stays['doubtful'] ?? 0)).toBe(astray(4, 7));
      const refused = await command(...repartition());
      expect([refused.code, refused.stderr]).toEqual([
        1,
        expect.stringMatching(/PRODUCERS_ACTIVE[^]* \d+ records in wrong partitions, .*--producers-stopped/),
      ]);
      expect(await state()).toMatchObject({ frozenBy: null });
      await asReadable();

      // The command dies: its portal lets go.
      await halfway(async (child) => {
        await expect(redis.set('other', 'x')).rejects.toThrow(/^LVFROZEN .*repeat it in a while/);
        child.kill('SIGKILL');
      });
      await eventually('portals take writes again', async () => (await state())['frozenBy'] === null, 60_000, 100);
      const left = some(3, 9).filter((key) => isAstray(key));
      const partly = await contents();
      const users = left.find((key) => !partly.has(key)) as string;
      expect(users).toBeDefined();
      await redis.set(users, 'by a user');
      oracle.set(users, 'by a user');

      // The portal dies: the freeze stays.
      const dead = `${hostname()}-${levee.doors.pid}`;
      await halfway(async () => void (await levee.end('SIGKILL')));
      redis.disconnect();
      levee = await StandaloneProcess.start(levee.dataDir, serverEnv);
      redis = connect();
      const ofOneRun = expect.stringMatching(`^repartition ${name}/[0-9a-f]{8}$`) as string;
      expect(await state()).toMatchObject({ frozenBy: ofOneRun });
      const thawed = await command('namespace', 'thaw', name);
      expect([thawed.code, thawed.stderr]).toEqual([
        1,
        expect.stringContaining(`levee namespace repartition ${name} --cancel`) as string,
      ]);

      // A right producer goes on all the time: no freeze holds it back.
      const load = new AbortController();
      let sent = 0;
      const written = (async () => {
        for (; !load.signal.aborted; sent++) {
          const key = left[(sent * 7) % left.length] as string;
          await send(right, [[key, `live ${sent}`]]);
          oracle.set(key, `live ${sent}`);
        }
      })();
      let last: CommandResult = { code: 1, stdout: '', stderr: '' };
      const goesOn = async (): Promise<boolean> => {
        last = await command(...repartition('--producers-stopped', '--ended', dead));
        return last.code === 0;
      };
      await eventually('the rest is brought home', goesOn, 120_000, 500)
        .catch((error: unknown) => {
          throw new Error(last.stderr, { cause: error });
        })
        .finally(async () => {
          load.abort();
          await written;
        });
      expect(sent).toBeGreaterThan(5);
      const asOracle = async (): Promise<boolean> => {
        expect(await contents()).toEqual(oracle);
        return true;
      };
      await eventually('each key holds what was written last', asOracle, 60_000, 200);
      const { keys: all, strayed } = JSON.parse(last.stdout) as Done;
      expect([all, strayed]).toEqual([dry.keys, 0]);

      const again = await done('--producers-stopped');
      expect(again).toMatchObject({ home: 0, restored: 0, contested: 0, keys: dry.keys, records: dry.records });
      await asOracle();
      expect(await state()).toMatchObject({ frozenBy: null });
      await redis.set('item:3', 'goes on');
      expect(await redis.get('item:3')).toBe('goes on');
      expect((await command(...repartition('--cancel'))).stdout).toContain('nothing was changed');
      expect((await command('namespace', 'digests', name)).code).toBe(0);
      tell({ scenario: `records in wrong partitions come home, ${format}`, repetitions: dry.home, failures: 0 });
    }, 600_000);
  },
);
