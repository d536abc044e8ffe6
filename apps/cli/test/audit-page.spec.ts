import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodePut } from '@levee/codec';
import { asPartition } from '@levee/kernel';
import { stepsOf, withOutputs } from '../../../test/support/walked-page';
import { runLevee } from './fake-terminal';
import { stoppedCluster } from './stopped-cluster';

const file = join(__dirname, '../../../docs/audit.md');
const page = readFileSync(file, 'utf8');
const steps = stepsOf(page);
const update = process.env['UPDATE_DOCS'] === '1';

/** What is another one each time. */
const varies: ReadonlyArray<readonly [RegExp, string]> = [
  [/digest [0-9a-f]{32}/g, 'digest …'],
  [/"crc":"[0-9a-f]{8}"/g, '"crc":"…"'],
  [/"leaderEpoch":\d+/g, '"leaderEpoch":…'],
  [/read within \d+ ms/g, 'read within … ms'],
  [/[0-9a-f]{64}/g, '…'],
  [/the last one is [0-9a-f]{32}/g, 'the last one is …'],
  [/command [0-9a-f-]{36}/g, 'command …'],
  [/(decided at|m1 at|test at) \S+Z/g, '$1 …'],
  [/\(now [0-9a-f]{32}\)/g, '(now …)'],
];
const compared = (text: string): string =>
  varies.reduce((all, [what, stands]) => all.replace(what, stands), text.trimEnd());

/** Folders and files of the page. */
const places = new Set(['copy', 'signed-off', 'noon', 'now', 'noon.avro', 'evidence', 'journal.gz']);

describe('docs/audit.md', () => {
  let dir: string;
  const outputs: string[] = [];

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'levee-page-'));
    let nowMs = Date.UTC(2026, 2, 2, 9);
    await stoppedCluster(join(dir, 'copy'), {
      clock: { nowMs: () => nowMs, monotonicMs: () => performance.now() },
      others: [{ name: 'shop.noon' }],
      write: async ({ log, binlog }) => {
        const set = async (at: string, key: string, value: string | null, till = ''): Promise<void> => {
          nowMs = Date.parse(`2026-03-02T${at}:00Z`);
          const bytes = Buffer.from(key);
          const headers = till === '' ? [] : [{ key: 'producer', value: Buffer.from(till) }];
          const put = value === null ? null : encodePut(bytes, Buffer.from(value), null);
          await log.append(binlog, asPartition(0), [{ key: bytes, value: put, headers }]);
        };
        await set('09:01', 'price', '5');
        await set('09:30', 'stock', '120');
        await set('10:05', 'price', '6');
        nowMs = Date.parse('2026-03-02T11:50:00Z');
        await log.compact(binlog);
        await set('11:58', 'price', '4', 'till 7');
        await set('12:20', 'price', '6', 'till 2');
        await set('12:21', 'stock', null);
        await set('12:25', 'colour', 'red');
      },
    });
  });
  afterAll(async () => {
    if (update) writeFileSync(file, withOutputs(page, steps, outputs));
    await rm(dir, { recursive: true, force: true });
  });

  it.each(steps.map((step) => [step.task, step.command, step] as const))('%s: %s', async (_task, _command, step) => {
    let printed = '';
    for (const line of step.command.split('\n')) {
      const [levee, ...argv] = line.split(' ');
      expect(levee).toBe('levee');
      const ran = await runLevee(argv.map((each) => (places.has(each) ? join(dir, each) : each)));
      printed += ran.stdout.toString() + ran.stderr;
    }
    printed = printed.replaceAll(`${dir}/`, '');
    outputs.push(printed);
    if (!update) expect(compared(printed)).toBe(compared(step.output ?? ''));
  });
});
