import { encodePut } from '@levee/codec';
import { asOffset, asPartition } from '@levee/kernel';
import { LogFailure } from '@levee/log';
import type { EmbeddedLog } from '@levee/log-embedded';
import type { WitnessReport } from '@levee/wire';
import { BentLog } from './bent-log';
import { olderCopy } from './older-copy';
import { SmallCluster, until } from './small-cluster';

const ns = 'shop.orders';
const dayMs = 86_400_000;

/** One partition with a Genesis at 0 and k0..k19 behind it; the replica on n1 stands at 21. */
describe('a log that lost something', () => {
  let cluster: SmallCluster;
  let log: BentLog;
  let binlog: string;
  let copy: EmbeddedLog | undefined;

  beforeEach(async () => {
    cluster = await SmallCluster.start();
    log = new BentLog(cluster.log);
    await cluster.node('n1', { log });
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 1, chunks: 1 });
    binlog = cluster.view.state.namespace(ns)!.binlog;
    for (let i = 0; i < 20; i++) await cluster.append(ns, `k${i}`, `v${i}`);
    await until('the writes', async () => (await cluster.read('n1', ns, ['k19']))[0] === 'v19');
  });
  afterEach(async () => {
    await cluster.close();
    await copy?.close();
    copy = undefined;
  });

  const rebuilds = (): number => Number(cluster.nodes.get('n1')!.stats()['rebuilds']);
  const witnesses = async (): Promise<WitnessReport['witnesses']> => {
    const reply = await cluster.send('n1', ['LV.WITNESS']);
    return Buffer.isBuffer(reply) ? (JSON.parse(reply.toString()) as WitnessReport).witnesses : [];
  };
  const isWitness = async (): Promise<boolean> => typeof (await witnesses())[0]?.keysAtStake === 'number';
  const put = (key: string, value: string) =>
    log.append(binlog, asPartition(0), [
      { key: Buffer.from(key), value: encodePut(Buffer.from(key), Buffer.from(value), null) },
    ]);

  async function restartOn(endOffset: number): Promise<void> {
    await cluster.stopNode('n1');
    copy = await olderCopy(cluster.log as EmbeddedLog, binlog, endOffset);
    log.instead.set(binlog, copy);
    await cluster.node('n1', { log });
  }

  it.each([
    ['to the middle', 10, 11],
    ['by one record', 20, 1],
    ['back to its Genesis', 1, 20],
    ['to nothing', 0, 20],
  ])('cut %s: its replica is kept as a witness, named with offsets and keys', async (_, endOffset, keys) => {
    await restartOn(endOffset);
    await until('the witness', isWitness);
    const [witness] = await witnesses();
    expect(witness).toMatchObject({ partition: 0, cutOffset: endOffset, readable: true });
    expect(witness?.nextOffset).toBe(21);
    expect(witness?.keysAtStake).toBe(keys);
    expect(rebuilds()).toBe(0);
    const stat = await cluster.stat('n1');
    expect(stat['ready']).toBe(false);
    const text = String(stat['problem']);
    expect(text).toContain(`lost partition 0 from offset ${endOffset} to ${witness?.nextOffset}, ${keys} keys`);
    expect(text).toContain(`levee log repair ${ns}`);
    expect(text).toContain(`levee log accept-loss ${ns}`);
    expect((stat['replicas'] as { state: string }[])[0]?.state).toBe('witness');
    // Eventual reads go on.
    expect(await cluster.read('n1', ns, ['k0', 'k19'])).toEqual(['v0', 'v19']);
  });

  it('what is appended behind the cut is neither applied nor taken for what a position means', async () => {
    await restartOn(10);
    await until('the witness', isWitness);
    for (let i = 0; i < 30; i++) await put(`k${i}`, `other${i}`);
    // Longer than the look that a witness takes.
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    expect(await cluster.read('n1', ns, ['k0', 'k19', 'k25'])).toEqual(['v0', 'v19', 'nil']);
    const [behind] = await cluster.read('n1', ns, ['k19'], { minOffset: 21, deadlineMs: 100 });
    expect(behind).toMatch(/^LVSTOPPED 0:10 I14: /);
    expect(await cluster.read('n1', ns, ['k3'], { minOffset: 10 })).toEqual(['v3']);
    expect((await witnesses())[0]).toMatchObject({ cutOffset: 10, nextOffset: 21 });
    expect(rebuilds()).toBe(0);
  });

  it('cut and grown again before the node came back: the leader epoch tells', async () => {
    await cluster.stopNode('n1');
    copy = await olderCopy(cluster.log as EmbeddedLog, binlog, 10);
    log.instead.set(binlog, copy);
    for (let i = 0; i < 30; i++) await put(`k${i}`, `other${i}`);
    await cluster.node('n1', { log });
    await until('the witness', isWitness);
    expect((await witnesses())[0]).toMatchObject({ cutOffset: 10, nextOffset: 21, keysAtStake: 11 });
    expect(rebuilds()).toBe(0);
  });

  it('goes on by itself once the log is restored', async () => {
    await restartOn(10);
    await until('the witness', isWitness);
    log.instead.clear();
    await until('the end of it', async () => (await witnesses()).length === 0);
    await cluster.ready();
    await cluster.append(ns, 'k20', 'v20');
    await until('new writes', async () => (await cluster.read('n1', ns, ['k20']))[0] === 'v20');
    expect(await cluster.read('n1', ns, ['k0', 'k19'])).toEqual(['v0', 'v19']);
    expect(rebuilds()).toBe(0);
  });

  it('stays a witness of a log that holds other values at the same offsets and keys', async () => {
    await restartOn(10);
    await until('the witness', isWitness);
    const key = Buffer.from('k15');
    const value = encodePut(key, Buffer.from('theirs'), null);
    let looks = 0;
    log.onBatch = (batch) => {
      if (batch.topic !== binlog || batch.records.every((record) => !record.key?.equals(key))) return batch;
      looks++;
      return {
        ...batch,
        records: batch.records.map((record) => (record.key?.equals(key) ? { ...record, value } : record)),
      };
    };
    log.instead.clear();
    await until('two looks', () => looks >= 2);
    expect(await isWitness()).toBe(true);
    log.onBatch = (batch) => batch;
    await until('the end of it', async () => (await witnesses()).length === 0);
    expect(await cluster.read('n1', ns, ['k15', 'k19'])).toEqual(['v15', 'v19']);
  });

  it('a false alarm of the log costs a moment and clears nothing', async () => {
    let left = 1;
    log.onTail = (topic, _, from) => {
      if (topic === binlog && from.nextOffset > 0 && left-- > 0)
        throw new LogFailure('LOG_TRUNCATED', 'a broker that is behind');
    };
    await cluster.stopNode('n1');
    await cluster.node('n1', { log });
    await until('the witness', async () => (await witnesses()).length === 1);
    await until('the end of it', async () => (await witnesses()).length === 0);
    await cluster.ready();
    expect(rebuilds()).toBe(0);
    expect(await cluster.read('n1', ns, ['k19'])).toEqual(['v19']);
  });

  it('I14: a damaged replica is not cleared either while the log lost what it holds', async () => {
    await cluster.stopNode('n1');
    await cluster.damage('n1', 'd/k7');
    await restartOn(10);
    await until('the witness', async () => (await witnesses()).length === 1);
    await cluster.read('n1', ns, ['k7']);
    await until(
      'the refusal',
      async () => ((await cluster.stat('n1'))['replicas'] as { state: string }[])[0]?.state === 'stuck',
    );
    expect(rebuilds()).toBe(0);
  });

  it('I5, I14: away for longer than deletions are kept, and the log was cut: it stands still as a witness', async () => {
    log.onBatch = (batch) => ({
      ...batch,
      records: batch.records.map((each) => ({ ...each, timestampMs: each.timestampMs + 5 * dayMs })),
    });
    await restartOn(10);
    await until('the witness', isWitness);
    expect(await cluster.read('n1', ns, ['k0', 'k19'])).toEqual(['v0', 'v19']);
    expect(rebuilds()).toBe(0);
  });

  it('people let go what was lost, by its exact figures: built anew from what the log holds', async () => {
    await restartOn(10);
    await until('the witness', isWitness);
    const { unitId, generation } = (await witnesses())[0]!;
    const letGo = async (...figures: string[]): Promise<string> => {
      const reply = await cluster.send('n1', ['LV.LETGO', unitId, String(generation), ...figures]);
      return reply instanceof Error || typeof reply !== 'object'
        ? String(reply)
        : ((reply as { text?: string }).text ?? String(reply));
    };
    expect(await letGo('0:10:20')).toMatch(/LVNOTWITNESS .*from offset 10 to 21, which was not named/);
    expect(await letGo('0:x')).toMatch(/LVNOTWITNESS .*is not <partition>/);
    expect(rebuilds()).toBe(0);
    expect(await letGo('0:10:21')).toBe('OK');
    await until('the rebuild', () => rebuilds() === 1);
    await cluster.ready();
    expect(await cluster.read('n1', ns, ['k8', 'k9', 'k19'])).toEqual(['v8', 'nil', 'nil']);
    expect(await letGo('0:10:21')).toMatch(/LVNOTWITNESS .*is no witness/);
  });

  it('a topic that somebody made anew under the name: nothing in it counts as what was there before', async () => {
    await cluster.stopNode('n1');
    copy = await olderCopy(cluster.log as EmbeddedLog, binlog, 0);
    log.instead.set(binlog, copy);
    for (let i = 0; i < 5; i++) await put(`theirs${i}`, 'x');
    await cluster.node('n1', { log });
    await until('the witness', isWitness);
    const [witness] = await witnesses();
    expect(witness).toMatchObject({ cutOffset: 0, cutKnown: false, nextOffset: 21, keysAtStake: 20 });
    expect(witness?.why).toMatch(/is no Genesis: the log is not ours; LOG_TRUNCATED/);
    expect(rebuilds()).toBe(0);
  });

  it('I14: a damaged replica is not cleared while a stretch of the log that it would need cannot be read', async () => {
    const stretch = { fromOffset: asOffset(3), toOffset: asOffset(5), what: 'the entry`s checksum fails' };
    log.damage = [{ topic: binlog, partition: asPartition(0), ...stretch }];
    await cluster.stopNode('n1');
    await cluster.node('n1', { log });
    await cluster.ready();
    // Past it: served.
    expect(await cluster.read('n1', ns, ['k4', 'k19'])).toEqual(['v4', 'v19']);
    await cluster.stopNode('n1');
    await cluster.damage('n1', 'd/k7');
    await cluster.node('n1', { log });
    const problem = async (): Promise<string> => {
      await cluster.read('n1', ns, ['k7']);
      return String((await cluster.stat('n1'))['problem']);
    };
    await until('the refusal', async () =>
      /I14: .*partition 0 of .* cannot be read from offset 3 to 5/.test(await problem()),
    );
    expect(rebuilds()).toBe(0);
    log.damage = [];
    await until('the rebuild', () => rebuilds() === 1);
    await cluster.ready();
    expect(await cluster.read('n1', ns, ['k7', 'k19'])).toEqual(['v7', 'v19']);
  });

  it('retention removed everything up to exactly its position: it is whole', async () => {
    log.onTail = (topic, _, from) => {
      if (topic === binlog && from.nextOffset < 21)
        throw new LogFailure('OFFSET_OUT_OF_RANGE', `offset ${from.nextOffset} is outside of 21..21`);
    };
    log.onOffsets = (topic, offsets) =>
      topic === binlog ? offsets.map((each) => ({ ...each, startOffset: asOffset(21) })) : offsets;
    await cluster.stopNode('n1');
    await cluster.node('n1', { log });
    await cluster.ready();
    expect(await cluster.read('n1', ns, ['k0', 'k19'])).toEqual(['v0', 'v19']);
    expect(rebuilds()).toBe(0);
  });
});
