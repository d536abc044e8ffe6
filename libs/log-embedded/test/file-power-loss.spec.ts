import fc from 'fast-check';
import { asOffset, asPartition } from '@levee/kernel';
import { EmbeddedLog } from '@levee/log-embedded';
import { seed } from '../../../test/support/seed';
import { FileStore } from '../src/store/file-store';
import { CrashFiles } from './crash-files';
import { readAll } from './embedded-storage';

const topic = 'ledger';
const partitions = 3;
const limits = { journalBytes: 3000, rejournalBytes: 1000 };
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Round {
  /** Partition of each append, in call order. */
  readonly appends: readonly number[];
  readonly cleans: boolean;
  /** Turns of the event loop before the power goes. */
  readonly turns: number;
  /** Turns after which the power goes again while the log is being opened; -1: it does not. */
  readonly turnsOfOpening: number;
  readonly seed: number;
}

class World {
  readonly files = new CrashFiles();
  private made = false;

  async open(): Promise<EmbeddedLog> {
    const store = new FileStore(this.files.mount(), { isNew: !this.made, limits });
    const log = await EmbeddedLog.open({ store, cleanEveryMs: 0 });
    this.made = true;
    return log;
  }
}

/** Every acknowledged record is at its offset or superseded by a cleaning; nothing shown is taken back (I2). */
async function survives(rounds: readonly Round[], world: World, ignoreSync = false): Promise<number> {
  const ledger: Array<{ partition: number; offset: number; key: string; value: string }> = [];
  const shown = new Map<string, string>();
  let log = await world.open();
  await log.ensureTopics([{ name: topic, partitions, settings: { 'cleanup.policy': 'compact' } }]);
  world.files.ignoreSync = ignoreSync;
  let number = 0;
  for (const round of rounds) {
    for (const partition of round.appends) {
      const [key, value] = [`key-${number % 7}`, `value-${number++}-`.padEnd(60, 'x')];
      log.append(topic, asPartition(partition), [{ key: Buffer.from(key), value: Buffer.from(value) }]).then(
        ({ baseOffset }) => ledger.push({ partition, offset: baseOffset, key, value }),
        () => undefined,
      );
      if (number % 3 === 0) await turn();
    }
    if (round.cleans) log.compact(topic).catch(() => undefined);
    const reading = Array.from({ length: partitions }, (_, p) => p).map(async (partition) => {
      const tail = log.tail(topic, asPartition(partition), { nextOffset: asOffset(0), leaderEpoch: -1 });
      for await (const batch of tail)
        for (const r of batch.records) shown.set(`${partition}/${r.offset}`, `${r.value}`);
    });
    for (let n = 0; n < round.turns; n++) await turn();
    world.files.powerLoss(round.seed);
    await log.close().catch(() => undefined);
    await Promise.allSettled(reading);
    if (round.turnsOfOpening >= 0) {
      const opening = world.open().then((opened) => opened.close().catch(() => undefined));
      opening.catch(() => undefined);
      for (let n = 0; n < round.turnsOfOpening; n++) await turn();
      world.files.powerLoss(round.seed + 1);
      await opening.catch(() => undefined);
    }
    log = await world.open();
    expect((await log.examine([topic])).damage).toEqual([]);
    for (let partition = 0; partition < partitions; partition++) {
      const records = new Map((await readAll(log, topic, partition)).map((r) => [Number(r.offset), r]));
      const last = new Map<string, number>();
      for (const [offset, r] of records) last.set(`${r.key}`, offset);
      const holds = (offset: number, key: string, value: string): void => {
        const found = records.get(offset);
        if (found === undefined) expect(last.get(key) ?? -1).toBeGreaterThan(offset);
        else expect([offset, `${found.value}`]).toEqual([offset, value]);
      };
      for (const { offset, key, value } of ledger.filter((one) => one.partition === partition))
        holds(offset, key, value);
      for (const [place, value] of shown) {
        const [at, offset] = place.split('/').map(Number) as [number, number];
        const key = `key-${Number(/value-(\d+)-/.exec(value)?.[1]) % 7}`;
        if (at === partition) holds(offset, key, value);
      }
    }
  }
  await log.close();
  return ledger.length;
}

const rounds = fc.array(
  fc.record({
    appends: fc.array(fc.nat(partitions - 1), { minLength: 1, maxLength: 40 }),
    cleans: fc.boolean(),
    turns: fc.nat(12),
    turnsOfOpening: fc.oneof(fc.constant(-1), fc.nat(15)),
    seed: fc.nat(1_000_000),
  }),
  { minLength: 1, maxLength: 8 },
);

describe('power loss under the files of the log', () => {
  it('loses no acknowledged record, takes back nothing that was shown, and is no alarm', async () => {
    let confirmed = 0;
    await fc.assert(
      fc.asyncProperty(rounds, async (plan) => void (confirmed += await survives(plan, new World()))),
      { numRuns: 60, seed },
    );
    expect(confirmed).toBeGreaterThan(500);
  }, 240_000);

  it('is noticed by this very property when the disk lies', async () => {
    const check = await fc.check(
      fc.asyncProperty(rounds, async (plan) => void (await survives(plan, new World(), true))),
      { numRuns: 60, seed, endOnFailure: true },
    );
    expect(check.failed).toBe(true);
    // An acknowledged or shown record was missing, or named as missing; not something else.
    expect(`${(check.errorInstance as Error).message}`).toMatch(/value-\d+|toBeGreaterThan|fromOffset/);
  }, 240_000);
});
