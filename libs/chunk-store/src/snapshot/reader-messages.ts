import type { CopyRange } from '../copy/snapshot-copy';
import type { FilesToCheck } from '../leveldb-files/check-files';
import type { ReplicaIdentity } from '../replica-identity';

/** Begins a reading under a number that no other ever had. */
export type OpenRequest = {
  readonly reading: number;
  readonly location: string;
  readonly identity: ReplicaIdentity;
} & ({ readonly kind: 'copy'; readonly range: CopyRange } | { readonly kind: 'digest' });

/** Between a process and its reader thread. A reading is a snapshot with what is done to it. */
export type ReaderRequest =
  | OpenRequest
  /** Of files, not of a database; the slices go by the number, nothing stays open. */
  | { readonly kind: 'check'; readonly reading: number; readonly location: string; readonly what: FilesToCheck }
  | { readonly kind: 'next'; readonly reading: number; readonly bytesMax: number }
  | { readonly kind: 'scan'; readonly reading: number; readonly barriers: readonly (readonly [number, number])[] }
  | {
      readonly kind: 'takeBack';
      readonly reading: number;
      readonly partition: number;
      readonly databaseKeys: readonly Uint8Array[];
      readonly then: readonly (Uint8Array | undefined)[];
    }
  | { readonly kind: 'totals'; readonly reading: number }
  /** Also of a reading whose last request is not answered yet: that one fails. */
  | { readonly kind: 'close'; readonly reading: number }
  /** Closes everything that is open in this database, and the database. */
  | { readonly kind: 'release'; readonly location: string };

export type ToReader =
  | { readonly to: 'ask'; readonly id: number; readonly request: ReaderRequest }
  /** The next slice of that reading may begin. */
  | { readonly to: 'goOn'; readonly reading: number };

export type FromReader =
  | { readonly to: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly to: 'failure'; readonly id: number; readonly code: string | undefined; readonly message: string }
  /** A slice is over, of so many bytes. */
  | { readonly to: 'slice'; readonly reading: number; readonly bytes: number };

export interface ReadBlock {
  readonly bytes: Uint8Array;
  readonly entries: number;
  readonly last: boolean;
}

export const readerLimits = {
  /** A scan in the thread asks its process whether to go on after so many bytes, some milliseconds of work. */
  sliceBytes: 256 << 10,
  /** A thread that owes an answer and is silent for so long is given up; a slice takes some milliseconds. */
  silentMs: 30_000,
  heapMiB: 128,
  youngGenerationMiB: 16,
  /** Linux: as `nice`. On processors that are all busy, who serves clients goes first. */
  niceness: 5,
} as const;
