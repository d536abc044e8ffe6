import { hashOf, slotOf } from '@levee/keyspace';
import type { Portal } from '@levee/portal';
import { readCommand, ReadEntriesWriter, ReadReply, readTags, RespClient, sealOfCommand } from '@levee/wire';
import { Gate } from './late-log';
import { TestCluster, until } from './test-cluster';

jest.setTimeout(60_000);

type Send = (...args: (string | Buffer)[]) => Promise<unknown>;

const partitions = 1;
const gates = new Map<string, Gate>();
const gate = (nodeId: string): Gate => gates.get(nodeId) ?? gates.set(nodeId, new Gate()).get(nodeId)!;
const hold = (...nodeIds: string[]): void => nodeIds.forEach((nodeId) => gate(nodeId).close());
const release = (...nodeIds: string[]): void => nodeIds.forEach((nodeId) => gate(nodeId).open());

let cluster: TestCluster;
let portals: readonly [Portal, Portal];
let send: Send;
let elsewhere: Send;

beforeAll(async () => {
  cluster = await TestCluster.start(3, (nodeId, log) => gate(nodeId).before(log));
  await cluster.namespace('default', { partitions, chunks: 1 });
  portals = [await cluster.portal({ storeLimits: { ackMs: 2_000 } }), await cluster.portal()];
  ({ send } = cluster.connect(portals[0]));
  ({ send: elsewhere } = cluster.connect(portals[1]));
});
afterEach(() => release('n1', 'n2', 'n3'));
afterAll(() => cluster?.close());

/** What a replica has at this moment, as it answers portals. */
async function readAt(nodeId: string, key: string): Promise<string | undefined> {
  const client = new RespClient({ host: '127.0.0.1', port: cluster.nodes.get(nodeId)!.respPort });
  try {
    const entries = new ReadEntriesWriter();
    entries.add(slotOf(hashOf(Buffer.from(key), 'murmur2'), partitions), 0, Buffer.from(key));
    const request = { namespace: 'default', tableVersion: 0, maxAgeMs: -1, nowMs: Date.now(), deadlineMs: 0 };
    const command = readCommand(request, entries);
    const reply = await new Promise<Buffer>((resolve, reject) =>
      client.send(command, 5_000, (failure, found) => (failure ? reject(failure) : resolve(found as Buffer))),
    );
    const found = new ReadReply(reply, sealOfCommand(command));
    found.next();
    return found.tag === readTags.value ? found.value().toString() : undefined;
  } finally {
    client.close();
  }
}

const settled = async (answer: Promise<unknown>, withinMs: number): Promise<boolean> =>
  Promise.race([
    answer.then(() => true),
    new Promise<boolean>((resolve) => setTimeout(() => resolve(false), withinMs)),
  ]);

/** Both portals know it. */
async function altered(knobs: Readonly<Record<string, string>>): Promise<void> {
  await cluster.alter('default', knobs);
  const known = ({ view }: Portal): boolean => {
    const namespace = view.state.namespace('default') as Readonly<Record<string, unknown>> | undefined;
    return Object.entries(knobs).every(([knob, value]) => namespace?.[knob] === value);
  };
  await until('the portals knowing it', () => portals.every(known));
}

describe('ack=all', () => {
  it('S40: what was answered OK is in every replica, asked one by one at once', async () => {
    await send('LV.ACK', 'all');
    for (let i = 0; i < 50; i++) {
      expect(await send('SET', 'everywhere', `${i}`)).toBe('OK');
      const found = await Promise.all(['n1', 'n2', 'n3'].map((nodeId) => readAt(nodeId, 'everywhere')));
      expect(found).toEqual([`${i}`, `${i}`, `${i}`]);
    }
  });

  it('S41: while one replica does not apply it, the answer is pending, never OK', async () => {
    await send('LV.ACK', 'all');
    expect(await send('SET', 'waits', 'before')).toBe('OK');
    hold('n3');
    const answer = send('SET', 'waits', 'after');
    expect(await settled(answer, 300)).toBe(false);
    expect(await readAt('n3', 'waits')).toBe('before');
    expect(await answer).toMatch(/^-LVPENDING 0:\d+ logged; not applied by n3 yet/);
    release('n3');
    expect(await send('SET', 'waits', 'after')).toBe('OK');
    expect(await readAt('n3', 'waits')).toBe('after');
  });
});

describe('the default ack of a namespace', () => {
  /** What a connection that asks for nothing is told of a write while nobody, or only one replica, does not apply it. */
  it.each([
    ['logged', { none: /^OK$/, one: /^OK$/ }],
    ['primary', { none: /^-LVPENDING/, one: /^OK$/ }],
    ['all', { none: /^-LVPENDING/, one: /^-LVPENDING .*not applied by (n\d) yet/ }],
  ] as const)('S76: %s', async (ack, says) => {
    await altered({ ack });
    const { send: asking } = cluster.connect(portals[0]);
    const [chunk] = cluster.view.state.chunksOf('default');
    const follower = chunk!.replicas.find(({ role }) => role === 'follower')!.nodeId;
    hold(follower);
    expect(await asking('SET', 'acked', '1')).toMatch(says.one);
    hold(...['n1', 'n2', 'n3'].filter((nodeId) => nodeId !== follower));
    expect(await asking('SET', 'acked', '2')).toMatch(says.none);
    release('n1', 'n2', 'n3');
    expect(await asking('LV.ACK', 'all')).toBe('OK');
    expect(await asking('SET', 'acked', '3')).toBe('OK');
  });
});

describe('the default consistency of a namespace', () => {
  /** Who reads what was just logged, and who still reads what was there before, while no replica has applied it. */
  it.each([
    ['eventual', { byWriter: 'before', elsewhere: 'before' }],
    ['session', { byWriter: 'after', elsewhere: 'before' }],
    ['strong', { byWriter: 'after', elsewhere: 'after' }],
  ] as const)('S76: %s', async (consistency, reads) => {
    await altered({ consistency });
    for (const [who, read] of [
      ['elsewhere', elsewhere],
      ['byWriter', send],
    ] as const) {
      await send('LV.ACK', 'all');
      expect(await send('SET', 'seen', 'before')).toBe('OK');
      await send('LV.ACK', 'logged');
      hold('n1', 'n2', 'n3');
      expect(await send('SET', 'seen', 'after')).toBe('OK');
      const answer = read('GET', 'seen');
      if (reads[who] === 'before') expect([who, await answer]).toEqual([who, 'before']);
      else expect([who, await settled(answer, 300)]).toEqual([who, false]);
      release('n1', 'n2', 'n3');
      expect([who, await answer]).toEqual([who, reads[who]]);
    }
  });

  it('S76: a connection that asks for another one gets that', async () => {
    await altered({ consistency: 'strong' });
    await elsewhere('LV.CONSISTENCY', 'eventual');
    hold('n1', 'n2', 'n3');
    await send('LV.ACK', 'logged');
    const before = await elsewhere('GET', 'seen');
    expect(await send('SET', 'seen', 'later')).toBe('OK');
    expect(await elsewhere('GET', 'seen')).toBe(before);
  });
});
