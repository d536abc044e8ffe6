import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { MemoryLevel } from 'memory-level';
import { decodeAs, encode, encodePut, expiryHeader, type RecordFormatName } from '@levee/codec';
import { barrierKey, genesisKey } from '@levee/journal';
import { asOffset, asPartition, ByteRate, reservedKeyPrefix } from '@levee/kernel';
import { type StoredRecord, systemClock, systemTimers } from '@levee/log';
import { EmbeddedLog } from '@levee/log-embedded';
import { dice } from '../../../test/support/seed';
import { PlanScript } from '../../cluster/test/plans/plan-script';
import { RandomWalk } from '../../cluster/test/random-walk';
import { samples } from '../../codec/test/samples';
import { topics } from '../../master/test/control-plane';
import { rehearseJournal } from '../src';
import { foldDigests } from '../src/continuous/digest-fold';
import { DumpReader, DumpWriter } from '../src/rehearse/log-dump';
import { journalOf } from './scripted-journal';

const root = join(__dirname, '../../..');
const folder = join(root, 'test/golden');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

/**
 * Logs as releases wrote them; this build must come to the same. `GOLDEN=write npx jest libs/audit/test/golden-logs.spec.ts`
 * makes those of this version anew, before it is released; those of earlier versions are never written again.
 */
const writes = process.env['GOLDEN'] === 'write';

const nowMs = 1_900_000_000_000;
const walkSteps = 220;
const walkSeed = 20_260_302;

type Came = Record<string, string | number>;
type Stored = Pick<StoredRecord, 'key' | 'value' | 'headers' | 'timestampMs'>;

function dumpOf(topic: string, records: readonly Stored[], came?: Came): string[] {
  const lines: string[] = [];
  const writer = new DumpWriter((line) => lines.push(line));
  const head = { levee: 'dump', version: 1, topic, partition: 0, startOffset: 0, software: version } as const;
  writer.head(came === undefined ? head : { ...head, came });
  for (const [offset, record] of records.entries()) writer.record({ ...record, offset: asOffset(offset) });
  writer.end();
  return lines;
}

async function* streamOf(lines: readonly string[]): AsyncGenerator<string> {
  for (const line of lines) yield await Promise.resolve(line);
}

/** Nodes, namespaces, users, plans of all kinds, losses and returns, as people, masters and nodes come to them. */
function walkedJournal(): Stored[] {
  const script = new PlanScript();
  script.nodes(5, 9);
  script.namespace('a', { chunks: 2, replicas: 3, partitions: 10 });
  script.namespace('m', { chunks: 1, replicas: 2, partitions: 2, failoverStrategy: 'manual', recordFormat: 'raw' });
  const walk = new RandomWalk(script, dice(walkSeed));
  for (let step = 0; step < walkSteps; step++)
    for (const { kind, payload, principal, id } of walk.next())
      script.submit(kind, payload, { principal, ...(id === undefined ? {} : { id }) });
  return journalOf(script).map(({ record, atMs }) => ({ headers: [], ...record, timestampMs: atMs }));
}

/** Values, deletions, expiries, what nobody can read, and Levee's own records between them. */
function writtenBinlog(format: RecordFormatName): Stored[] {
  const random = dice(walkSeed);
  const below = (count: number): number => Math.floor(random() * count);
  const own = (key: Buffer, name: 'Genesis' | 'Barrier' | 'Fence'): Stored => {
    const [sample] = samples[name];
    return { key, value: encode(name, sample as never), headers: [], timestampMs: nowMs - 10_000 };
  };
  const records: Stored[] = [own(genesisKey, 'Genesis')];
  for (let i = 0; i < 400; i++) {
    const timestampMs = nowMs - 9_000 + i;
    if (i % 100 === 50) records.push(own(barrierKey, 'Barrier'));
    if (i % 100 === 75) records.push(own(Buffer.concat([reservedKeyPrefix, Buffer.from('fence/p1')]), 'Fence'));
    const key = Buffer.from(`key ${below(150)}`);
    const bytes = Buffer.from(`value ${i}`);
    const expiresAtMs = below(4) === 0 ? nowMs + below(2_000) - 1_000 : null;
    if (below(8) === 0) records.push({ key, value: null, headers: [], timestampMs });
    else if (below(30) === 0) records.push({ key, value: Buffer.from('no Put'), headers: [], timestampMs });
    else if (format === 'put')
      records.push({ key, value: encodePut(key, bytes, expiresAtMs), headers: [], timestampMs });
    else {
      const headers = expiresAtMs === null ? [] : [{ key: expiryHeader, value: Buffer.from(`${expiresAtMs}`) }];
      records.push({ key, value: bytes, headers, timestampMs });
    }
  }
  return records;
}

async function digestOf(records: readonly Stored[], recordFormat: RecordFormatName): Promise<Came> {
  const topic = 'levee.binlog.golden';
  const log = await EmbeddedLog.open({
    db: new MemoryLevel<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' }),
    cleanEveryMs: 0,
  });
  await log.ensureTopics([{ name: topic, partitions: 1, settings: { 'cleanup.policy': 'compact' } }]);
  await log.append(topic, asPartition(0), records);
  const chunkId = 'golden#1/c00001';
  const found = await foldDigests(
    log,
    { topic, partition: 0, partitions: 1, hashAlgorithm: 'murmur2', recordFormat },
    {
      ...{ toOffset: records.length, timeMs: nowMs, clock: systemClock, tableBytesMax: 1 << 20 },
      chunks: [{ chunkId, slotStart: 0, slotEnd: 1_000_000 }],
      signal: new AbortController().signal,
      rate: new ByteRate(0, systemClock, systemTimers),
      onBytes: () => undefined,
    },
  );
  await log.close();
  return { ...found.get(chunkId) } as Came;
}

