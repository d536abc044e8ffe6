import { asPartition } from '@levee/kernel';
import { EmbeddedLog, embeddedLimits } from '@levee/log-embedded';
import { FileStore } from '../src/store/file-store';
import type { LogStore, StoreWrite } from '../src/store/log-store';
import { CrashFiles } from './crash-files';

const partitions = 4;
const large = Buffer.alloc(400 * 1024, 'x');
const small = Buffer.from('v');
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A log whose batches begin when they are let go on, one by one. */
async function gatedLog(): Promise<{
  readonly log: EmbeddedLog;
  readonly batches: number[];
  /** What was answered, in its order. */
  readonly answered: string[];
  append(name: string, partition: number, value: Buffer): Promise<number>;
  atGate(): Promise<void>;
  /** Lets the batch at the gate go on, and waits until the next is there. */
  goOn(): Promise<void>;
  openGate(): void;
}> {
  const batches: number[] = [];
  const answered: string[] = [];
  const store = new FileStore(new CrashFiles().mount(), { isNew: true });
  let isGated = false;
  const waiting: (() => void)[] = [];
  const gated = new Proxy(store, {
    get: (target, name) => {
      if (name !== 'write') return (target[name as keyof FileStore] as () => unknown).bind?.(target);
      return async (writes: readonly StoreWrite[]): Promise<void> => {
        if (isGated) {
          batches.push(writes.reduce((sum, write) => sum + ('value' in write ? write.value.length : 0), 0));
          await new Promise<void>((resolve) => waiting.push(resolve));
        }
        return target.write(writes);
      };
    },
  }) as LogStore;
  const log = await EmbeddedLog.open({ store: gated, cleanEveryMs: 0 });
  await log.ensureTopics([{ name: 't', partitions, settings: { 'max.message.bytes': '2097152' } }]);
  isGated = true;
  let open = 0;
  /** The next batch is at the gate, or everything is answered. */
  const atGate = async (): Promise<void> => {
    while (waiting.length === 0 && open > 0) await turn();
  };
  return {
    log,
    batches,
    answered,
    atGate,
    append: async (name, partition, value) => {
      open++;
      const { baseOffset } = await log.append('t', asPartition(partition), [{ key: Buffer.from(name), value }]);
      open--;
      answered.push(name);
      return baseOffset;
    },
    goOn: async () => {
      await atGate();
      waiting.shift()?.();
      await turn();
      await atGate();
    },
    openGate: () => {
      isGated = false;
      for (const goOn of waiting.splice(0)) goOn();
    },
  };
}

describe('batches of the embedded log', () => {
  it('have no more than a megabyte, and a small append waits for the one under way and for its partition alone', async () => {
    const { log, batches, answered, append, atGate, goOn, openGate } = await gatedLog();
    const larges = [0, 1, 2, 3].map((partition) =>
      [0, 1, 2].map((n) => append(`L${partition}.${n}`, partition, large)),
    );
    await atGate();
    expect(batches).toHaveLength(1);
    const all = [...larges.flat(), append('small', 3, small)];
    await goOn();
    expect(answered).toEqual(['L0.0', 'L0.1']);
    for (const expected of [
      ['L3.0', 'L3.1'],
      ['L3.2', 'small'],
    ]) {
      answered.length = 0;
      await goOn();
      expect(answered).toEqual(expect.arrayContaining(expected));
    }
    for (let left = 10; left > 0; left--) await goOn();
    openGate();
    await Promise.all(all);
    expect(Math.max(...batches)).toBeLessThan(embeddedLimits.groupBytesMax + 4 * 1024);
    await log.close();
  });

  it('an append that is larger has one of its own', async () => {
    const { log, batches, append, goOn, openGate } = await gatedLog();
    const all = [0, 1, 2].map((partition) => append(`L${partition}`, partition, Buffer.alloc(1536 * 1024)));
    for (let left = 4; left > 0; left--) await goOn();
    openGate();
    await Promise.all(all);
    expect(batches.map((bytes) => Math.floor(bytes / 1024 / 1024))).toEqual([1, 1, 1]);
    await log.close();
  });

  it('I15: keep the order of each partition, and small appends without end keep no large one waiting', async () => {
    const { log, answered, append, goOn, openGate } = await gatedLog();
    const offsets: Promise<number>[] = [];
    const larges = Array.from({ length: 4 }, (_, n) => append(`L${n}`, 0, large));
    let n = 0;
    for (let batch = 0; batch < 12; batch++) {
      // As much of it as a batch takes, so that nothing else has room.
      for (let i = 0; i < 18; i++) offsets.push(append(`s${n++}`, 1 + (i % 3), Buffer.alloc(60 * 1024)));
      await goOn();
    }
    expect(answered.filter((name) => name.startsWith('L')).length).toBe(4);
    openGate();
    expect(await Promise.all(larges)).toEqual([0, 1, 2, 3]);
    const found = await Promise.all(offsets);
    for (const partition of [0, 1, 2])
      expect(found.filter((_, i) => (i % 18) % 3 === partition)).toEqual(
        Array.from({ length: offsets.length / 3 }, (_, i) => i),
      );
    await log.close();
  });
});
