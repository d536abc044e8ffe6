import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { logWhere } from '../src/log-where';
import { storeHere } from '../src/store-here';
import type { Terminal } from '../src/terminal';
import { runLevee } from './fake-terminal';

/** A cluster of processes that runs in this folder notes where its Kafka is. */
describe('which log is meant', () => {
  let folder: string;
  const note = (more: object): void =>
    writeFileSync(
      join(folder, 'cluster', 'cluster.json'),
      JSON.stringify({ pid: process.pid, portals: [{ http: 'http://127.0.0.1:1' }], ...more }),
    );
  const kafka = { prefix: 'levee', kafka: { brokers: '127.0.0.1:2', pids: [] } };
  const chosen = (options: Parameters<typeof logWhere>[0], env: Record<string, string> = {}) =>
    logWhere(options, { env, here: storeHere(folder) } as unknown as Terminal);
  const asked = (...options: string[]) =>
    runLevee(['audit', 'get', 'shop', 'k', '--at', '0:1', ...options], { env: { LEVEE_DATA_DIR: folder } });

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'which-log-'));
    mkdirSync(join(folder, 'cluster'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('is its Kafka, unless another one is named', () => {
    note(kafka);
    expect(chosen({})).toEqual({ brokers: '127.0.0.1:2' });
    expect(chosen({ brokers: 'a:1' })).toEqual({ brokers: 'a:1' });
    expect(chosen({ dataDir: 'copy' })).toEqual({ dataDir: 'copy' });
    expect(chosen({}, { KAFKA_BROKERS: 'b:1' })).toEqual({ brokers: 'b:1' });
  });

  it('is not its Kafka where the line names another portal: that one has another log', async () => {
    note(kafka);
    const { code, stderr } = await asked('--url', 'http://127.0.0.1:3');
    expect([code, stderr]).toEqual([2, expect.stringContaining('name the log: --brokers host:port, or --data-dir')]);
  });

  it('is refused where its topics are called otherwise', async () => {
    note({ ...kafka, prefix: 'mine' });
    const { code, stderr } = await asked();
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/keeps its topics under mine, .* is levee: set it to mine/),
    ]);
    expect(chosen({}, { LEVEE_TOPIC_PREFIX: 'mine' })).toEqual({ brokers: '127.0.0.1:2' });
  });

  it.each([{}, { prefix: 'levee' }, { kafka: kafka.kafka }, { ...kafka, kafka: { brokers: 5 } }])(
    'is asked for where the note says none: %j',
    async (more) => {
      note(more);
      expect((await asked()).stderr).toContain('name the log: --brokers host:port');
    },
  );
});
