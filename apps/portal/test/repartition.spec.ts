import { Repartitioning, takeOverRepartition } from '@levee/audit';
import { encodePut } from '@levee/codec';
import { controlTopics } from '@levee/journal';
import { asPartition, silentLogger } from '@levee/kernel';
import { hashOf, partitionOf } from '@levee/keyspace';
import { type Log, LogFailure, systemClock } from '@levee/log';
import { Freezes, Repartitions, type WorkLine } from '@levee/portal';
import { CommandDoor } from '@levee/service-kit';
import { between } from '../../../libs/audit/test/astray-shop';
import { bent } from '../../../libs/audit/test/scripted-journal';
import { eventually } from '../../../test/support/deadline';
import { OneNodeCluster } from './one-node-cluster';

jest.setTimeout(120_000);

let cluster: OneNodeCluster;
const json = { 'content-type': 'application/json' };
const post = (path: string, body: object) => cluster.ask('POST', path, JSON.stringify(body), json);
const repartition = (name: string, body: object) => post(`/v1/namespaces/${name}/repartition`, body);
const state = async (name: string) => (await cluster.ask('GET', `/v1/namespaces/${name}`)).json;
const size = { partitions: 2, chunks: 1, replicas: 1, chunkCapacityBytes: 8 << 20 };

/** What the keys are read as, in the end: what other producers wrote is applied a moment later. */
async function readAs(name: string, wanted: Record<string, string>): Promise<void> {
  const found: Record<string, string> = {};
  const isRead = async (): Promise<boolean> => {
    for (const key of Object.keys(wanted)) {
      const { status, body } = await cluster.ask('GET', `/v1/kv/${name}/${key}`);
      found[key] = status === 200 ? body.toString() : String(status);
    }
    expect(found).toEqual(wanted);
    return true;
  };
  await eventually(`what ${name} holds`, isRead);
}

/** As a producer with another partitioner does. */
async function astray(name: string, key: string, value: string | null): Promise<void> {
  const bytes = Buffer.from(key);
  const partition = asPartition((partitionOf(hashOf(bytes, 'murmur2'), size.partitions) + 1) % size.partitions);
  const record = { key: bytes, value: value === null ? null : encodePut(bytes, Buffer.from(value), null) };
  await cluster.log.append(String((await state(name))['binlog']), partition, [record]);
}

/** As a producer that is right. */
async function right(name: string, key: string, value: string): Promise<void> {
  const bytes = Buffer.from(key);
  const partition = asPartition(partitionOf(hashOf(bytes, 'murmur2'), size.partitions));
  const record = { key: bytes, value: encodePut(bytes, Buffer.from(value), null) };
  await cluster.log.append(String((await state(name))['binlog']), partition, [record]);
}

const warned: object[] = [];

/** One run at another portal, whose log is bent. */
async function elsewhere(name: string, log: Log): Promise<WorkLine | undefined> {
  const { portal, app } = cluster.app;
  const logger = { ...silentLogger, warn: (told: object) => void warned.push(told) };
  const freezes = new Freezes(cluster.log, portal);
  const run = new Repartitions(log, portal, app.get(CommandDoor), freezes, { topicPrefix: 'levee', logger });
  const more = { producersStopped: true, beyondTombstones: false, without: [] };
  let last: WorkLine | undefined;
  for await (const line of run.run({ name, principal: 'x', what: 'bringHome', ...more }, new AbortController().signal))
    last = line;
  return last;
}

async function made(name: string): Promise<void> {
  expect((await post('/v1/namespaces', { name, ...size })).status).toBe(201);
  for (const key of ['a', 'b']) await astray(name, key, `${key} astray`);
  expect((await cluster.ask('PUT', `/v1/kv/${name}/b`, 'b later')).status).toBe(204);
}

beforeAll(async () => {
  cluster = await OneNodeCluster.start();
});
afterAll(() => cluster?.close());

