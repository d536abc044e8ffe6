import { rmSync } from 'node:fs';
import Redis from 'ioredis';
import { ClusterProcess } from '../support/cluster-process';
import { reigning } from '../support/cluster-under-load';
import { eventually } from '../support/deadline';
import { levee } from '../support/levee-command';
import { seed } from '../support/seed';
import { scratchFolder } from '../support/standalone-process';

const partitions = 4;

interface Waiting {
  readonly process: string;
  readonly incarnation: string;
}

interface Frozen {
  readonly confirmed: boolean;
  readonly frozenBy: string | null;
  readonly waiting: readonly Waiting[];
}

/** Writes to one portal without a rest, one after the other. */
class Writer {
  readonly outcomes = new Map<string, number>();
  /** The value that was acknowledged last. */
  acknowledged = 0;
  private next = 0;
  private isOver = false;
  private readonly redis: Redis;
  private readonly running: Promise<void>;

  constructor(
    readonly key: string,
    port: number,
  ) {
    this.redis = new Redis({
      port,
      host: '127.0.0.1',
      maxRetriesPerRequest: null,
    });
    this.redis.on('error', () => undefined);
    this.running = this.run();
  }

  get frozen(): number {
    return this.outcomes.get('LVFROZEN') ?? 0;
  }

  async end(): Promise<void> {
    this.isOver = true;
    this.redis.disconnect();
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.isOver) {
      const value = ++this.next;
      let outcome = 'OK';
      try {
        await this.redis.set(this.key, String(value));
        this.acknowledged = value;
      } catch (error) {
        outcome = (error as Error).message.split(' ')[0] as string;
      }
      this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
      if (outcome !== 'OK') await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

describe('frozen writes of a cluster on real Kafka', () => {
  const topic = `freeze${process.pid}.binlog.default`;
  let dir: string;
  let cluster: ClusterProcess;
  let writers: Writer[] = [];
  const http = (): string => cluster.doors.portals[0]!.http;

  beforeAll(async () => {
    const brokers = process.env.KAFKA_BROKERS ?? '';
    if (brokers === '') throw new Error('KAFKA_BROKERS is not set: npm test starts a Kafka');
    dir = scratchFolder('freeze');
    cluster = await ClusterProcess.start(
      ['--brokers', brokers, '--dir', dir, '--nodes', '1', '--partitions', String(partitions), '--chunks', '4'],
      { LEVEE_TOPIC_PREFIX: `freeze${process.pid}` },
    );
  }, 180_000);

  afterEach(async () => {
    for (const writer of writers.splice(0)) await writer.end();
    for (const { name } of cluster.doors.portals) await cluster.resume(name).catch(() => undefined);
    expect(await levee(http(), ['namespace', 'thaw', 'default', '--wait'])).toMatchObject({ code: 0 });
  }, 60_000);

  afterAll(async () => {
    const said = await cluster?.end();
    rmSync(dir, { recursive: true, force: true });
    expect({ seed, said }).toEqual({ seed, said: '' });
  }, 120_000);

  const begin = (): void => {
    writers = cluster.respPorts.flatMap((port, p) => [0, 1, 2, 3].map((i) => new Writer(`w${p}-${i}`, port)));
  };
  const writing = (): Promise<unknown> =>
    eventually('everybody writes', () => writers.every(({ acknowledged }) => acknowledged > 5));
  const report = async (): Promise<Frozen> =>
    (await (await fetch(`${http()}/v1/namespaces/default/freeze`)).json()) as Frozen;
  const ask = (method: string, body?: object): Promise<Response> =>
    fetch(`${http()}/v1/namespaces/default/freeze`, {
      method,
      ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });

  async function records(from: readonly number[]): Promise<{ keys: string[]; ends: number[] }> {
    const keys: string[] = [];
    const ends: number[] = [];
    for (let partition = 0; partition < partitions; partition++) {
      const text = await (await fetch(`${http()}/v1/log/${topic}/${partition}?from=${from[partition] ?? 0}`)).text();
      const lines = text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      ends.push(Math.max(from[partition] ?? 0, ...lines.map(({ offset }) => Number(offset ?? -1) + 1)));
      keys.push(...lines.map(({ key, keyBase64 }) => String(key ?? keyBase64 ?? '')).filter((key) => /^w\d/.test(key)));
    }
    return { keys, ends };
  }

  /** [safety] What was acknowledged is there, and nothing of the writers comes any more however long they try. */
  async function standsStill(killed = 'nobody'): Promise<void> {
    const { ends } = await records([]);
    const before = writers.map(({ frozen }) => frozen);
    await eventually('everybody is refused again', () =>
      writers.every(({ frozen }, i) => frozen > (before[i] as number) + 20),
    );
    expect((await records(ends)).keys).toEqual([]);
    const redis = new Redis({ port: cluster.respPorts[0]!, host: '127.0.0.1' });
    await redis.call('LV.CONSISTENCY', 'strong');
    for (const { key, acknowledged, outcomes } of writers) {
      const is = Number(await redis.get(key));
      // A write that its portal took and did not answer, because it was killed, was sent again by the client.
      if (key.startsWith(killed)) expect(is).toBeGreaterThanOrEqual(acknowledged);
      else if (!outcomes.has('LVINDEFINITE')) expect([key, is]).toEqual([key, acknowledged]);
    }
    redis.disconnect();
  }

  it('is confirmed under load, and then nothing comes to the log; describe, status and doctor say so; the thaw ends it', async () => {
    begin();
    await writing();
    const froze = await levee(http(), ['namespace', 'freeze', 'default', '--reason', 'a test', '--wait']);
    expect(froze).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^writes to default are frozen by operator .*confirmed/),
    });
    await standsStill();
    for (const { outcomes } of writers) expect([...outcomes.keys()].sort()).toEqual(['LVFROZEN', 'OK']);
    const put = await fetch(`${http()}/v1/kv/default/k`, { method: 'PUT', body: 'x' });
    expect([put.status, await put.json()]).toEqual([423, expect.objectContaining({ code: 'LVFROZEN' })]);
    const { stdout: described } = await levee(http(), ['namespace', 'describe', 'default']);
    expect(described).toMatch(/frozenBy: +operator[^]*frozenReason: +a test/);
    expect((await levee(http(), ['status'])).stdout).toMatch(/frozenBy: +operator/);
    expect(await levee(http(), ['namespace', 'thaw', 'default', '--wait'])).toMatchObject({ code: 0 });
    const at = writers.map(({ acknowledged }) => acknowledged);
    await eventually('everybody writes again', () =>
      writers.every(({ acknowledged }, i) => acknowledged > (at[i] as number)),
    );
  }, 60_000);

