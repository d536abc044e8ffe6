import { keyText } from '@levee/codec';
import { Failure } from '@levee/kernel';
import { hashOf, slotOf } from '@levee/keyspace';
import type { FoldedRecord } from '../fold-store';
import type { RebuiltFolder } from './rebuilt-folder';

type DifferenceKind = 'missing' | 'extra' | 'different';

/** Keys of one block of slots. */
interface ChunkDifferences {
  readonly chunk: string;
  readonly missing: number;
  readonly extra: number;
  readonly different: number;
}

export interface FolderDiff {
  /** Keys that are the same on both sides. */
  readonly same: number;
  readonly chunks: readonly ChunkDifferences[];
  /** The first ones. */
  readonly examples: readonly {
    readonly kind: DifferenceKind;
    readonly chunk: string;
    readonly key: string;
    readonly left: string | undefined;
    readonly right: string | undefined;
  }[];
}

const examplesMax = 20;

/**
 * What `right` lacks (missing), has besides (extra), or has otherwise (different), by chunk, key by key. Expired values
 * count as absent, judged by `nowMs` on both sides. Fails with NOT_COMPARABLE when the two are not of one namespace.
 */
export async function diffFolders(left: RebuiltFolder, right: RebuiltFolder, nowMs: number): Promise<FolderDiff> {
  const { partitions, hashAlgorithm, binlog } = left.manifest;
  if (right.manifest.partitions !== partitions || right.manifest.hashAlgorithm !== hashAlgorithm)
    throw new Failure('NOT_COMPARABLE', `${binlog} and ${right.manifest.binlog} place their keys in other ways`);
  const chunks = new Map<string, Record<DifferenceKind, number>>();
  const examples: FolderDiff['examples'][number][] = [];
  let same = 0;
  const judge = (key: Buffer, a: FoldedRecord | undefined, b: FoldedRecord | undefined): void => {
    const [was, is] = [living(a, nowMs), living(b, nowMs)];
    if (was === undefined && is === undefined) return;
    const equal = was !== undefined && is !== undefined && was.crc === is.crc && sameBytes(was.raw, is.raw);
    if (equal) return void same++;
    const kind = is === undefined ? 'missing' : was === undefined ? 'extra' : 'different';
    const chunk = chunkOver(left, slotOf(hashOf(key, hashAlgorithm), partitions));
    const counts = chunks.get(chunk) ?? { missing: 0, extra: 0, different: 0 };
    counts[kind]++;
    chunks.set(chunk, counts);
    if (examples.length < examplesMax) examples.push({ kind, chunk, key: keyText(key), left: said(a), right: said(b) });
  };
  for (let partition = 0; partition < partitions; partition++) {
    const [one, other] = [await left.partition(partition), await right.partition(partition)];
    try {
      await merge(one.all(), other.all(), judge);
    } finally {
      await one.close();
      await other.close();
    }
  }
  return { same, chunks: [...chunks].map(([chunk, counts]) => ({ chunk, ...counts })), examples };
}

function chunkOver({ manifest }: RebuiltFolder, slot: number): string {
  const over = manifest.chunks.find(({ slotStart, slotEnd }) => slotStart <= slot && slot < slotEnd);
  return over?.chunkId ?? `slot ${slot}, which no chunk had`;
}

function living(record: FoldedRecord | undefined, nowMs: number): FoldedRecord | undefined {
  const absent = record === undefined || record.tombstone || (record.expiresAtMs > 0 && record.expiresAtMs <= nowMs);
  return absent ? undefined : record;
}

const sameBytes = (a: Buffer | null | undefined, b: Buffer | null | undefined): boolean =>
  a === undefined || a === null ? b === undefined || b === null : b !== undefined && b !== null && a.equals(b);

const said = (record: FoldedRecord | undefined): string | undefined =>
  record && `offset ${record.offset}${record.tombstone ? ', deleted' : `, crc ${record.crc.toString(16)}`}`;

/** Both by ascending key. */
async function merge(
  left: AsyncIterator<FoldedRecord>,
  right: AsyncIterator<FoldedRecord>,
  judge: (key: Buffer, a: FoldedRecord | undefined, b: FoldedRecord | undefined) => void,
): Promise<void> {
  const next = async (of: AsyncIterator<FoldedRecord>): Promise<FoldedRecord | undefined> => {
    const step = await of.next();
    return step.done === true ? undefined : step.value;
  };
  let [a, b] = [await next(left), await next(right)];
  while (a !== undefined || b !== undefined) {
    const order: number = a === undefined ? 1 : b === undefined ? -1 : Buffer.compare(a.key, b.key);
    judge((order <= 0 ? a : b)?.key as Buffer, order <= 0 ? a : undefined, order >= 0 ? b : undefined);
    if (order <= 0) a = await next(left);
    if (order >= 0) b = await next(right);
  }
}
