import Redis from 'ioredis';
import { findingsOf as findingsIn } from '@levee/audit';
import { doctorTable } from '../../libs/audit/test/doctor-table';
import { healthy } from '../../libs/audit/test/healthy-cluster';
import { eventually } from '../support/deadline';
import { findingsOf } from '../support/findings';
import { levee } from '../support/levee-command';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

const keys = Array.from({ length: 300 }, (_, i) => `key-${i}`);
const usageExitCode = 2;

/** Every `levee` command that some finding prints, as far as it is one: sentences go on behind it. */
const printed = [
  ...new Set(
    doctorTable
      .flatMap(([, differs]) => findingsIn({ ...healthy, ...differs }))
      .flatMap(
        ({ command }) =>
          command.match(/\blevee [a-z].*?(?=[;()]|, then|: | # | {2}| or | with its| shows|\. |$)/g) ?? [],
      )
      .map((text) => text.trim()),
  ),
  // A folder that is not here, and brokers that are not: they are for processes that stand still.
].filter((command) => !/<|--data-dir|--brokers/.test(command));

/** As a shell would take it apart: what stands in single quotes is one word. */
const shellWords = (command: string): string[] =>
  [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? '');

/** They go on until they are interrupted. */
const followed = /^levee log tail/;

/** Somebody at 3 a.m. types what the doctor says, also where it does not apply. */
describe('every command that the doctor prints loses nothing', () => {
  let standalone: StandaloneProcess;
  let redis: Redis;

  beforeAll(async () => {
    standalone = await StandaloneProcess.start(scratchFolder('doctor-commands'));
    const created = await levee(standalone.url, ['namespace', 'create', 'shop', '--chunks', '2']);
    expect({ code: created.code, stderr: created.stderr }).toEqual({ code: 0, stderr: '' });
    redis = new Redis(standalone.respPort, '127.0.0.1');
    await redis.call('LV.USE', 'shop');
    for (const key of keys) await redis.set(key, `value of ${key}`);
  }, 90_000);

  afterAll(async () => {
    redis.disconnect();
    expect(await standalone.end()).toBe(0);
    standalone.remove();
  }, 60_000);

  it('there are some, and none says --yes', () => {
    expect(printed.length).toBeGreaterThan(10);
    expect(printed.filter((command) => /--yes|--force/.test(command))).toEqual([]);
    const all = doctorTable.flatMap(([, differs]) =>
      findingsIn({ ...healthy, ...differs }).map(({ command }) => command),
    );
    expect(all.filter((command) => /delete .*--yes|rm -/.test(command))).toEqual([]);
  });

  it.each(printed)(
    '%s',
    async (command) => {
      const words = shellWords(command).slice(1);
      const ran = await levee(standalone.url, words, followed.test(command) ? 3_000 : 60_000);
      // Refused because nothing is wrong here, or carried out; a word that the program does not know is neither.
      expect(ran.stderr).not.toMatch(/unknown (command|option)|missing required argument/);
      if (ran.code === usageExitCode) expect(ran.stderr).toMatch(/--yes/);
      const values = await eventually(
        'every key is answered',
        async () => {
          const found = await redis.mget(keys).catch(() => undefined);
          return found?.every((value) => value !== null) === true ? found : undefined;
        },
        30_000,
      );
      expect(values).toEqual(keys.map((key) => `value of ${key}`));
    },
    120_000,
  );

  it('a drain that cannot end is a finding at once', async () => {
    const told = await eventually(
      'the doctor says it',
      async () => (await findingsOf(standalone.url, 'plan-without-room'))[0],
      10_000,
      200,
    );
    expect(told.finding).toMatch(/\(drain of n1\) cannot end/);
  });
});
