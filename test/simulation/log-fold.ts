import type { NamespaceState } from '@levee/events';
import { asOffset, asPartition, Digest, hash128, isReservedKey } from '@levee/kernel';
import { hashOf, slotOf } from '@levee/keyspace';
import type { Log } from '@levee/log';

interface LastRecord {
  readonly slot: number;
  readonly key: Buffer;
  readonly value: Buffer | null;
}

/**
 * What a replica must hold, computed from the log alone and by other code than a replica's: for each key the last
 * record before `offset`, of the partition and the slots given (I1). Records without expiry only.
 */
export class LogFold {
  private readonly last = new Map<string, LastRecord>();

  private constructor() {}

  static async of(log: Log, namespace: NamespaceState, at: { partition: number; offset: number }): Promise<LogFold> {
    const fold = new LogFold();
    if (at.offset === 0) return fold;
    const stop = new AbortController();
    const from = { nextOffset: asOffset(0), leaderEpoch: -1 };
    const options = { signal: stop.signal };
    for await (const batch of log.tail(namespace.binlog, asPartition(at.partition), from, options)) {
      for (const { offset, key, value } of batch.records)
        if (offset < at.offset && key !== null && !isReservedKey(key)) fold.take(namespace, key, value);
      if (batch.nextOffset >= at.offset) break;
    }
    stop.abort();
    return fold;
  }

  digest(slots: { readonly slotStart: number; readonly slotEnd: number }): { digest: string; keys: number } {
    const digest = new Digest();
    let keys = 0;
    for (const { slot, key, value } of this.last.values()) {
      if (value === null || slot < slots.slotStart || slot >= slots.slotEnd) continue;
      digest.add(hash128([key, value]));
      keys++;
    }
    return { digest: digest.toHex(), keys };
  }

  private take({ hashAlgorithm, partitions }: NamespaceState, key: Buffer, value: Buffer | null): void {
    const slot = slotOf(hashOf(key, hashAlgorithm), partitions);
    this.last.set(key.toString('latin1'), {
      slot,
      key: Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
    });
  }
}
