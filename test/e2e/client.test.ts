import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { direct } from '../../libs/sdk/src/direct';
import { connect, DeniedError, IndefiniteError, LeveeError, utf8, type Client } from '@levee/sdk';
import { judge, type Judgement } from '../history/judgement';
import type { Consistency } from '../history/key-client';
import { SdkClient } from '../history/sdk-client';
import { Workload } from '../history/workload';
import { TestAuthority } from '../support/certificates';
import { eventually, within } from '../support/deadline';
import { drawnOne } from '../support/drawn';
import { PortalProcess } from '../support/portal-process';
import { dice, full, seed } from '../support/seed';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

const env = { KAFKA_BROKERS: process.env.KAFKA_BROKERS ?? '', LEVEE_TOPIC_PREFIX: `client${process.pid}` };
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What the issue asks for: nothing waits longer, whatever dies. */
const answeredWithinMs = 5_000;

describe('@levee/client on two portals of one cluster on real Kafka', () => {
  let levee: StandaloneProcess;
  const portals: PortalProcess[] = [];
  const figures: Record<string, unknown> = {};
  const namesOf = (): string[] => portals.map(({ respPort }) => `127.0.0.1:${respPort}`);

  beforeAll(async () => {
    levee = await StandaloneProcess.start(scratchFolder('client'), env);
    for (let i = 0; i < 2; i++) portals.push(await PortalProcess.start(env));
  }, 120_000);

  afterAll(async () => {
    process.stdout.write(`client: ${JSON.stringify(figures)}\n`);
    for (const portal of portals) expect(await portal.end()).toBe(0);
    expect(await levee.end()).toBe(0);
    levee.remove();
  }, 90_000);

  async function restart(i: number): Promise<void> {
    const { respPort } = portals[i] as PortalProcess;
    portals[i] = await PortalProcess.start(env, { respPort });
  }

  async function bothUp(client: Client): Promise<void> {
    await eventually('both portals are up', () => client.status().portals.every(({ up }) => up), 60_000);
  }

  /** Kills one, lets the other stand still, in turns, while clients work; what they saw is judged. */
  async function throughFaults(consistency: Consistency): Promise<{ judgement: Judgement; retries: number }> {
    const open = (name: string): Promise<SdkClient> => SdkClient.open(name, namesOf(), consistency);
    const clients = await Promise.all(Array.from({ length: 6 }, (_, i) => open(`${consistency}${i}`)));
    const auditor = await SdkClient.open(`auditor ${consistency}`, namesOf(), 'strong');
    await Promise.all(clients.map(({ client }) => bothUp(client)));
    const oneWriterPerKey = consistency === 'session';
    const workload = new Workload({
      clients,
      auditor,
      consistency,
      oneWriterPerKey,
      random: dice(seed),
      keyPrefix: `${consistency}-`,
      pauseMs: 5,
      reads: 0.5,
    });
    workload.start();
    for (let round = 0; round < (full ? 10 : 1); round++) {
      await pause(700);
      const killed = round % 2;
      await portals[killed]?.end('SIGKILL');
      await pause(1_000);
      await restart(killed);
      await pause(1_500);
      const still = portals[1 - killed]?.child;
      still?.kill('SIGSTOP');
      await pause(3_500);
      still?.kill('SIGCONT');
      await pause(1_500);
    }
    const retries = clients.reduce((sum, { client }) => sum + client.status().retries, 0);
    return { judgement: judge(await workload.stop()), retries };
  }

  it.each(drawnOne<Consistency>('client, portals killed', ['strong', 'session']))(
    'a portal killed and another one that stands still: every %s read is answered in time, nothing acknowledged is lost, and no history contradicts itself',
    async (consistency) => {
      const { judgement, retries } = await throughFaults(consistency);
      const { outcomes, latencyMs, reasons } = judgement;
      figures[consistency] = { outcomes, latencyMs, retries };
      expect(judgement.faults).toEqual([]);
      expect({ reads: outcomes.reads, reasons }).toMatchObject({ reads: { definite: 0, indefinite: 0, pending: 0 } });
      expect(outcomes.writes.definite).toBe(0);
      expect(outcomes.reads.ok).toBeGreaterThan(200);
      expect(Math.max(latencyMs.reads.max, latencyMs.writes.max)).toBeLessThan(answeredWithinMs);
      // Six clients with one operation each, and four faults: what was under way is asked once more, or a few times.
      expect(retries).toBeGreaterThan(0);
      expect(retries).toBeLessThan((outcomes.reads.ok + outcomes.writes.ok) * 0.1 + 200);
    },
    full ? 400_000 : 180_000,
  );

  it('two clients ask one portal for a key, and when it is killed the same next one', async () => {
    const [one, other] = [await connect({ portals: namesOf() }), await connect({ portals: namesOf().reverse() })];
    const homesOf = (client: Client): Promise<(string | undefined)[]> =>
      Promise.all(
        Array.from({ length: 40 }, async (_, i) => (await client.namespace('default').where(`home${i}`)).portal),
      );
    await bothUp(one);
    await bothUp(other);
    const before = await homesOf(one);
    expect(await homesOf(other)).toEqual(before);
    expect(new Set(before)).toEqual(new Set(namesOf()));
    await portals[0]?.end('SIGKILL');
    const after = [await homesOf(one), await homesOf(other)];
    expect(new Set(after.flat())).toEqual(new Set([namesOf()[1]]));
    await restart(0);
    await bothUp(one);
    await bothUp(other);
    expect(await homesOf(one)).toEqual(before);
    await Promise.all([one.close(), other.close()]);
  }, 180_000);

  it('writes of one key that nobody waited for keep the order of their calls in the log, through a kill', async () => {
    const client = await connect({ portals: namesOf() });
    await bothUp(client);
    const keys = client.namespace('default').typed(utf8);
    const { portal } = await keys.where('serial');
    const home = namesOf().indexOf(portal as string);
    const puts = Array.from({ length: 400 }, (_, i) =>
      keys.put('serial', `${i}`).then(
        ({ position }) => ({ i, offset: Number(position.split(':')[1]) }),
        (error: unknown) => ({ i, error }),
      ),
    );
    await puts[20];
    await portals[home]?.end('SIGKILL');
    const ended = await Promise.all(puts);
    const written = ended.flatMap((end) => ('offset' in end ? [end] : []));
    const failed = ended.flatMap((end) => ('error' in end ? [end.error] : []));
    figures['serial'] = { written: written.length, failed: failed.length };
    // The one that was under way may be unknown; those that had not been sent are written elsewhere.
    for (const error of failed) expect(error).toBeInstanceOf(IndefiniteError);
    expect(failed.length).toBeLessThanOrEqual(1);
    const offsets = written.map(({ offset }) => offset);
    expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
    expect(new Set(offsets).size).toBe(offsets.length);
    expect(await keys.get('serial', { consistency: 'strong' })).toBe('399');
    await client.close();
    await restart(home);
  }, 180_000);

  it('a watch misses nothing while the portals are killed one after the other, and keeps the order of each key', async () => {
    const client = await connect({ portals: namesOf() });
    await bothUp(client);
    const keys = client.namespace('default').typed(utf8);
    const watch = await keys.watch({ prefix: 'w:' });
    const seen = new Map<string, number[]>();
    const watching = (async () => {
      for await (const { key, value } of watch) {
        seen.set(key, [...(seen.get(key) ?? []), Number(value)]);
        if (key === 'w:end') return;
      }
    })();
    const written = new Map<string, number[]>();
    const write = async (key: string, i: number): Promise<void> => {
      const outcome = await keys.put(key, `${i}`).catch((error: unknown) => error);
      // One that is unknown may be seen or not.
      if (outcome instanceof IndefiniteError) return;
      expect(outcome).not.toBeInstanceOf(Error);
      written.set(key, [...(written.get(key) ?? []), i]);
    };
    let at = 0;
    let killing = true;
    // The second is killed once the first is back: while both are away nothing can be written.
    const kills = (async () => {
      for (const [portal, killedAt] of [100, 400].entries()) {
        await eventually('there were so many', () => at > killedAt, 60_000);
        await portals[portal]?.end('SIGKILL');
        await restart(portal);
        await bothUp(client);
      }
    })().finally(() => (killing = false));
    for (; at < 600 || killing; at++) await Promise.all([write(`w:${at % 10}`, at), pause(5)]);
    await kills;
    await write('w:end', at);
    await within('the watch tells the last change', 60_000, watching);
    for (const [key, numbers] of written) {
      const told = seen.get(key) ?? [];
      expect(numbers.filter((number) => !told.includes(number))).toEqual([]);
      // A change that comes again comes with all that follow it.
      const first = told.filter((number, at) => told.indexOf(number) === at);
      expect(first).toEqual([...first].sort((a, b) => a - b));
    }
    expect(written.size).toBe(11);
    await client.close();
  }, 240_000);
});