describe('POST /v1/namespaces/:name/repartition', () => {
  it('counts, then brings home what nothing later stands against, and thaws; a second run brings nothing', async () => {
    await made('shop');
    await readAs('shop', { a: '404', b: 'b later' });
    const counts = { keys: 2, home: 1, records: 2, stays: { later: 1, atHome: 0 } };
    const dry = await repartition('shop', { dryRun: true });
    expect(dry.lines.at(-1)).toMatchObject({
      ...{ event: 'done', dryRun: true, ...counts },
      activeProducers: [{ count: 2 }],
      message: expect.stringMatching(
        /^shop: 2 records of 2 keys stand in wrong partitions; 1 would be brought home \(such as [01]:\d+\); 1 have a later record .*; still writing: .*: 2 records/,
      ),
    });
    await readAs('shop', { a: '404' });
    const done = await repartition('shop', { producersStopped: true });
    expect(done.lines.at(-1)).toMatchObject({ event: 'done', dryRun: false, ...counts, strayed: 0 });
    await readAs('shop', { a: 'a astray', b: 'b later' });
    expect(await state('shop')).toMatchObject({ frozenBy: null });
    const again = await repartition('shop', {});
    expect(again.lines.at(-1)).toMatchObject({ event: 'done', home: 0, stays: { later: 1, atHome: 1 } });
    // A deletion that went astray is one.
    await astray('shop', 'a', null);
    await repartition('shop', { producersStopped: true });
    await readAs('shop', { a: '404' });
  });

  it('refuses while somebody goes on writing into wrong partitions, names who, and freezes nothing', async () => {
    await made('live');
    const { lines } = await repartition('live', {});
    expect(lines.at(-1)).toMatchObject({
      code: 'PRODUCERS_ACTIVE',
      message: expect.stringMatching(
        /: 2 records in wrong partitions, the newest at [01]:\d+, .*--producers-stopped.*nothing was written$/,
      ),
    });
    expect(await state('live')).toMatchObject({ frozenBy: null });
    await readAs('live', { a: '404' });
  });

  it('goes on where one was left frozen, and --cancel lets go of it; nobody else thaws it', async () => {
    await made('left');
    const freeze = { reason: 'left by a portal that died', owner: 'repartition left' };
    expect((await post('/v1/namespaces/left/freeze', freeze)).status).toBe(200);
    const refused = await cluster.ask('PUT', '/v1/kv/left/c', 'x');
    expect([refused.status, refused.json['message']]).toEqual([423, expect.stringContaining('repeat it in a while')]);
    const thawed = await cluster.ask('DELETE', '/v1/namespaces/left/freeze');
    expect([thawed.status, thawed.json['message']]).toEqual([
      409,
      expect.stringContaining('levee namespace repartition left --cancel'),
    ]);
    expect((await repartition('left', { cancel: true })).lines.at(-1)).toMatchObject({
      message: 'left takes writes; what was brought home stays',
    });
    expect((await cluster.ask('PUT', '/v1/kv/left/c', 'x')).status).toBe(204);
    expect((await repartition('left', { cancel: true })).lines.at(-1)).toMatchObject({
      message: 'no repartitioning of left is under way: nothing was changed',
    });
    expect((await post('/v1/namespaces/left/freeze', freeze)).status).toBe(200);
    expect((await repartition('left', { producersStopped: true })).lines.at(-1)).toMatchObject({ home: 1 });
    await readAs('left', { a: 'a astray', c: 'x' });
    expect(await state('left')).toMatchObject({ frozenBy: null });
    // With nothing to do it ends such a freeze all the same.
    expect((await post('/v1/namespaces/left/freeze', freeze)).status).toBe(200);
    expect((await repartition('left', { producersStopped: true })).lines.at(-1)).toMatchObject({ home: 0 });
    expect(await state('left')).toMatchObject({ frozenBy: null });
  });

  it.each([
    ['took the writing over, too', 'two.fenced', true],
    ['did not do that yet', 'two.live', false],
  ])('a second run, which %s, takes over: the first one ends, and not the freeze', async (_what, name, takesOver) => {
    await made(name);
    const next = `repartition ${name}/next`;
    const overtaken = between(cluster.log, async (append, ...to) => {
      const { frozenBy, binlog } = await state(name);
      expect(frozenBy).toMatch(new RegExp(`^repartition ${name}/[0-9a-f]{8}$`));
      const payload = { name, reason: 'the same', owner: next, insteadOf: frozenBy };
      await cluster.app.app.get(CommandDoor).run({ kind: 'FreezeNamespace', payload, principal: 'x' });
      const of = { binlog: String(binlog), partitions: size.partitions };
      if (takesOver) await (await takeOverRepartition(cluster.log, of)).writer.close();
      return append(...to);
    });
    const first = elsewhere(name, overtaken);
    if (takesOver)
      await expect(first).rejects.toMatchObject({
        code: 'FENCED',
        message: expect.stringContaining(`Another run goes on: ${next}`),
      });
    else expect(await first).toMatchObject({ home: 1 });
    expect(await state(name)).toMatchObject({ frozenBy: next });
    // The real second one.
    expect((await repartition(name, { producersStopped: true })).lines.at(-1)).toMatchObject({ event: 'done' });
    expect(await state(name)).toMatchObject({ frozenBy: null });
    await readAs(name, { a: 'a astray', b: 'b later' });
  });

  it('when it fails, tries until the freeze is over, and puts last again what it had overtaken', async () => {
    await made('failing');
    const failing = between(cluster.log, async (append, ...to) => {
      await right('failing', 'a', 'a newer');
      await append(...to);
      throw new LogFailure('LOG_UNAVAILABLE', 'no leader');
    });
    let writers = 0;
    const log = bent(failing, {
      fencedWriter: (id: string) => {
        if (++writers === 1) return failing.fencedWriter(id);
        if (writers <= 3) return Promise.reject(new LogFailure('LOG_UNAVAILABLE', `still no leader ${writers}`));
        return cluster.log.fencedWriter(id);
      },
    });
    warned.length = 0;
    await expect(elsewhere('failing', log)).rejects.toMatchObject({
      code: 'LOG_UNAVAILABLE',
      message: 'no leader. Portals take writes again; give the command again to go on',
    });
    expect(warned).toMatchObject([
      { namespace: 'failing', tries: 1, code: 'LOG_UNAVAILABLE', error: 'still no leader 2' },
      { namespace: 'failing', tries: 2, error: 'still no leader 3' },
    ]);
    expect(await state('failing')).toMatchObject({ frozenBy: null });
    await readAs('failing', { a: 'a newer', b: 'b later' });
  });

  it('--cancel puts last again what a run had overtaken that died', async () => {
    await made('dead');
    const { binlog } = await state('dead');
    const of = { binlog: String(binlog), partitions: size.partitions };
    expect((await post('/v1/namespaces/dead/freeze', { reason: 'x', owner: 'repartition dead/1' })).status).toBe(200);
    const question = { name: 'dead', binlog: of.binlog, beyondTombstones: false };
    const dying = between(cluster.log, async (append, ...to) => {
      await right('dead', 'a', 'a newer');
      await append(...to);
      throw new Error('killed');
    });
    const world = {
      log: dying,
      topics: controlTopics('levee'),
      clock: systemClock,
      signal: new AbortController().signal,
    };
    const run = await Repartitioning.open(world, question);
    const taken = await takeOverRepartition(dying, of);
    await run.read(taken.positions);
    await expect(run.bringHome(taken, () => undefined)).rejects.toThrow('killed');
    await run.close();
    await readAs('dead', { a: 'a astray' });
    expect((await repartition('dead', { cancel: true })).lines.at(-1)).toMatchObject({
      restored: 1,
      message:
        'dead takes writes; what was brought home stays; 1 newer records that it had overtaken were put last again',
    });
    expect(await state('dead')).toMatchObject({ frozenBy: null });
    await readAs('dead', { a: 'a newer' });
  });

  it('leaves a freeze of others as it is, and says how it fails', async () => {
    await made('others');
    expect((await post('/v1/namespaces/others/freeze', { reason: 'an export' })).status).toBe(200);
    expect((await repartition('others', { dryRun: true })).lines.at(-1)).toMatchObject({ home: 1 });
    expect((await repartition('others', { producersStopped: true })).lines.at(-1)).toMatchObject({
      code: 'NAMESPACE_FROZEN',
      message: expect.stringMatching(/frozen by operator \(an export\).*levee namespace thaw others$/),
    });
    expect(await state('others')).toMatchObject({ frozenBy: 'operator' });
  });

  it.each<[string, string, object, number, string]>([
    ['no such namespace', 'nowhere', {}, 404, 'nowhere'],
    ['both', 'shop', { dryRun: true, cancel: true }, 400, 'say one'],
    ['no word', 'shop', { dryRun: 'yes' }, 400, 'dryRun is "yes", true or false is needed'],
    ['no names', 'shop', { ended: 'p1' }, 400, 'ended is a list of names of portals'],
    ['no number', 'shop', { rate: -1 }, 400, 'rate is -1'],
  ])('refuses %s', async (_what, name, body, status, message) => {
    const answer = await repartition(name, body);
    expect([answer.status, answer.json['message']]).toEqual([status, expect.stringContaining(message)]);
  });
});
