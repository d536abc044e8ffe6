import { type Difference, diffWitnesses, type FoldedRecord, type WitnessEntry } from '@levee/audit';

const nowMs = 1_000_000;
/** The log was cut at 100. */
const cutOffset = 100;

type Log = { readonly at: number; readonly crc?: number; readonly expiresAtMs?: number; readonly tombstone?: boolean };
type Held = { readonly at: number; readonly crc?: number; readonly expiresAtMs?: number };

const expired = { expiresAtMs: nowMs };
const lives = { expiresAtMs: nowMs + 1 };

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

async function differences(
  log: Readonly<Record<string, Log>>,
  witnesses: readonly { readonly nextOffset: number; readonly holds: Readonly<Record<string, Held>> }[],
): Promise<Difference[]> {
  const folded = Object.entries(log).map(
    ([key, { at, crc = at, expiresAtMs = 0, tombstone = false }]): FoldedRecord => {
      return { key: Buffer.from(key), offset: at, crc, expiresAtMs, tombstone };
    },
  );
  const readings = witnesses.map(({ nextOffset, holds }, i) => ({
    name: `n${i + 1}`,
    nextOffset,
    entries: each(
      Object.entries(holds).map(([key, { at, crc = at, expiresAtMs = 0 }]): WitnessEntry => {
        return { key: Buffer.from(key), offset: at, crc, expiresAtMs, raw: Buffer.from(`${key}@${at}`) };
      }),
    ),
  }));
  const found: Difference[] = [];
  for await (const each of diffWitnesses({ fold: foldedOf(folded), witnesses: readings, cutOffset, nowMs }))
    found.push(each);
  return found;
}

const foldedOf = (records: readonly FoldedRecord[]): AsyncIterator<FoldedRecord> => each(records);

/** One key, one witness that stands at 150. */
it.each<[what: string, log: Log | undefined, witness: Held | undefined, verdict: Difference['kind']]>([
  ['a key that the log lost', undefined, { at: 120 }, 'restore'],
  ['a newer value that the log lost', { at: 50 }, { at: 120 }, 'restore'],
  ['a value over a deletion, lost', { at: 50, tombstone: true }, { at: 120 }, 'restore'],
  ['what lies below the cut is the same', { at: 50 }, { at: 50 }, 'same'],
  ['a deletion that the log lost', { at: 50 }, undefined, 'delete'],
  ['a deletion that the log still has', { at: 50, tombstone: true }, undefined, 'same'],
  ['an expired value needs no deletion', { at: 50, ...expired }, undefined, 'same'],
  ['a lost value that has expired, over an older one', { at: 50 }, { at: 120, ...expired }, 'delete'],
  ['a lost value that has expired, over nothing', undefined, { at: 120, ...expired }, 'same'],
  ['a lost value that expires later', undefined, { at: 120, ...lives }, 'restore'],
  ['a newer write wins over a lost one', { at: 105 }, { at: 120 }, 'newer'],
  ['a newer write at the very offset wins', { at: 120, crc: 7 }, { at: 120 }, 'newer'],
  ['a newer deletion wins over a lost value', { at: 130, tombstone: true }, { at: 120 }, 'newer'],
  ['a newer write wins over a lost deletion', { at: 130 }, undefined, 'newer'],
  ['two values at one offset below the cut', { at: 50, crc: 1 }, { at: 50, crc: 2 }, 'conflict'],
  ['the log lacks a record below the cut', undefined, { at: 50 }, 'conflict'],
  ['the log has another record below the cut', { at: 60 }, { at: 50 }, 'conflict'],
  ['a deletion below the cut that the witness never saw', { at: 60, tombstone: true }, { at: 50 }, 'conflict'],
])('%s', async (_, log, witness, verdict) => {
  const found = await differences(log === undefined ? {} : { k: log }, [
    { nextOffset: 150, holds: witness === undefined ? {} : { k: witness } },
  ]);
  expect(found.map(({ kind }) => kind)).toEqual(log === undefined && witness === undefined ? [] : [verdict]);
});

/** Two witnesses: n1 stands at 150, n2 at `next`. */
it.each<[what: string, next: number, first: Held | undefined, second: Held | undefined, verdict: Difference['kind']]>([
  ['both hold the same', 150, { at: 120 }, { at: 120 }, 'restore'],
  ['the further one has a later record', 130, { at: 140 }, { at: 120 }, 'restore'],
  ['the further one has a record that the other had not reached', 130, { at: 130 }, undefined, 'restore'],
  ['the further one saw a later deletion', 130, undefined, { at: 120 }, 'same'],
  ['two values at one offset', 150, { at: 120, crc: 1 }, { at: 120, crc: 2 }, 'conflict'],
  ['one lacks what it must have seen', 130, { at: 120 }, undefined, 'conflict'],
  ['one holds what the other, as far, has not', 150, undefined, { at: 120 }, 'conflict'],
  ['one stands at an older record than it must', 130, { at: 125 }, { at: 120 }, 'conflict'],
  ['the nearer one holds a later record', 130, { at: 110 }, { at: 120 }, 'conflict'],
  ['an expired value that one has removed', 150, { at: 120, ...expired }, undefined, 'same'],
])('two witnesses: %s', async (_, next, first, second, verdict) => {
  const holds = (of: Held | undefined): Record<string, Held> => (of === undefined ? {} : { k: of });
  const found = await differences({}, [
    { nextOffset: 150, holds: holds(first) },
    { nextOffset: next, holds: holds(second) },
  ]);
  expect(found.map(({ kind }) => kind)).toEqual([verdict]);
});

it('keys are met in their order, whoever has them', async () => {
  const found = await differences({ a: { at: 1 }, c: { at: 3 }, d: { at: 140 } }, [
    { nextOffset: 150, holds: { a: { at: 1 }, b: { at: 110 }, d: { at: 120 } } },
    { nextOffset: 150, holds: { a: { at: 1 }, b: { at: 110 }, d: { at: 120 } } },
  ]);
  expect(found.map(({ kind, key }) => `${key.toString()} ${kind}`)).toEqual([
    'a same',
    'b restore',
    'c delete',
    'd newer',
  ]);
});
