import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { producerSettings } from '@levee/cluster';
import { decodeAs } from '@levee/codec';
import { binlogSpec } from '@levee/journal';
import { murmur2 } from '@levee/kernel';
import { binlogVectors } from './support/binlog-vectors';

const root = join(__dirname, '..');
const vectorsFile = join(root, 'test', 'golden', 'binlog.json');
const page = join(root, 'docs', 'binlog.md');
const vectors = binlogVectors();
const code = (text: string): string => `\`${text.replace(/\|/g, '\\|')}\``;
/** As people read a key: text where it is text. */
const shownKey = (hex: string): string => {
  const key = Buffer.from(hex, 'hex');
  const text = key.toString('utf8');
  return /^[\p{L}\p{N}\p{P}\p{S} ]+$/u.test(text) ? code(text) : key.length === 0 ? 'empty' : `bytes ${code(hex)}`;
};

function tables(): Record<string, string[]> {
  const put = vectors.records.filter(({ recordHex }) => recordHex.length < 100);
  const settings = producerSettings({
    ...{ binlog: 'levee.binlog.default', partitions: 8 },
    ...({ hashAlgorithm: 'murmur2', recordFormat: 'put' } as const),
  });
  const spec = binlogSpec({ binlog: 'levee.binlog.default', partitions: 8, historyWindowMs: 7 * 86_400_000 });
  return {
    topic: [
      '| setting | value |',
      '|---|---|',
      ...Object.entries(spec.settings).map(([k, v]) => `| ${code(k)} | ${code(v)} |`),
    ],
    clients: [
      '| client | what to set |',
      '|---|---|',
      ...settings.clients.map(({ client, setting }) => `| ${client} | ${setting} |`),
    ],
    records: [
      '| key | value | expires | crc | framing | record, hexadecimal |',
      '|---|---|---|---|---|---|',
      ...put.map(
        ({ keyHex, valueHex, expiresAtMs, crc, framing, recordHex }) =>
          `| ${shownKey(keyHex)} | ${shownKey(valueHex)} | ${expiresAtMs ?? 'never'} | ${crc ?? '-'} | ${framing} | ${code(recordHex)} |`,
      ),
    ],
    keys: [
      '| key | by | of 8 | of 64 | of 1000 |',
      '|---|---|---|---|---|',
      ...vectors.keys
        .filter(({ partitions }) => partitions === 1)
        .map(({ keyHex, algorithm }) => {
          const at = (count: number): string => {
            const found = vectors.keys.find(
              (key) => key.keyHex === keyHex && key.algorithm === algorithm && key.partitions === count,
            );
            return `${found?.partition} / ${found?.slot}`;
          };
          return `| ${shownKey(keyHex)} | ${algorithm} | ${[8, 64, 1000].map(at).join(' | ')} |`;
        }),
    ],
    reserved: [
      '| record | key, hexadecimal |',
      '|---|---|',
      ...vectors.reserved.map(({ what, keyHex }) => `| ${what} | ${code(keyHex)} |`),
    ],
    bad: [
      '| record | reason |',
      '|---|---|',
      ...vectors.bad.map(({ what, reason }) => `| ${what} | ${code(reason)} |`),
    ],
  };
}

describe('the contract of the binlog', () => {
  it('test/golden/binlog.json is what the code writes (GOLDEN=write writes it)', () => {
    const text = `${JSON.stringify(vectors, null, 1)}\n`;
    if (process.env['GOLDEN'] === 'write') writeFileSync(vectorsFile, text);
    expect(readFileSync(vectorsFile, 'utf8')).toBe(text);
  });

  it('docs/binlog.md has the tables of the code (UPDATE_DOCS=1 writes them)', () => {
    let wanted = readFileSync(page, 'utf8');
    for (const [name, lines] of Object.entries(tables())) {
      const [start, end] = [`<!-- ${name} -->\n`, `\n<!-- end of ${name} -->`];
      const [from, to] = [wanted.indexOf(start), wanted.indexOf(end)];
      expect([name, from >= 0, to > from]).toEqual([name, true, true]);
      wanted = wanted.slice(0, from + start.length) + lines.join('\n') + wanted.slice(to);
    }
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(page, wanted);
    expect(readFileSync(page, 'utf8')).toBe(wanted);
  });

  it('the schema on the page is that of schemas/Put, without its words', () => {
    const shown = /```json\n([\s\S]*?)```/.exec(readFileSync(page, 'utf8'))?.[1] ?? '';
    const published = JSON.parse(readFileSync(join(root, 'schemas', 'Put', 'v1.avsc'), 'utf8')) as object;
    const silent = (schema: object): unknown =>
      JSON.parse(JSON.stringify(schema, (name, value: unknown) => (name === 'doc' ? undefined : value)));
    expect(JSON.parse(shown)).toEqual(silent(published));
  });

  it('the vectors say what the page says in words', () => {
    for (const { valueHex, expiresAtMs, crc, recordHex } of vectors.records)
      expect(decodeAs('Put', Buffer.from(recordHex, 'hex'))).toEqual({
        expiresAtMs,
        crc,
        value: Buffer.from(valueHex, 'hex'),
      });
    for (const { keyHex, algorithm, partitions, partition, slot } of vectors.keys) {
      if (algorithm === 'murmur2')
        expect(partition).toBe((murmur2(Buffer.from(keyHex, 'hex')) & 0x7fffffff) % partitions);
      expect(Math.floor(slot / (1_000_000 / partitions))).toBe(partition);
    }
    for (const { keyHex } of vectors.reserved) expect(keyHex).toMatch(/^006c6576656500/);
    expect(new Set(vectors.bad.map(({ reason }) => reason))).toEqual(
      new Set(['garbage', 'noKey', 'unknownSchema', 'badCrc']),
    );
  });
});
