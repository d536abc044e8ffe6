import { expiryHeader } from '@levee/codec';
import { asOffset } from '@levee/kernel';
import { changesIn } from './change';

const record = (offset: number, value: string | null, expiresAt?: string) => ({
  ...{ offset: asOffset(offset), timestampMs: 1_000, key: Buffer.from('k') },
  value: value === null ? null : Buffer.from(value),
  headers: expiresAt === undefined ? [] : [{ key: expiryHeader, value: Buffer.from(expiresAt) }],
});
const place = { partition: 0, partitions: 1, hashAlgorithm: 'murmur2', recordFormat: 'raw' } as const;

test.each([
  [null, [0, 5_000, 0]],
  [3_000, [4_000, 4_000, 0]],
])('changes of a topic whose values are hidden after %s ms say when theirs expire', (hiddenAfterMs, expected) => {
  const records = [record(0, 'v'), record(1, 'v', '5000'), record(2, null)];
  const changes = changesIn(records, { ...place, hiddenAfterMs }, () => true);
  expect(changes.map(({ expiresAtMs }) => expiresAtMs)).toEqual(expected);
  expect(changes.map(({ value }) => value && String(value))).toEqual(['v', 'v', null]);
});