const linesIn = (file: string): string[] =>
  gunzipSync(readFileSync(join(folder, file)))
    .toString()
    .trimEnd()
    .split('\n');

async function keep(file: string, lines: readonly string[]): Promise<void> {
  writeFileSync(join(folder, file), gzipSync(`${lines.join('\n')}\n`, { level: 9 }));
  await Promise.resolve();
}

const formats: readonly RecordFormatName[] = ['put', 'raw'];

describe('this build folds the logs of every release to what that release came to (U10)', () => {
  beforeAll(async () => {
    if (!writes) return;
    const journal = walkedJournal();
    const { seq, term, digest, decisions } = await rehearseJournal(streamOf(dumpOf(topics.journal, journal)));
    await keep(`journal-${version}.jsonl.gz`, dumpOf(topics.journal, journal, { seq, term, digest, decisions }));
    for (const format of formats) {
      const binlog = writtenBinlog(format);
      const came = await digestOf(binlog, format);
      await keep(`binlog-${format}-${version}.jsonl.gz`, dumpOf('levee.binlog.golden', binlog, came));
    }
  });

  const files = (begin: string): string[] =>
    readdirSync(folder).filter((file) => file.startsWith(begin) && file.endsWith('.jsonl.gz'));

  it('there are logs of this version', () => {
    expect(files('journal-')).toContain(`journal-${version}.jsonl.gz`);
    for (const format of formats) expect(files('binlog-')).toContain(`binlog-${format}-${version}.jsonl.gz`);
  });

  it('journals: every decision, every state', async () => {
    for (const file of files('journal-')) {
      const found = await rehearseJournal(streamOf(linesIn(file)));
      expect({ file, findings: found.findings, differences: found.differences }).toEqual({
        ...{ file, findings: [], differences: [] },
      });
      expect(found.decisions).toBeGreaterThan(150);
    }
  });

  it('binlogs: keys, expiries, digests', async () => {
    for (const file of files('binlog-')) {
      const reader = new DumpReader();
      const records = linesIn(file).flatMap((line) => reader.line(line) ?? []);
      const { came } = reader.close();
      const format = file.startsWith('binlog-raw') ? 'raw' : 'put';
      expect({ file, ...(await digestOf(records, format)) }).toEqual({ file, ...came });
      expect(came?.['keys']).toBeGreaterThan(50);
    }
  });

  describe('what is otherwise is found', () => {
    const journal = walkedJournal();
    const lines = dumpOf(topics.journal, journal, { digest: '0'.repeat(32) });

    it('a decision that comes to another state now is named, with its offset', async () => {
      const other = journal.map((record, i) => {
        if (i !== 20) return record;
        const decision = decodeAs('Decision', record.value as Buffer);
        return { ...record, value: encode('Decision', { ...decision, stateDigest: 'f'.repeat(32) }) };
      });
      const { findings } = await rehearseJournal(streamOf(dumpOf(topics.journal, other)));
      expect(findings[0]).toMatchObject({ rule: 'state', offset: 20, what: expect.stringMatching(/^I8: the state/) });
    });

    it('another digest than its writer came to', async () => {
      const { differences } = await rehearseJournal(streamOf(lines));
      expect(differences).toEqual([expect.stringMatching(/^digest is [0-9a-f]{32}, its writer came to 0{32}$/)]);
    });

    it.each<[string, (all: string[]) => string[], RegExp]>([
      ['a dump that was cut', (all) => all.slice(0, -1), /is cut/],
      ['one without a record', (all) => [all[0]!], /is cut/],
      ['a changed byte', (all) => all.with(5, all[5]!.replace('"value":"w', '"value":"x')), /another SHA-256/],
      ['a record left out', (all) => all.toSpliced(5, 1), /says \d+ records, there are/],
      ['a swapped pair', (all) => all.with(5, all[6]!).with(6, all[5]!), /line 7 has offset/],
      ['lines behind the end', (all) => [...all, '{}'], /behind the end/],
      ['no dump', () => ['hello'], /line 1 is no JSON/],
      ['another file of JSON', () => ['{"a":1}'], /line 1 is no head of a dump/],
      ['null', () => ['null'], /line 1 is no head/],
      ['a later version', (all) => [all[0]!.replace('"version":1', '"version":2')], /of version 2/],
      ['bytes that are none', (all) => all.with(3, '{"offset":2,"timestampMs":1,"key":7,"value":null}'), /no base64/],
      [
        'a journal that was cut',
        (all) => all.with(0, all[0]!.replace('"startOffset":0', '"startOffset":0.5')),
        /no head/,
      ],
    ])('%s is refused', async (_what, change, message) => {
      await expect(rehearseJournal(streamOf(change(lines)))).rejects.toThrow(message);
    });
  });
});
