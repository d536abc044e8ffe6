import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decode, encode, fingerprint, fingerprintHex } from '@levee/codec';
import { type RecordName, type RecordTypes, schemaVersions } from '@levee/events';
import { olderSamples } from './older-samples';
import { samples } from './samples';

/** `GOLDEN=write npx jest libs/codec/test/golden.spec.ts` writes the files anew: commit only what you understand. */
const writing = process.env['GOLDEN'] === 'write';
const folder = join(__dirname, '../../../test/golden');

function golden(file: string, actual: unknown): unknown {
  const path = join(folder, file);
  if (writing) writeFileSync(path, `${JSON.stringify(actual, null, 1)}\n`);
  return JSON.parse(readFileSync(path, 'utf8'));
}

const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_key, v: unknown) => {
      const bytes = v as { type?: unknown; data?: number[] } | null;
      return bytes?.type === 'Buffer' && bytes.data ? { hex: Buffer.from(bytes.data).toString('hex') } : v;
    }),
  );

function vector<Name extends RecordName>(name: Name, record: RecordTypes[Name], version?: number) {
  return { name, record: plain(record), hex: encode(name, record, version).toString('hex') };
}

const names = Object.keys(samples) as RecordName[];

describe('what is on disk and on the wire stays readable for ever', () => {
  it('no published schema has changed, and all are there', () => {
    const prints = schemaVersions.map(({ name, version, schema }) => ({
      name,
      version,
      fingerprint: fingerprintHex(fingerprint(schema)),
    }));
    expect(prints).toEqual(golden('schemas.json', prints));
  });

  it('every record has samples', () => {
    expect([...names].sort()).toEqual([...new Set(schemaVersions.map((each) => each.name))].sort());
  });

  it('every sample is written as the same bytes', () => {
    const vectors = names.flatMap((name) => [
      ...olderSamples
        .filter((each) => each.name === name)
        .map(({ version, record }) => vector(name, record as RecordTypes[typeof name], version)),
      ...samples[name].map((record) => vector(name, record)),
    ]);
    expect(vectors).toEqual(golden('records.json', vectors));
  });

  it('every sample is read back from the golden bytes', () => {
    if (writing) return;
    for (const { name, record, hex } of golden('records.json', []) as {
      name: string;
      record: unknown;
      hex: string;
    }[]) {
      const decoded = decode(Buffer.from(hex, 'hex'));
      const older = olderSamples.find((each) => each.name === name && each.version === decoded.version);
      expect({ name: decoded.name, version: decoded.version, record: plain(decoded.record) }).toEqual({
        name,
        version: older?.version ?? schemaVersions.filter((each) => each.name === name).length,
        record: { ...(record as object), ...older?.added },
      });
    }
  });

  it('what older versions wrote is read as the newest says it', () => {
    const nodeV1 =
      'c3015fd688fd799bf088046e314830623961366635322d376335352d346237612d386630652d35663866346630653961303148306239613666' +
      '35322d376335352d346237612d386630652d3566386634663065396130310c7261636b2d611c3132372e302e302e313a373430301c3132372e' +
      '302e302e313a373530300475700280f086c2ee651c4e6f6465526567697374657265640e04';
    const { version, record } = decode(Buffer.from(nodeV1, 'hex'));
    const [newest] = samples.NodeState;
    expect({ version, record: plain(record) }).toEqual({ version: 1, record: { ...newest, cordoned: false } });
    expect(encode('NodeState', { ...(newest as RecordTypes['NodeState']), cordoned: false }, 1).toString('hex')).toBe(
      nodeV1,
    );
  });
});
