import { prepareBatch } from '@levee/chunk-store';
import { encode, encodePut, fingerprintHex, putCrc } from '@levee/codec';
import { barrierKey, fenceKey, genesisKey } from '@levee/journal';
import { asOffset, asPartition } from '@levee/kernel';
import { hashOf, partitionOf, slotOf, type HashAlgorithm } from '@levee/keyspace';

/** What docs/binlog.md promises, as bytes: test/golden/binlog.json, which every example of examples/producers checks. */
export interface BinlogVectors {
  readonly about: string;
  readonly put: { readonly fingerprint: string; readonly frameHex: string };
  readonly records: readonly RecordVector[];
  readonly keys: readonly KeyVector[];
  readonly reserved: readonly { readonly what: string; readonly keyHex: string }[];
  readonly bad: readonly BadVector[];
}

interface RecordVector {
  readonly what: string;
  readonly framing: 'single-object' | 'confluent';
  readonly keyHex: string;
  readonly valueHex: string;
  readonly expiresAtMs: number | null;
  /** Signed. */
  readonly crc: number | null;
  readonly recordHex: string;
}

interface KeyVector {
  readonly keyHex: string;
  readonly algorithm: HashAlgorithm;
  readonly partitions: number;
  readonly partition: number;
  readonly slot: number;
}

interface BadVector {
  readonly what: string;
  readonly keyHex: string | null;
  readonly recordHex: string;
  /** Of the copy in quarantine. */
  readonly reason: string;
}

/** What every Put begins with: `C3 01` and the fingerprint of its schema. */
const frame = encode('Put', { expiresAtMs: null, crc: null, value: Buffer.alloc(0) }).subarray(0, 10);
const utf8 = (text: string): Buffer => Buffer.from(text, 'utf8');
const everyByte = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
const farMs = 2 ** 53 - 2;

const contents: readonly (readonly [what: string, key: Buffer, value: Buffer, expiresAtMs: number | null])[] = [
  ['never expires', utf8('order:1'), utf8('3 apples'), null],
  ['expires', utf8('order:2'), utf8('3 apples'), 1_900_000_000_000],
  ['an empty value', utf8('order:3'), utf8(''), null],
  ['no ASCII in key and value', utf8('größe:4'), utf8('12 µm'), null],
  ['a binary key, every byte in the value', Buffer.from('0aff00c301', 'hex'), everyByte, null],
  ['expired since 1970', utf8('order:5'), utf8('old'), 1],
  ['the last time there is', utf8('order:6'), utf8('late'), farMs],
  ['a value of 64 bytes, the first length of two bytes', utf8('order:7'), Buffer.alloc(64, 'v'), null],
];

/** Each content with and without a crc, and in the framing of Confluent's serializers. */
function recordVectors(): RecordVector[] {
  return contents.flatMap(([what, key, value, expiresAtMs]) => {
    const checked = encodePut(key, value, expiresAtMs);
    const plain = encode('Put', { expiresAtMs, crc: null, value });
    const confluent = Buffer.concat([Buffer.from('000000002a', 'hex'), plain.subarray(frame.length)]);
    const told = { keyHex: key.toString('hex'), valueHex: value.toString('hex'), expiresAtMs };
    const vector = (framing: RecordVector['framing'], crc: number | null, record: Buffer): RecordVector => ({
      what,
      framing,
      ...told,
      crc,
      recordHex: record.toString('hex'),
    });
    return [
      vector('single-object', null, plain),
      vector('single-object', putCrc(key, value, expiresAtMs), checked),
      vector('confluent', null, confluent),
    ];
  });
}

const hashedKeys = ['order:1', 'order:2', '', 'a', 'größe:4', 'foobar', 'a-little-bit-longer-string'].map(utf8);
const taggedKeys = ['{order:1}:lines', 'lines:{order:1}', '{}:empty', 'no tag'].map(utf8);
const partitionCounts = [1, 8, 64, 1000] as const;

function keyVectors(): KeyVector[] {
  const vectors = (keys: readonly Buffer[], algorithm: HashAlgorithm): KeyVector[] =>
    keys.flatMap((key) =>
      partitionCounts.map((partitions) => {
        const hash = hashOf(key, algorithm);
        const keyHex = key.toString('hex');
        return {
          keyHex,
          algorithm,
          partitions,
          partition: partitionOf(hash, partitions),
          slot: slotOf(hash, partitions),
        };
      }),
    );
  return [
    ...vectors([...hashedKeys, Buffer.from('0aff00c301', 'hex')], 'murmur2'),
    ...vectors(taggedKeys, 'murmur2-hashtag'),
  ];
}

/** What a node says to each record, asked of the code that applies them. */
function badVectors(): BadVector[] {
  const key = utf8('order:1');
  const good = encodePut(key, utf8('3 apples'), null);
  const unknown = Buffer.concat([Buffer.from('c3010102030405060708', 'hex'), good.subarray(frame.length)]);
  const flipped = Buffer.from(good);
  flipped[flipped.length - 1] = (flipped.at(-1) as number) ^ 1;
  const cases: readonly (readonly [what: string, key: Buffer | null, record: Buffer])[] = [
    ['plain text', key, utf8('3 apples')],
    ['an empty record', key, Buffer.alloc(0)],
    ['a byte is missing', key, good.subarray(0, -1)],
    ['a byte too many', key, Buffer.concat([good, Buffer.alloc(1)])],
    ['no key', null, good],
    ['another schema', key, unknown],
    ['one bit of the value is another, the crc is not', key, flipped],
  ];
  return cases.map(([what, key, value]) => ({
    what,
    keyHex: key === null ? null : key.toString('hex'),
    recordHex: value.toString('hex'),
    reason: reasonOf(key, value),
  }));
}

/** Why a record with this key and value is not applied as it is. */
function reasonOf(key: Buffer | null, value: Buffer): string {
  const at = { topic: 'levee.binlog.default', partition: asPartition(0), firstOffset: asOffset(1) };
  const record = { offset: asOffset(1), timestampMs: 0, key, value, headers: [] };
  const end = { nextOffset: asOffset(2), endOffset: asOffset(2), leaderEpoch: 0 };
  const batch = { ...at, ...end, records: [record] };
  const { problems } = prepareBatch(batch, { hashAlgorithm: 'murmur2', partitions: 1, recordFormat: 'put' });
  if (problems.length !== 1) throw new Error(`${problems.length} problems with a record that should have one`);
  return problems.map(({ reason }) => reason).join();
}

export function binlogVectors(): BinlogVectors {
  return {
    about:
      'The contract of docs/binlog.md as bytes. `records`: what a Put of this content is, byte for byte (a writer need not compute the crc; the schema id of Confluent framing is any). `keys`: where a key belongs. `reserved`: keys that a reader skips. `bad`: records that are not applied as they are, with the reason of their copy in quarantine.',
    put: {
      fingerprint: fingerprintHex(frame.readBigUInt64LE(2)),
      frameHex: frame.toString('hex'),
    },
    records: recordVectors(),
    keys: keyVectors(),
    reserved: [
      { what: 'Genesis', keyHex: genesisKey.toString('hex') },
      { what: 'Barrier', keyHex: barrierKey.toString('hex') },
      { what: 'Fence of the producer p1', keyHex: fenceKey('p1').toString('hex') },
    ],
    bad: badVectors(),
  };
}
