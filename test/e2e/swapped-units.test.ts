import { existsSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import Redis from 'ioredis';
import { eventually } from '../support/deadline';
import { findingsOf } from '../support/findings';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

/** Two unit folders of a stopped node are exchanged, as somebody may who restores files by hand (I10). */
describe('a standalone one of whose nodes has two units exchanged', () => {
  const folder = scratchFolder('swapped-units');
  const env = { LEVEE_PARTITIONS: '2', LEVEE_CHUNKS: '2' };
  const keys = Array.from({ length: 60 }, (_, i) => `key:${i}`);
  let standalone: StandaloneProcess;

  afterEach(() => standalone?.end('SIGKILL'));
  afterAll(() => standalone?.remove());

  const units = join(folder, 'nodes', 'n2', 'units');
  const used = (): string[] => readdirSync(units).filter((name) => existsSync(join(units, name, 'g1', 'CURRENT')));
  function exchange(): void {
    const [a, b] = used()
      .sort()
      .map((name) => join(units, name)) as [string, string];
    renameSync(a, `${a}.away`);
    renameSync(b, a);
    renameSync(`${a}.away`, b);
  }
  async function values(consistency: 'eventual' | 'strong'): Promise<(string | null)[]> {
    const redis = new Redis(standalone.respPort, '127.0.0.1', { commandTimeout: 20_000 });
    try {
      await redis.call('LV.CONSISTENCY', consistency);
      return await redis.mget(...keys);
    } finally {
      redis.disconnect();
    }
  }
  async function replicasOf(nodeId: string): Promise<{ readable: boolean; problem: string | null }[]> {
    const { http } = standalone.doors.nodes.find((node) => node.nodeId === nodeId)!;
    const answer = await fetch(`${http}/v1/node`, { signal: AbortSignal.timeout(5_000) });
    return ((await answer.json()) as { replicas: { readable: boolean; problem: string | null }[] }).replicas;
  }
  const expected = keys.map((key) => `value of ${key}`);

  it('serves from the others, names both folders, clears nothing, and is whole once they are put back', async () => {
    standalone = await StandaloneProcess.start(folder, env);
    const redis = new Redis(standalone.respPort, '127.0.0.1', { commandTimeout: 20_000 });
    await redis.call('LV.ACK', 'all');
    for (const key of keys) await redis.set(key, `value of ${key}`);
    redis.disconnect();
    expect(await standalone.end()).toBe(0);
    expect(used()).toHaveLength(2);

    exchange();
    standalone = await StandaloneProcess.start(folder, env, 90_000);
    const stuck = await eventually('both are named', async () => {
      const found = await findingsOf(standalone.url, 'replica-stuck');
      return found.length === 2 ? found : undefined;
    });
    for (const { finding, command } of stuck) {
      expect(finding).toMatch(/I10: the folder of n2\/u\d+, generation 1, does not hold .*: its \w+ is/);
      expect(command).toMatch(/^stop n2, move the folders below units\/ back/);
    }
    const replicas = await replicasOf('n2');
    expect(replicas.map(({ readable }) => readable)).toEqual([false, false]);
    expect(await values('eventual')).toEqual(expected);
    expect(await values('strong')).toEqual(expected);
    expect(await standalone.end()).toBe(0);
    expect(existsSync(join(folder, 'nodes', 'n2', 'set-aside'))).toBe(false);

    exchange();
    standalone = await StandaloneProcess.start(folder, env, 90_000);
    await eventually('n2 serves again', async () => (await replicasOf('n2')).every(({ readable }) => readable));
    await eventually(
      'the doctor says so',
      async () => (await findingsOf(standalone.url, 'replica-stuck')).length === 0,
    );
    expect(await values('strong')).toEqual(expected);
    expect(await standalone.end()).toBe(0);
  }, 240_000);
});
