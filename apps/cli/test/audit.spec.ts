import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { controlTopicSpecs } from '@levee/journal';
import { asPartition } from '@levee/kernel';
import { EmbeddedLog } from '@levee/log-embedded';
import { controlNames, recordsOf } from '../../../libs/journal/test/cut-log';
import { nodeRegistration, openLog, openView, run, startMaster, topics } from '../../../libs/master/test/control-plane';
import { runLevee } from './fake-terminal';

describe('levee audit repair', () => {
  let dataDir: string;

  /** The folder of an embedded log in which each topic is as long as `keeps` says. */
  const folderWith = async (keeps: Readonly<Record<string, number>>): Promise<void> => {
    const log = await openLog();
    const master = await startMaster(log, { instance: 'm1', claimAtOnce: true });
    const view = await openView(log);
    for (const nodeId of ['n1', 'n2', 'n3']) await run(log, view, nodeRegistration(nodeId, 1));
    await view.close();
    await master.close();
    const folder = await EmbeddedLog.open({ location: join(dataDir, 'log'), cleanEveryMs: 0 });
    await folder.ensureTopics(controlTopicSpecs(topics));
    for (const topic of controlNames) {
      const records = (await recordsOf(log, topic)).slice(0, keeps[topic] ?? Infinity);
      if (records.length > 0) await folder.append(topic, asPartition(0), records);
    }
    await folder.close();
    await log.close();
  };

  const repair = (...more: string[]) => runLevee(['audit', 'repair', '--data-dir', dataDir, ...more]);

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'levee-audit-'));
  });
  afterEach(() => rm(dataDir, { recursive: true, force: true }));

  it('says that a whole journal needs nothing', async () => {
    await folderWith({});
    const ran = await repair();
    expect([ran.code, ran.stderr]).toEqual([0, '']);
    expect(ran.stdout.toString()).toMatch(/^nothing to do: the journal is whole/);
  });

  it('shows what it would do, does it with --yes, and then there is nothing to do', async () => {
    await folderWith({ [topics.journal]: 3 });
    const shown = await repair();
    expect(shown.code).toBe(3);
    expect(shown.stdout.toString()).toMatch(/^restore: .*give everything back/);
    expect(shown.stdout.toString()).toMatch(/would write: 1 claims, 2 decisions that change \d+ entities/);
    expect(shown.stderr).toMatch(/nothing was changed.*--yes/);
    expect((await repair()).stdout.toString()).toBe(shown.stdout.toString());

    const done = await repair('--yes');
    expect(done.code).toBe(0);
    expect(done.stderr).toMatch(/done: masters reign again/);
    expect((await repair()).stdout.toString()).toMatch(/^nothing to do/);
  });

  it('gives nothing up unless that is asked for', async () => {
    await folderWith({ [topics.journal]: 3, [topics.routes]: 0 });
    const refused = await repair('--yes');
    expect(refused.code).toBe(3);
    expect(refused.stderr).toMatch(/lost for good.*--accept-loss/);
    expect((await repair('--yes', '--accept-loss')).code).toBe(0);
    expect((await repair()).stdout.toString()).toMatch(/^nothing to do/);
  });

  it('begins no log in a folder that holds something else', async () => {
    const location = join(dataDir, 'log');
    await mkdir(join(location, 'lock'), { recursive: true });
    await writeFile(join(location, 'lock', 'of-somebody-else'), 'kept');
    const refused = await repair('--yes');
    expect([refused.code === 0, refused.stderr]).toEqual([false, expect.stringMatching(/holds no embedded log/)]);
    expect([await readdir(location), await readdir(join(location, 'lock'))]).toEqual([['lock'], ['of-somebody-else']]);
  });

  it('asks which log is meant', async () => {
    for (const argv of [[], ['--data-dir', dataDir, '--brokers', 'k:9092']])
      expect((await runLevee(['audit', 'repair', ...argv])).code).toBe(2);
  });
});
