import { rmSync } from 'node:fs';
import { join } from 'node:path';
import Redis from 'ioredis';
import { encodePut } from '@levee/codec';
import type { Quarantined } from '@levee/events';
import { ClusterView, controlTopics, readCopies } from '@levee/journal';
import { asPartition, murmur2, reservedKeyPrefix, silentLogger } from '@levee/kernel';
import { systemClock, systemTimers } from '@levee/log';
import { EmbeddedLog } from '@levee/log-embedded';
import { eventually } from '../support/deadline';
import { damagedRoute, decisionOfDeposed, lastRoute } from '../support/forgery';
import { PlanDoor } from '../support/plan-door';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

const partitions = 4;
const topics = controlTopics('levee');
const binlog = 'levee.binlog.default';

/**
 * Who may write to the folder of a log can append what he likes while nobody serves it. The same on Kafka, under running
 * processes: foreign-producers.test.ts and forged-records.test.ts.
 */
describe('records that a stranger appends to the embedded log of a stopped standalone', () => {
  const folder = scratchFolder('foreign-records');
  const env = { LEVEE_PARTITIONS: `${partitions}`, LEVEE_CHUNKS: `${partitions}` };
  let levee: StandaloneProcess;
  let redis: Redis;

  const start = async (): Promise<void> => {
    levee = await StandaloneProcess.start(folder, env);
    redis = new Redis(levee.respPort, '127.0.0.1', { commandTimeout: 20_000 });
    await redis.call('LV.CONSISTENCY', 'strong');
  };
  const stop = async (): Promise<void> => {
    redis.disconnect();
    expect(await levee.end()).toBe(0);
  };

  /** The log is open for `work` alone. */
  const alone = async <T>(work: (log: EmbeddedLog) => Promise<T>): Promise<T> => {
    const log = await EmbeddedLog.open({ location: join(folder, 'log'), cleanEveryMs: 0 });
    try {
      return await work(log);
    } finally {
      await log.close();
    }
  };

  const partitionOf = (key: Buffer): number => (murmur2(key) & 0x7fffffff) % partitions;

  /** The offset that it got. */
  const append = async (
    log: EmbeddedLog,
    key: Buffer,
    value: Buffer | null,
    partition = partitionOf(key),
  ): Promise<number> => (await log.append(binlog, asPartition(partition), [{ key, value }])).baseOffset;

  /** Where each chunk is; who leads it changes by itself on a machine that is busy. */
  const places = async (): Promise<string[]> =>
    (await new PlanDoor({ doors: { portals: [{ http: levee.url }] } }).routes()).map(
      ({ chunkId, slotStart, slotEnd, replicas }) =>
        [chunkId, slotStart, slotEnd, ...replicas.map(({ nodeId, unitId }) => `${nodeId} ${unitId}`).sort()].join(' '),
    );

  afterAll(async () => {
    redis?.disconnect();
    await levee?.end('SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }, 60_000);

  it('a Put is read, a null deletes, garbage is named and healed by a write, and what has no place is in quarantine', async () => {
    await start();
    for (const key of ['deleted', 'garbage', 'neighbour', 'stray']) await redis.set(key, 'before');
    await stop();
    const [put, soon, stray] = ['put', 'soon', 'stray'].map((name) => Buffer.from(name)) as [Buffer, Buffer, Buffer];
    const reserved = Buffer.concat([reservedKeyPrefix, Buffer.from('genesis')]);
    const long = Buffer.alloc(40_000, 'k');
    const garbageAt = await alone(async (log) => {
      await append(log, put, encodePut(put, Buffer.from('hello'), null));
      await append(log, soon, encodePut(soon, Buffer.from('x'), Date.now() + 3_600_000));
      await append(log, Buffer.from('deleted'), null);
      const at = await append(log, Buffer.from('garbage'), Buffer.from('these bytes are no Avro'));
      await append(log, stray, encodePut(stray, Buffer.from('wrong'), null), (partitionOf(stray) + 1) % partitions);
      await append(log, reserved, Buffer.from('not ours'), 0);
      await append(log, long, encodePut(long, Buffer.from('x'), null));
      return at;
    });

    await start();
    expect(await redis.mget('put', 'soon', 'deleted', 'neighbour', 'stray')).toEqual([
      'hello',
      'x',
      null,
      'before',
      'before',
    ]);
    expect(await redis.ttl('soon')).toBeGreaterThan(3_500);
    const at = `${partitionOf(Buffer.from('garbage'))}:${garbageAt}`;
    await expect(redis.get('garbage')).rejects.toThrow(new RegExp(`^(-)?LVUNREADABLE.*${at}`));
    await redis.set('garbage', 'healed');
    expect(await redis.get('garbage')).toBe('healed');
    const quarantine = async (): Promise<number> => {
      const answer = await fetch(`${levee.url}/v1/log/levee.quarantine/0`, { signal: AbortSignal.timeout(20_000) });
      return ((await answer.text()).match(/"record":"Quarantined"/g) ?? []).length;
    };
    await eventually('all copies are in quarantine', async () => (await quarantine()) >= 4);
    await stop();
    const copies: Quarantined[] = [];
    const options = { clock: systemClock, deadlineMs: 20_000, onCopy: (copy: Quarantined) => copies.push(copy) };
    await alone((log) => readCopies(log, 'levee.quarantine', options));
    const found = copies.map(
      ({ reason, key }) =>
        `${reason} ${Buffer.from(key ?? [])
          .toString()
          .slice(0, 10)}`,
    );
    expect([...new Set(found)].sort()).toEqual([
      'garbage garbage',
      `reservedKey ${reserved.toString().slice(0, 10)}`,
      'tooLarge kkkkkkkkkk',
      'wrongPartition stray',
    ]);
  }, 120_000);

  it('a decision of a master that was followed by another, and a route that names other nodes, change nothing and are said', async () => {
    await start();
    const before = await places();
    await stop();
    await alone(async (log) => {
      const world = { logger: silentLogger, clock: systemClock, timers: systemTimers };
      const view = new ClusterView(log, topics, world);
      await view.start();
      const decision = decisionOfDeposed(view, 'n1');
      await view.close();
      await log.append(topics.journal, asPartition(0), [{ key: null, value: decision }]);
      const [key, good] = await lastRoute(log, topics.routes);
      await log.append(topics.routes, asPartition(0), [{ key: Buffer.from(key), value: damagedRoute(good) }]);
    });
    await start();
    await eventually('it says so', () => /the compacted topics cannot be used/.test(levee.printed()));
    const { voidRecords } = (await (await fetch(`${levee.doors.master}/v1/status`)).json()) as { voidRecords: number };
    expect(voidRecords).toBe(1);
    expect(await places()).toEqual(before);
    await eventually('all nodes are up', async () => {
      const { nodes } = (await (await fetch(`${levee.url}/v1/nodes`)).json()) as { nodes: { state: string }[] };
      return nodes.map(({ state }) => state).join() === 'up,up,up';
    });
    expect(await redis.mget('put', 'garbage')).toEqual(['hello', 'healed']);
    await stop();
  }, 120_000);
});
