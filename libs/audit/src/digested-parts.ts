import { writeLong } from '@levee/chunk-store';
import type { RecordFormatName } from '@levee/codec';
import { defined } from '@levee/kernel';
import type { FoldedRecord } from './fold-store';

/** What of a record goes into a digest, as replicas make it: a `Put` says its expiry itself, a raw value does not. */
export function digestedParts(
  { key, raw, expiresAtMs }: Pick<FoldedRecord, 'key' | 'raw' | 'expiresAtMs'>,
  format: RecordFormatName,
): readonly Uint8Array[] {
  const value = defined(raw ?? undefined, 'a fold with values has those of all keys');
  if (format === 'put' || expiresAtMs === 0) return [key, value];
  const expiry = Buffer.allocUnsafe(8);
  writeLong(expiry, 0, expiresAtMs);
  return [key, value, expiry];
}
