import type { RecordKind } from '@levee/chunk-store';
import type { FollowedReplica } from '@levee/follow';
import type { Partition } from '@levee/kernel';
import type { FollowedNamespace } from './followed-namespace';

/** The last record of a key. */
export interface HeldRecord {
  readonly offset: number;
  /** Ms since 1970, 0 = never. */
  readonly expiresAtMs: number;
  readonly kind: RecordKind;
  /** Where the user's value begins. */
  readonly valueStart: number;
  /** As it stands in the log; short ones as latin1. */
  readonly raw: string | Buffer;
}

/** One partition of a namespace as it is held for this process, wherever that is. */
export interface HeldPartition extends FollowedReplica {
  /** Everything below is applied. */
  readonly nextOffset: number;
  /** `undefined`: nobody counts them. */
  readonly keys: number | undefined;
  /** [safety] Why it may hold a part of something, and answers nothing any more. */
  readonly failure: unknown;
  /** [safety] What had expired then, by the time of portals, may have been removed. */
  readonly sweptToMs: number;
  /** `undefined`: nothing, or what has expired at `nowMs`. Throws when what is held cannot be trusted. */
  get(keyText: string, nowMs: number): HeldRecord | undefined;
  /** That nothing was found may be for its expiry. */
  mayHide(keyText: string): boolean;
  /** Where in the log somebody stands who has found this. */
  seenAt(found: HeldRecord | undefined): number;
  /** Removes what had expired at `nowMs`, or some time before. */
  sweep(nowMs: number): Promise<void>;
  /** It is not used any more, and gives back what it takes. `kept`: what outlives this process may be gone on from. */
  end(how: 'forgotten' | 'kept'): void;
}

/** A partition that outlives this process. */
export interface KeptPartition extends HeldPartition {
  /** When it last missed nothing, ms since 1970, by the time of portals. */
  readonly completeAtMs: number;
  /** [safety] It was seen further than it stands: what it holds is of both (I13). */
  readonly isRewound: boolean;
  complete(atMs: number): void;
  /** Such an error says nothing about what it holds. */
  outlives(error: unknown): boolean;
}

/** Where partitions are kept that outlive this process. */
export interface KeptPartitions {
  /**
   * Waits for the end of what was open of it before. What does not fit, or is not what was written, is given up as a whole, and
   * `anew` says why.
   */
  open(place: KeptPlace): Promise<{ readonly held: KeptPartition; readonly anew: string | undefined }>;
  /** Waits for the ends of all. */
  close(): Promise<void>;
}

export interface KeptPlace {
  /** As the application calls it. */
  readonly name: string;
  readonly followed: FollowedNamespace;
  readonly partition: Partition;
  /** The very topic. */
  readonly topicId: string;
  readonly slotStart: number;
  readonly slotEnd: number;
  readonly nowMs: number;
}

/** The user's value; nothing of it is shared with what is held. */
export function valueOf({ raw, valueStart }: HeldRecord): Buffer {
  if (typeof raw === 'string') return Buffer.from(valueStart === 0 ? raw : raw.slice(valueStart), 'latin1');
  return Buffer.from(raw.subarray(valueStart));
}