  it('waits for a portal that is stopped, by name, whoever is master; when it goes on nothing of it comes late', async () => {
    begin();
    await writing();
    const { name } = cluster.doors.portals[1]!;
    await cluster.pause(name);
    const froze = await levee(http(), ['namespace', 'freeze', 'default', '--reason', 'r', '--wait', '--within', '7s']);
    expect(froze.code).toBe(1);
    expect(froze.stderr).toMatch(
      /not confirmed yet by portal \S+ at \S+ \(\S+\): it was not heard for \d+ s, and may write/,
    );
    expect(froze.stderr).toMatch(/FREEZE_NOT_CONFIRMED/);
    const { process: who, incarnation } = (await report()).waiting[0]!;
    const other = who.replace('portal ', '');
    const { name: first } = await reigning(cluster);
    await cluster.kill(first);
    await reigning(cluster, { except: first });
    expect(await report()).toMatchObject({ confirmed: false, waiting: [{ process: `portal ${other}`, incarnation }] });
    await cluster.start(first);
    await cluster.resume(name);
    await eventually('the confirmation', async () => (await report()).confirmed, 20_000);
    await standsStill();
  }, 90_000);

  it('does not wait for one that was stopped in order, and one that begins obeys', async () => {
    const { name } = cluster.doors.portals[1]!;
    await cluster.stop(name);
    const froze = await levee(http(), ['namespace', 'freeze', 'default', '--reason', 'r', '--wait']);
    expect(froze).toMatchObject({ code: 0 });
    await cluster.start(name);
    const redis = new Redis({ port: cluster.respPorts[1]!, host: '127.0.0.1' });
    await expect(redis.set('k', 'v')).rejects.toThrow(/^LVFROZEN/);
    redis.disconnect();
  }, 60_000);

  it('waits for one that was killed until people say that it has ended; its next run obeys at once', async () => {
    begin();
    await writing();
    const { name } = cluster.doors.portals[1]!;
    await cluster.kill(name);
    expect((await ask('POST', { reason: 'r' })).status).toBe(200);
    await eventually('one is waited for', async () => {
      const { waiting } = await report();
      return waiting.length === 1 && waiting[0];
    });
    const { process: who, incarnation } = (await report()).waiting[0]!;
    const early = await ask('POST', { reason: 'r', ended: ['nobody'] });
    expect([early.status, await early.json()]).toEqual([400, expect.objectContaining({ code: 'BAD_REQUEST' })]);
    await cluster.start(name);
    expect(await report()).toMatchObject({ confirmed: false, waiting: [{ process: who, incarnation }] });
    const said = ['namespace', 'freeze', 'default', '--reason', 'r', '--ended', incarnation, '--wait'];
    await eventually('it was silent for long enough', async () => (await levee(http(), said)).code === 0, 20_000);
    await standsStill('w1');
  }, 90_000);
});
