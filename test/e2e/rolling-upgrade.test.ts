import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Redis from 'ioredis';
import { ClusterProcess, type ProcessDoors } from '../support/cluster-process';
import { reigning, unexcused, underLoad } from '../support/cluster-under-load';
import { eventually } from '../support/deadline';
import { dice, full, seed } from '../support/seed';
import { scratchFolder } from '../support/standalone-process';

const olderVersion = join(__dirname, '..', 'support', 'older-version.cjs');
const [older, newer] = [5, 6];

/** What docs/deploying.md says of an upgrade and of a way back, with processes that know nothing of level 6. */
describe('a rolling upgrade between two feature levels, on real Kafka', () => {
  let dir: string;
  let cluster: ClusterProcess;

  const members = (): ProcessDoors[] => {
    const { masters, dispatchers, portals, nodes } = cluster.doors;
    return [...masters, ...dispatchers, ...portals, ...nodes];
  };
  const door = (name: string): ProcessDoors => members().find((each) => each.name === name) as ProcessDoors;
  const portal = (): string => cluster.doors.portals[0]?.http as string;
  const markOf = (name: string): string => join(dir, 'older', name);

  async function levelOf({ http }: ProcessDoors): Promise<number> {
    const text = await (await fetch(`${http}/metrics`, { signal: AbortSignal.timeout(5_000) })).text();
    return Number(/^levee_feature_level(?:\{.*\})? (\d+)$/m.exec(text)?.[1]);
  }

  const levels = async (): Promise<number[]> => Promise.all(members().map(levelOf));

  /** Stops it and starts the other version of it; `ready`: resolves when it is. */
  async function replace(name: string, level: number, { ready = true } = {}): Promise<void> {
    const before = cluster.exits.length;
    await cluster.stop(name);
    expect(cluster.exits.slice(before)).toEqual([{ event: 'exit', name, how: 0 }]);
    if (level === older) writeFileSync(markOf(name), '');
    else rmSync(markOf(name), { force: true });
    await (ready ? cluster.start(name) : cluster.launch(name));
  }

  /** Masters (the one that stands by first), dispatchers, portals, nodes. */
  async function inOrder(): Promise<string[]> {
    const { name: active } = await reigning(cluster);
    const masters = cluster.doors.masters.map(({ name }) => name).filter((name) => name !== active);
    const others = members().map(({ name }) => name);
    return [...masters, active, ...others.filter((name) => !name.startsWith('m'))];
  }

  async function freeze(method = 'POST'): Promise<{ taken: boolean; text: string }> {
    const answer = await fetch(`${portal()}/v1/namespaces/default/freeze`, {
      method,
      ...(method === 'POST' && {
        body: JSON.stringify({ reason: 'upgraded' }),
        headers: { 'content-type': 'application/json' },
      }),
      signal: AbortSignal.timeout(30_000),
    });
    return { taken: answer.ok, text: await answer.text() };
  }

  beforeAll(async () => {
    const brokers = process.env.KAFKA_BROKERS ?? '';
    if (brokers === '')
      throw new Error('KAFKA_BROKERS is not set: npm test starts a Kafka, npm run kafka:start another');
    dir = scratchFolder('upgrade');
    mkdirSync(join(dir, 'older'), { recursive: true });
    for (const name of ['m1', 'm2', 'd1', 'p1', 'p2', 'n1', 'n2', 'n3']) writeFileSync(markOf(name), '');
    cluster = await ClusterProcess.start(
      ['--brokers', brokers, '--dir', dir, '--partitions', '4', '--chunks', '4', '--dispatchers', '1'],
      {
        LEVEE_TOPIC_PREFIX: `upgrade${process.pid}`,
        OLDER_MEMBERS: join(dir, 'older'),
        NODE_OPTIONS: `--require ${olderVersion}`,
      },
    );
  }, 180_000);

  afterAll(async () => {
    const said = await cluster?.end();
    rmSync(dir, { recursive: true, force: true });
    expect(said).toBe('');
  }, 120_000);

  it('up, one part after the other, back before anything new is used, and up again: nothing fails and nothing is lost', async () => {
    expect(await levels()).toEqual(Array(8).fill(older));
    const refusals: string[] = [];
    const judgement = await underLoad(cluster, { consistency: 'strong', random: dice(seed) }, async () => {
      const order = await inOrder();
      for (const name of order) {
        const { taken, text } = await freeze();
        expect(taken).toBe(false);
        refusals.push(text);
        await replace(name, newer);
      }
      expect(await levels()).toEqual(Array(8).fill(newer));
      // One of each kind goes back; in the full run all of them.
      const back = order.filter((name) => full || name.endsWith('1')).reverse();
      for (const name of back) await replace(name, older);
      for (const name of await inOrder()) if (back.includes(name)) await replace(name, newer);
    });
    expect(unexcused(judgement)).toEqual([]);
    expect(await levels()).toEqual(Array(8).fill(newer));
    for (const refusal of refusals) expect(refusal).toMatch(/feature level 5, .* needs 6: upgrade it first/);
  }, 600_000);

  it('what is new is taken once every process knows it; one that is taken back afterwards says that it stands still', async () => {
    const redis = new Redis(cluster.respPorts[0] as number, '127.0.0.1');
    try {
      await redis.set('before', '1');
      // A master that stands by says nothing: that which reigned in the older version counts as such for ten minutes,
      // or until it reigns again.
      const { name: active } = await reigning(cluster);
      const early = await freeze();
      if (!early.taken) {
        expect(early.text).toMatch(/master m\d reads records of feature level 5/);
        await replace(active, newer);
      }
      await eventually('the freeze is taken', async () => {
        const { taken, text } = await freeze();
        if (!taken) throw new Error(text);
        return taken;
      });
      const reigns = await reigning(cluster);
      // Another key: a write that is still taken must not touch what stands still.
      await eventually('its own portal obeys', () =>
        redis.set('meanwhile', '2').then(
          () => false,
          (error: Error) => error.message.startsWith('LVFROZEN'),
        ),
      );
      // Of each kind one that decides nothing and that nobody has to wait for.
      const standby = cluster.doors.masters.find(({ name }) => name !== reigns.name)?.name as string;
      const back = ['p2', 'n3', 'd1', standby];
      for (const name of back) await replace(name, older, { ready: false });
      for (const name of back)
        await eventually(
          `${name} says why it is not ready`,
          async () => {
            const answer = await fetch(`${door(name).http}/health/ready`, { signal: AbortSignal.timeout(5_000) });
            const text = await answer.text();
            if (answer.status !== 503 || !text.includes('a newer version of Levee may read it')) throw new Error(text);
            return true;
          },
          60_000,
        );
      // The others go on as if nothing were.
      expect(await redis.get('before')).toBe('1');
      for (const name of back) await replace(name, newer);
      expect(await redis.get('before')).toBe('1');
      expect((await freeze('DELETE')).taken).toBe(true);
      await eventually('writes are taken again', () =>
        redis.set('before', '2').then(
          () => true,
          () => false,
        ),
      );
      expect(await redis.get('before')).toBe('2');
    } finally {
      redis.disconnect();
    }
    for (const name of ['p2', 'n3', 'd1'])
      expect(readFileSync(door(name).log, 'utf8')).toContain('a newer version of Levee may read it');
  }, 300_000);
});
