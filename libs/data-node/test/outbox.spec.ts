import { RecordOutbox } from '@levee/data-node';
import { HeartbeatLoop } from '@levee/journal';
import { silentLogger } from '@levee/kernel';
import { type Log, LogFailure, type LogRecord, systemClock, systemTimers } from '@levee/log';
import { until } from './small-cluster';

const shared = { clock: systemClock, timers: systemTimers, logger: silentLogger };
const record = (key: string, bytes: number): LogRecord => ({ key: Buffer.from(key), value: Buffer.alloc(bytes) });

const heartbeat = () => ({
  kind: 'node' as const,
  id: 'n1',
  address: 'x:1',
  freeDiskBytes: -1,
  incarnation: 'i',
  sentAtMs: 0,
  featureLevel: 1,
  positions: [],
  loads: [],
  moves: [],
  errors: [],
});

describe('what a node writes without waiting for it', () => {
  it('too large together goes in parts; what is too large alone is dropped and holds nothing back (I16)', async () => {
    const stored: string[] = [];
    let appends = 0;
    const append = async (_: string, __: number, records: readonly LogRecord[]): Promise<object> => {
      appends++;
      const bytes = records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
      if (bytes > 1_000) throw new LogFailure('TOO_LARGE', `${bytes} bytes are more than 1000`);
      stored.push(...records.map(({ key }) => key!.toString()));
      return {};
    };
    const outbox = new RecordOutbox({ append } as unknown as Log, 'levee.quarantine', shared);
    for (let i = 0; i < 20; i++) outbox.add(record(`r${i}`, i === 7 ? 1_001 : 300));
    await until('everything being looked at', () => outbox.stats.waiting === 0);
    expect(stored).toEqual([...Array(20).keys()].filter((i) => i !== 7).map((i) => `r${i}`));
    expect(outbox.stats).toMatchObject({ appended: 19, dropped: 1 });
    expect(appends).toBeLessThan(40);
    outbox.close();
  });

  it('a heartbeat that cannot be composed is counted, and the next one is sent all the same', async () => {
    let composed = 0;
    let appended = 0;
    const log = { append: async () => (appended++, { baseOffset: 1 }) } as unknown as Log;
    const compose = () => {
      if (composed++ === 0) throw new Error('not yet');
      return heartbeat();
    };
    const loop = new HeartbeatLoop({ log, topic: 'levee.heartbeats', everyMs: 10, ...shared }, compose);
    loop.start();
    await until('a heartbeat', () => appended > 0);
    expect(loop.counts.failed).toBe(1);
    await loop.stop();
  });

  it('says why the log takes none, from the second on, and when it does not answer, and only so long', async () => {
    let mood: 'takes' | 'refuses' | 'silent' = 'takes';
    let answer: () => void = () => undefined;
    let nowMs = 0;
    const append = async () => {
      if (mood === 'refuses') throw new Error('no space left on device');
      if (mood === 'silent') await new Promise<void>((resolve) => (answer = resolve));
      return { baseOffset: 1 };
    };
    const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
    const log = { append } as unknown as Log;
    const loop = new HeartbeatLoop({ log, topic: 'levee.heartbeats', everyMs: 10, ...shared, clock }, heartbeat);
    await loop.send();
    mood = 'refuses';
    await loop.send();
    expect(loop.problem).toBeUndefined();
    await loop.send();
    expect(loop.problem).toBe('no space left on device');
    mood = 'takes';
    await loop.send();
    expect(loop.problem).toBeUndefined();
    mood = 'silent';
    const late = loop.send();
    nowMs += 5_000;
    expect(loop.problem).toBeUndefined();
    nowMs += 1;
    expect(loop.problem).toBe('it has not confirmed a heartbeat for 5001 ms');
    answer();
    await late;
    expect(loop.problem).toBeUndefined();
  });
});
