import { MemoryLevel } from 'memory-level';
import { encodePut } from '@levee/codec';
import { asPartition, type Clock } from '@levee/kernel';
import { systemTimers } from '@levee/log';
import { EmbeddedLog } from '@levee/log-embedded';
import { seed } from '../../../test/support/seed';
import { type Cut, prove } from '../src/proof/provability';
import { readKey } from '../src/proof/read-key';

const p0 = asPartition(0);
const settings = {
  'cleanup.policy': 'compact',
  'message.timestamp.type': 'LogAppendTime',
  'min.compaction.lag.ms': '1000',
  'segment.ms': '250',
  'delete.retention.ms': '4000',
};
const questions = 2_000;
const keys = Array.from({ length: 12 }, (_, i) => `key${i}`);

interface Written {
  readonly key: string;
  readonly value: string | null;
  readonly offset: number;
  readonly atMs: number;
}

/** mulberry32 */
function randomOf(of: number): (below: number) => number {
  let a = of;
  return (below) => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) % 1_000_000) % below;
  };
}

describe('questions to a log that is really cleaned', () => {
  it(`what is proved in ${questions} random questions is what was written`, async () => {
    const upTo = randomOf(seed);
    let nowMs = 1_700_000_000_000;
    const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
    const db = new MemoryLevel<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' });
    let log = await EmbeddedLog.open({ db, clock, timers: systemTimers, cleanEveryMs: 0 });
    await log.ensureTopics([{ name: 't', partitions: 1, settings }]);
    const all: Written[] = [];
    const counts: Record<string, number> = {};
    const beganMs = nowMs;

    for (let asked = 0; asked < questions;) {
      for (let n = upTo(6); n >= 0; n--) {
        const key = keys[upTo(keys.length)] as string;
        const value = upTo(3) === 0 ? null : `v${all.length}`;
        const record = { key: Buffer.from(key), value: value && encodePut(Buffer.from(key), Buffer.from(value), null) };
        const { baseOffset } = await log.append('t', p0, [{ ...record, value: record.value || null }]);
        all.push({ key, value, offset: baseOffset, atMs: nowMs });
        nowMs += upTo(10) === 0 ? upTo(6000) : upTo(60);
      }
      if (upTo(3) === 0) await log.compact('t');
      if (upTo(20) === 0) {
        await log.close();
        log = await EmbeddedLog.open({ db, clock, timers: systemTimers, cleanEveryMs: 0 });
      }
      for (let n = upTo(20); n >= 0; n--, asked++) {
        const key = keys[upTo(keys.length)] as string;
        const from = upTo(2) === 0 ? nowMs - 3_000 : beganMs;
        const cut: Cut =
          upTo(3) > 0 ? { timeMs: from + upTo(nowMs - from + 100) } : { nextOffset: upTo(all.length + 1) };
        const asked = { topic: 't', partition: p0, key: Buffer.from(key), cut, recordsMax: 1, earlier: [] };
        const { reading, readEndMs, rules } = await readKey(log, asked, { clock });
        const proof = prove(cut, reading.evidence(readEndMs), rules);
        const name = proof.verdict === 'proved' ? proof.by : proof.reason;
        counts[name] = (counts[name] ?? 0) + 1;
        if (proof.verdict !== 'proved') continue;
        expect(proof.between).toBeUndefined();
        const below = all.filter(
          (w) => w.key === key && ('timeMs' in cut ? w.atMs <= cut.timeMs : w.offset < cut.nextOffset),
        );
        const truth = below.at(-1);
        const said = reading.candidate?.record;
        if (proof.offset === undefined) expect(truth?.value ?? null).toBeNull();
        else expect([said?.offset, said?.value === null]).toEqual([truth?.offset, truth?.value === null]);
      }
    }
    expect(Object.keys(counts).sort()).toEqual(['before-window', 'contiguity', 'too-recent', 'value', 'window']);
    await log.close();
  }, 120_000);

  it('a stretch that was passed over proves nothing about itself, nor about what is behind it by itself', async () => {
    let nowMs = 1_700_000_000_000;
    const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
    const db = new MemoryLevel<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' });
    const log = await EmbeddedLog.open({ db, clock, timers: systemTimers, cleanEveryMs: 0 });
    await log.ensureTopics([{ name: 't', partitions: 1, settings }]);
    const append = async (key: string): Promise<void> => {
      nowMs += 10;
      await log.append('t', p0, [
        { key: Buffer.from(key), value: encodePut(Buffer.from(key), Buffer.from('v'), null) },
      ]);
    };
    await append('a');
    await log.passOver('t', p0, { fromOffset: 1 as never, toOffset: 4 as never });
    const gapMs = nowMs;
    await append('b');
    const ask = async (key: string, timeMs: number) => {
      const cut = { timeMs };
      const question = { topic: 't', partition: p0, key: Buffer.from(key), cut, recordsMax: 1, earlier: [] };
      const { reading, readEndMs, rules } = await readKey(log, question, { clock });
      return prove(cut, reading.evidence(readEndMs), rules);
    };
    nowMs += 10;
    expect(await ask('a', gapMs - 5)).toMatchObject({ verdict: 'proved', by: 'contiguity' });
    expect(await ask('a', gapMs + 5)).toMatchObject({ reason: 'unexplained-gap', provableFromMs: gapMs + 10 });
    expect(await ask('c', gapMs + 5)).toMatchObject({ verdict: 'not provable' });
    expect(await ask('b', gapMs + 12)).toMatchObject({ verdict: 'proved', by: 'contiguity', offset: 4 });
    await log.close();
  });
});
