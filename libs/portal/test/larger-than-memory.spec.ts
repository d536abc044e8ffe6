import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { KeyValue } from '@levee/client';
import type { Portal } from '@levee/portal';
import { dice, full, seed } from '../../../test/support/seed';
import { TestCluster, until } from './test-cluster';

jest.setTimeout(300_000);

const budgetBytes = 2 << 20;
const keys = full ? 20_000 : 2_400;
const valueBytes = 4_000;
const rounds = 3;
const together = 200;

type Send = (...args: (string | Buffer)[]) => Promise<unknown>;

/** Nothing that could be compressed into memory. */
const noise = Buffer.alloc(1 << 20);
const noiseDice = dice();
for (let at = 0; at < noise.length; at += 4) noise.writeUInt32LE(Math.floor(noiseDice() * 2 ** 32), at);

/** Differs for each `number`. */
function valueOf(number: number): Buffer {
  const at = (number * 4_099) % (noise.length - valueBytes);
  const value = Buffer.from(noise.subarray(at, at + valueBytes));
  value.writeUInt32BE(number);
  return value;
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Tables and compactions of a node's databases, as LevelDB tells of them. */
function databasesIn(folder: string): { tableBytes: number; compactions: number } {
  const files = filesBelow(folder);
  const tables = files.filter((path) => path.endsWith('.ldb'));
  const notes = files.filter((path) => path.endsWith('/LOG')).map((path) => readFileSync(path, 'utf8'));
  return {
    tableBytes: tables.reduce((sum, path) => sum + statSync(path).size, 0),
    compactions: notes.join('\n').match(/Compacted \d+@\d+ \+ \d+@\d+ files/g)?.length ?? 0,
  };
}

describe(`more data than a node may keep in memory, seed ${seed}`, () => {
  const random = dice();
  /** What there must be; what is not here was deleted, has expired or never was. */
  const oracle = new Map<string, Buffer>();
  /** Keys with a write under way: the oracle knows one order of them, so there is but one at a time. */
  const busy = new Set<number>();
  let cluster: TestCluster;
  let portal: Portal;
  let send: Send;

  beforeAll(async () => {
    cluster = await TestCluster.start(1, undefined, { units: '4x64MiB:leveldb', memoryBudgetBytes: budgetBytes });
    await cluster.namespace('default', { partitions: 4, chunks: 2, chunkCapacityBytes: 64 << 20 });
    portal = await cluster.portal();
    ({ send } = cluster.connect(portal));
  });
  afterAll(() => cluster?.close());

  const nameOf = (i: number): string => `key-${String(i).padStart(6, '0')}`;

  /** One write of any kind. */
  let writes = 0;
  async function write(i: number): Promise<void> {
    const key = nameOf(i);
    const what = random();
    if (what < 0.1) {
      oracle.delete(key);
      await send('DEL', key);
    } else if (what < 0.2) {
      oracle.delete(key);
      expect(await send('SET', key, 'expired', 'PXAT', String(Date.now() - 1_000))).toBe('OK');
    } else {
      const value = valueOf(writes++);
      oracle.set(key, value);
      expect(await send('SET', key, value)).toBe('OK');
    }
  }

  async function agrees(): Promise<void> {
    await send('LV.CONSISTENCY', 'strong');
    const all = Array.from({ length: keys }, (_, i) => nameOf(i));
    const wrong: string[] = [];
    const compare = (key: string, found: unknown): void => {
      if (found !== (oracle.get(key)?.toString('latin1') ?? null)) wrong.push(key);
    };
    for (let at = 0; at < keys; at += together) {
      const some = all.slice(at, at + together);
      (await Promise.all(some.slice(0, 50).map((key) => send('GET', key)))).forEach((found, i) =>
        compare(some[i] as string, found),
      );
      ((await send('MGET', ...some)) as unknown[]).forEach((found, i) => compare(some[i] as string, found));
    }
    expect(wrong).toEqual([]);
    const expected = [...oracle.keys()].sort();
    const scanned: string[] = [];
    let cursor = '0';
    do {
      const [next, page] = (await send('SCAN', cursor, 'COUNT', '1000')) as [string, string[]];
      scanned.push(...page);
      cursor = next;
    } while (cursor !== '0');
    expect(scanned.sort()).toEqual(expected);
    const keyValue = new KeyValue(portal.store);
    const none = Buffer.alloc(0);
    const range = { from: none, to: none, limit: keys, consistency: 'strong' as const };
    let at = 0;
    for await (const { key, value } of keyValue.scan(keyValue.namespace('default'), range)) {
      const wanted = expected[at++] as string;
      expect(key.toString()).toBe(wanted);
      if (!value.equals(oracle.get(wanted) as Buffer)) wrong.push(wanted);
    }
    expect([at, wrong]).toEqual([expected.length, []]);
  }

  it('S1, S29: GET, MGET, SCAN and ordered scans agree with an oracle after flushes and compactions, and after a restart', async () => {
    for (let round = 0; round < rounds; round++) {
      for (let at = 0; at < keys; at += together)
        await Promise.all(Array.from({ length: together }, (_, i) => write(at + i)));
      // What is written again while it is being compacted.
      for (let i = 0; i < keys / 4; i += together)
        await Promise.all(
          Array.from({ length: together }, async () => {
            const key = Math.floor(random() * keys);
            if (!busy.has(key)) {
              busy.add(key);
              await write(key);
              busy.delete(key);
            }
          }),
        );
    }
    await agrees();
    const { tableBytes, compactions } = databasesIn(cluster.folderOf('n1'));
    expect(tableBytes).toBeGreaterThan(3 * budgetBytes);
    expect(compactions).toBeGreaterThan(20);
    await cluster.nodes.get('n1')!.close();
    const again = await cluster.node('n1');
    await until('the node being ready', () => again.readyProblem() === undefined, 60_000);
    await agrees();
  });
});
