import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Redis from 'ioredis';
import { isEntryKey, placeOfKey } from '../../libs/log-embedded/src/keys';
import { framesOf, readJournalHead, writesOf } from '../../libs/log-embedded/src/store/journal-frames';
import { eventually } from '../support/deadline';
import { findingsOf } from '../support/findings';
import { levee } from '../support/levee-command';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

const keys = Array.from({ length: 40 }, (_, i) => `k${i}`);

/** Both copies of the files hold a decision of the journal no more, and what follows it can be read. */
describe('a standalone whose journal has a stretch that cannot be read', () => {
  const folder = scratchFolder('journal-hole');
  const env = { LEVEE_PARTITIONS: '4', LEVEE_CHUNKS: '4' };
  let standalone: StandaloneProcess;

  // The next step finds the folder free, whatever became of this one.
  afterEach(() => standalone?.end('SIGKILL'));
  afterAll(() => standalone?.remove());

  const start = async (): Promise<void> => {
    standalone = await StandaloneProcess.start(folder, env);
  };
  const withRedis = async <T>(work: (redis: Redis) => Promise<T>): Promise<T> => {
    const redis = new Redis(standalone.respPort, '127.0.0.1', { commandTimeout: 20_000 });
    redis.on('error', () => undefined);
    try {
      return await work(redis);
    } finally {
      redis.disconnect();
    }
  };
  const write = (value: string): Promise<void> =>
    withRedis(async (redis) => {
      for (const key of keys) expect(await redis.set(key, `${key} ${value}`)).toBe('OK');
    });
  const holds = (value: string): Promise<void> =>
    withRedis(async (redis) => {
      await redis.call('LV.CONSISTENCY', 'strong');
      expect(await redis.mget(...keys)).toEqual(keys.map((key) => `${key} ${value}`));
    });
  const create = async (name: string): Promise<void> => {
    expect((await levee(standalone.url, ['namespace', 'create', name, '--chunks', '1'])).stderr).toBe('');
  };
  const ready = async (): Promise<Response> => fetch(`${standalone.url}/health/ready`);

  /**
   * Changes one byte of each place behind the first `spared` where the log's files hold these words. `alone`: only in
   * changes of one topic. The log writes what is appended at the same time as one change, which damage takes whole, so
   * what the compacted topics were told in that moment would be gone with the decision.
   */
  const strike = (words: string, spared: number, { alone = false } = {}): number => {
    let struck = 0;
    const log = join(folder, 'log');
    for (const name of readdirSync(log)) {
      if (!/^journal-\d+\.[ab]$/.test(name)) continue;
      const bytes = readFileSync(join(log, name));
      const places = framesOf(bytes, readJournalHead(bytes)?.salt ?? 0).flatMap(({ body }) => {
        const topics = new Set(writesOf(body).flatMap(({ key }) => (isEntryKey(key) ? [placeOfKey(key).topic] : [])));
        const found: { readonly at: number; readonly isAlone: boolean }[] = [];
        for (let at = body.indexOf(words); at >= 0; at = body.indexOf(words, at + 1)) {
          found.push({ at: body.byteOffset - bytes.byteOffset + at, isAlone: topics.size === 1 });
        }
        return found;
      });
      for (const { at, isAlone } of places.slice(spared)) {
        if (alone && !isAlone) continue;
        bytes[at] = bytes.readUInt8(at) ^ 1;
        struck++;
      }
      writeFileSync(join(log, name), bytes);
    }
    return struck;
  };
  /** What the doctor prints, as it is typed. */
  const printedBy = async (rule: string): Promise<string[]> => {
    const [found] = await eventually(`the doctor says ${rule}`, async () => {
      const all = (await findingsOf(standalone.url, rule)).filter(({ finding }) => finding.includes('levee.journal'));
      return all.length > 0 ? all : undefined;
    });
    const words = (found?.command ?? '').split(' #')[0]?.trim().split(' ') ?? [];
    expect(words.slice(0, 3)).toEqual(['levee', 'audit', 'repair']);
    return words.slice(1);
  };
  const offline = (command: readonly string[]) => levee('http://127.0.0.1:1', [...command]);
  const healthy = async (): Promise<void> => {
    await eventually('it is ready', async () => (await ready()).ok);
    await eventually('the doctor finds nothing', async () => (await findingsOf(standalone.url)).length === 0);
  };

  it('decides, is killed, and has lost a decision from both copies', async () => {
    await start();
    await write('first');
    for (let round = 0, struck = 0; struck < 2; round++) {
      expect(round).toBeLessThan(5);
      if (round > 0) await start();
      await create(`lost-${round}`);
      await create(`kept-${round}`);
      expect(await standalone.end('SIGKILL')).toBeNull();
      // The first place is the command itself, in a topic of its own; then the decision, in both copies.
      struck = strike(`"name":"lost-${round}"`, 1, { alone: true });
    }
  }, 120_000);

  it('serves and decides by what comes behind it, and says so', async () => {
    await start();
    await holds('first');
    const answer = await eventually('ready names the stretch', async () => {
      const text = await (await ready()).text();
      return text.includes('levee.journal') ? text : undefined;
    });
    expect(JSON.parse(answer)).toMatchObject({
      troubles: [expect.objectContaining({ what: 'logDamaged', topic: 'levee.journal', partition: 0 })],
    });
    expect((await levee(standalone.url, ['namespace', 'list'])).stdout).toMatch(/kept[^]*lost/);
    await create('meanwhile');
  }, 120_000);

  it('is whole again by the command that the doctor prints, and nothing is lost', async () => {
    await start();
    const command = await printedBy('log-damaged');
    await write('second');
    expect(await standalone.end('SIGKILL')).toBeNull();
    const shown = await offline(command);
    expect([shown.code, shown.stdout]).toEqual([3, expect.stringMatching(/^restore: /)]);
    expect(shown.stdout).toMatch(/would pass over: offsets \d+ to \d+ of the journal/);
    const done = await offline([...command, '--yes']);
    expect([done.code, done.stderr]).toEqual([0, expect.stringMatching(/done/)]);
    expect((await offline(command)).stdout).toMatch(/^nothing to do/);

    for (const value of ['third', 'fourth']) {
      await start();
      await healthy();
      await holds(value === 'third' ? 'second' : 'third');
      await write(value);
      await create(`after-${value}`);
      expect((await levee(standalone.url, ['namespace', 'list'])).stdout).toMatch(/kept[^]*lost[^]*meanwhile/);
      expect(await standalone.end('SIGKILL')).toBeNull();
    }
  }, 240_000);

  it('without a copy in the compacted topics it has no master, says so, and goes on when the loss is accepted', async () => {
    await start();
    await create('gone');
    // What stands behind a stretch tells that there was one.
    await create('later');
    expect(await standalone.end('SIGKILL')).toBeNull();
    // The decisions, and what the compacted topics say of them.
    expect(strike('gone', 1)).toBeGreaterThan(4);
    await start();
    await eventually('it prints why', () =>
      /JOURNAL_SHORT: levee\.journal cannot be read at offsets \d+ to \d+/.test(standalone.printed()),
    );
    await eventually('ready says it', async () => /JOURNAL_SHORT/.test(await (await ready()).text()));
    const command = await printedBy('journal-short');
    await holds('fourth');
    await write('fifth');
    // Said once in a while, not in every round.
    expect(standalone.printed().split('JOURNAL_SHORT').length).toBeLessThan(60);
    expect(await standalone.end('SIGKILL')).toBeNull();

    const refused = await offline([...command, '--yes']);
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringMatching(/lost for good/)]);
    const done = await offline([...command, '--yes', '--accept-loss']);
    expect([done.code, done.stderr]).toEqual([0, expect.stringMatching(/done/)]);
    await start();
    await eventually('it is ready', async () => (await ready()).ok);
    await holds('fifth');
    await write('sixth');
    await create('again');
    // What the disks hold of the namespace is named, and nothing else.
    await eventually('nothing else is wrong', async () =>
      (await findingsOf(standalone.url)).every(({ rule }) => rule === 'unit-left-behind'),
    );
    expect(await standalone.end()).toBe(0);
  }, 240_000);
});
