import { FakeNode } from '../../client/test/fake-node';
import { eventually } from '../../../test/support/deadline';
import { dice, seed } from '../../../test/support/seed';
import { direct } from '../src/direct';
import { bulk, directFacts } from './direct-facts';
import { found, ScriptedPortal } from './scripted-portal';
import { type Client, connect, type Namespace, utf8 } from '@levee/sdk';

const name = 'shop.orders';
let node: FakeNode;
let portal: ScriptedPortal;
let client: Client;
let keys: Namespace<string>;
/** What the portal says to LV.DIRECT. */
let said: string;
let asked: number;

const facts = (but: object = {}): string => JSON.stringify({ ...directFacts(name, [node]), nowMs: Date.now(), ...but });
const route = { chunkId: 'c', slotStart: 0, slotEnd: 1_000_000, seq: 5, nodes: [0], upCount: 1 };

beforeEach(async () => {
  asked = 0;
  node = await new FakeNode('n1', { value: 'by the node' }).start();
  portal = await ScriptedPortal.start((words) => {
    if (words[0] !== 'LV.DIRECT') return words[0] === 'LV.GET' ? found('by the portal') : '+0:1\r\n';
    asked++;
    return bulk(said);
  });
  client = await connect({ portals: [portal.name], reads: direct(), deadlineMs: 4_000 });
  keys = client.namespace(name).typed(utf8);
});

afterEach(async () => {
  await client.close();
  await node.close();
  await portal.close();
});

const problem = (): string | undefined => client.status().direct?.namespaces[0]?.problem;

it.each<[string, () => string, RegExp]>([
  ['no JSON', () => '{"change":', /not understood/],
  ['nothing', () => 'null', /it is null, no object/],
  ['a word that is newer', () => facts({ change: 'slotChange' }), /change is "slotChange", none of metaChange/],
  ['a hash that is newer', () => facts({ hashAlgorithm: 'xxh3' }), /hashAlgorithm is "xxh3", none of murmur2/],
  ['a consistency that is newer', () => facts({ consistency: 'causal' }), /consistency is "causal"/],
  ['no clock', () => facts({ nowMs: undefined }), /nowMs is missing, no whole number/],
  ['a clock after the end of time', () => facts({ nowMs: 1e300 }), /nowMs is 1e\+300/],
  ['a version that is no number', () => facts({ version: '5' }), /version is "5"/],
  ['more partitions than there can be', () => facts({ partitions: 1e9 }), /partitions is 1000000000/],
  [
    'a node without an address',
    () => facts({ nodes: [{ nodeId: 'n1', storeId: 's' }] }),
    /nodes\[0\]\.respAddress is missing/,
  ],
  [
    'a route to a node that is not told',
    () => facts({ routes: [{ ...route, nodes: [7] }] }),
    /routes\[0\]\.nodes is a list|routes\[0\]\.nodes is 7/,
  ],
  ['more nodes up than a route has', () => facts({ routes: [{ ...route, upCount: 3 }] }), /routes\[0\]\.upCount is 3/],
  ['routes that are a text', () => facts({ routes: 'all' }), /routes is "all", no list/],
])('%s: said, no node is asked, and reads go through portals', async (_what, answer, words) => {
  said = answer();
  expect(await keys.get('a')).toBe('by the portal');
  await eventually('it says what is wrong', () => words.test(problem() ?? ''));
  expect(await keys.get('a')).toBe('by the portal');
  expect(node.reads).toBe(0);
});

it.each(['127.0.0.1:x', '127.0.0.1:70000', 'nowhere', ':'])(
  'a node at %s is not reached, and reads go through portals',
  async (respAddress) => {
    said = facts({ nodes: [{ nodeId: 'n1', storeId: 's-n1', respAddress }] });
    await keys.get('a');
    await eventually('routes are known', () => (client.status().direct?.namespaces[0]?.version ?? 0) > 0);
    expect(await keys.get('a')).toBe('by the portal');
  },
);

it('what was known before stays in force, and what is right is taken again', async () => {
  said = facts();
  await eventually('the node answers', async () => (await keys.get('a')) === 'by the node');
  said = facts({ version: 6, partitions: -1 });
  const before = asked;
  await eventually('it has heard it', () => asked > before + 1, 20_000);
  expect(await keys.get('a')).toBe('by the node');
  said = facts({ version: 7, notDirect: 'for a test' });
  await eventually('portals are asked', async () => (await keys.get('a')) === 'by the portal', 20_000);
});

it(`answers damaged at random keep nobody from reading (seed ${seed})`, async () => {
  const random = dice(seed);
  const whole = facts();
  for (let i = 0; i < 100; i++) {
    const bytes = Buffer.from(whole);
    for (let n = 1 + Math.floor(random() * 3); n > 0; n--)
      bytes[Math.floor(random() * bytes.length)] = 32 + Math.floor(random() * 95);
    said = bytes.toString('latin1');
    await client.close();
    client = await connect({ portals: [portal.name], reads: direct(), deadlineMs: 4_000 });
    keys = client.namespace(name).typed(utf8);
    await keys.get('a');
    // Its answer is read: it leads somewhere, or is told.
    await eventually('it was heard', () => problem() !== 'no portal was asked yet');
    expect(await keys.get('a')).toMatch(/^by the (node|portal)$/);
  }
  expect(asked).toBeGreaterThanOrEqual(100);
});
