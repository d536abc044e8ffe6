import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Redis from 'ioredis';
import { tell } from '../support/counts';
import { DamageCampaign, damageKinds, type KnownKeys, type Outcome } from '../support/damage-campaign';
import { drawnLog } from '../support/drawn';
import { dice, full, seed } from '../support/seed';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

const keysLiving = 2_000;
const keysDeleted = 200;
/** On a machine that is busy fewer have to do in `npm test`. */
const enough = { share: 0.5, afterMs: 30_000 } as const;
const settings = { LEVEE_PARTITIONS: '4', LEVEE_CHUNKS: '4' };
const kafka = { KAFKA_BROKERS: process.env.KAFKA_BROKERS ?? '', LEVEE_TOPIC_PREFIX: `damage${process.pid}` };

/** I19: whatever befalls the files of a data folder, no answer is untrue. The log of one of them is elsewhere. */
describe.each(
  drawnLog('damage', [
    ['the embedded log', {}, full ? 3_000 : 8],
    ['real Kafka', kafka, full ? 300 : 3],
  ]),
)('damage to any file of a data folder on %s', (logName, logEnv: Record<string, string>, strikes) => {
  const env = { ...settings, ...logEnv };
  const scratch = scratchFolder('damage');
  const values = new Map<string, string>();
  const deleted: string[] = [];
  const known: KnownKeys = { values, deleted };
  const folders: string[] = [];

  beforeAll(async () => {
    const folder = join(scratch, 'whole');
    for (let i = 0; i < keysDeleted; i++) deleted.push(`deleted:${i}`);
    let levee = await StandaloneProcess.start(folder, env);
    // Each is written twice, so that an older version could come back; the second half stays in write-ahead files.
    for (const round of ['old', 'new']) {
      const redis = new Redis(levee.respPort, '127.0.0.1');
      const pipeline = redis.pipeline();
      for (let i = 0; i < keysLiving; i++) {
        const value = `${round} value ${i} `.padEnd(200, round);
        values.set(`key:${i}`, value);
        pipeline.set(`key:${i}`, value);
      }
      for (const key of deleted) pipeline.set(key, `${round} value`);
      if (round === 'new') for (const key of deleted) pipeline.del(key);
      for (const [error] of (await pipeline.exec()) ?? []) expect(error).toBeNull();
      redis.disconnect();
      if (round === 'old') {
        // What a clean stop leaves becomes tables at the next start.
        expect(await levee.end()).toBe(0);
        levee = await StandaloneProcess.start(folder, env);
      }
    }
    await levee.end('SIGKILL');
    folders.push(join(scratch, 'killed'), join(scratch, 'stopped'));
    cpSync(folder, join(scratch, 'killed'), { recursive: true });
    levee = await StandaloneProcess.start(folder, env);
    expect(await levee.end()).toBe(0);
    cpSync(folder, join(scratch, 'stopped'), { recursive: true });
  }, 240_000);
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  it(
    `up to ${strikes} times one file is changed, cut, lost or zeroed: nothing wrong, absent or resurrected is answered`,
    async () => {
      const draw = dice();
      const campaigns = folders.map((folder) => new DamageCampaign(folder, scratch, known, env));
      const outcomes: Outcome[] = [];
      const startedMs = Date.now();
      const isLate = (struck: number): boolean =>
        !full && struck >= enough.share * strikes && Date.now() - startedMs >= enough.afterMs;
      try {
        for (let i = 0; i < strikes && !isLate(i); i++)
          outcomes.push(await (campaigns[i % 2] as DamageCampaign).strikeOnce(draw));
      } finally {
        for (const campaign of campaigns) campaign.close();
        report(logName, outcomes, Date.now() - startedMs);
      }
      const untrue = outcomes.filter(({ wrong }) => wrong.length > 0);
      expect({ seed, untrue: untrue.map(({ damage, wrong }) => ({ damage, wrong: wrong.slice(0, 5) })) }).toEqual({
        seed,
        untrue: [],
      });
      const endedTwice = outcomes.filter(({ ended }) => ended > 1);
      expect({ seed, endedTwice }).toEqual({ seed, endedTwice: [] });
      const unnamed = outcomes.filter(({ refused, notStarted, named }) => (refused > 0 || notStarted) && !named[0]);
      expect({ seed, unnamed }).toEqual({ seed, unnamed: [] });
      // Few files are such that nothing starts without them: else nothing was asked here.
      const silent = outcomes.filter(({ notStarted }) => notStarted !== undefined);
      expect({ seed, silent: silent.length < outcomes.length / 2 ? [] : silent }).toEqual({ seed, silent: [] });
    },
    full ? 6 * 3_600_000 : 420_000,
  );
});

type Place = 'units' | 'log' | 'other';

function placeOf({ damage: { file } }: Outcome): Place {
  if (/\/units\//.test(file)) return 'units';
  return /^log\//.test(file) ? 'log' : 'other';
}

/** The table of outcomes: by where and how it was damaged. */
function report(logName: string, outcomes: readonly Outcome[], tookMs: number): void {
  const failuresAmong = (of: readonly Outcome[]): number =>
    of.filter(({ wrong, ended }) => wrong.length > 0 || ended > 1).length;
  for (const place of ['units', 'log', 'other'] as const)
    for (const kind of damageKinds) {
      const of = outcomes.filter((each) => placeOf(each) === place && each.damage.kind === kind);
      if (of.length === 0) continue;
      const count = (holds: (each: Outcome) => boolean): number => of.filter(holds).length;
      const healed = count(({ setAside, rebuilds }) => setAside + rebuilds > 0);
      const named = count(({ refused, notStarted }) => refused > 0 || notStarted !== undefined);
      tell({
        scenario: `damage on ${logName}: ${place}, ${kind}: ${of.length - healed - named} harmless, ${healed} healed, ${named} named`,
        repetitions: of.length,
        failures: failuresAmong(of),
      });
    }
  tell({
    scenario: `damage on ${logName}: all`,
    repetitions: outcomes.length,
    failures: failuresAmong(outcomes),
    figure: 'ms for each',
    values: [tookMs / outcomes.length],
  });
}