describe('@levee/client at a door with TLS and authentication', () => {
  it('is let in with a token or password over TLS, and told why not otherwise', async () => {
    const folder = scratchFolder('client-locked');
    const authority = new TestAuthority();
    const { cert, key } = authority.issue({ name: 'levee', hosts: ['127.0.0.1', 'localhost'] });
    const files = { LEVEE_TLS_CA: authority.cert, LEVEE_TLS_CERT: cert, LEVEE_TLS_KEY: key };
    const tls: Record<string, string> = { LEVEE_TLS_CLUSTER_NAME: 'levee' };
    for (const [name, text] of Object.entries(files)) {
      tls[name] = join(folder, `${name}.pem`);
      writeFileSync(tls[name], text, { mode: 0o600 });
    }
    const store = await StandaloneProcess.start(folder, { LEVEE_AUTH: 'on', ...tls });
    try {
      const token = readFileSync(join(folder, 'operator.token'), 'utf8').trim();
      const portals = [store.doors.resp];
      const choice = { portals, tls: { ca: authority.cert }, user: 'operator' };
      const client = await connect({ ...choice, token });
      const names = client.namespace('default').typed(utf8);
      await names.put('a', 'x');
      expect(await names.get('a', { consistency: 'strong' })).toBe('x');
      await client.close();
      // At the doors of nodes it is known by the same token, over the same authorities.
      const near = await connect({ ...choice, token, reads: direct() });
      const nearNames = near.namespace('default').typed(utf8);
      await eventually('a node answers', async () => {
        expect(await nearNames.get('a')).toBe('x');
        return (near.status().direct?.answered ?? 0) > 10;
      });
      await near.close();
      await expect(connect({ ...choice, password: 'wrong' })).rejects.toThrow(DeniedError);
      await expect(connect({ portals, tls: choice.tls })).rejects.toThrow(DeniedError);
      // Another authority: it is not asked at all.
      const other = connect({ ...choice, token, tls: { ca: new TestAuthority().cert }, deadlineMs: 1_000 });
      await expect(other).rejects.toBeInstanceOf(LeveeError);
      await expect(connect({ portals, user: 'operator', token, deadlineMs: 1_000 })).rejects.toBeInstanceOf(LeveeError);
    } finally {
      expect(await store.end()).toBe(0);
      store.remove();
    }
  }, 90_000);
});
