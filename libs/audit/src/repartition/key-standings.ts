import { recordFormats } from '@levee/codec';
import type { LogHeader, StoredBatch, StoredRecord } from '@levee/log';
import { readHomeMark } from './home-mark';
import type { Place, Standing } from './judge-key';
import { type ReadSoFar, unread } from './read-on';
import type { RepartitionedBinlog } from './strays';

/** What a partition holds of some of its keys, as far as it was read. */
export class KeyStandings {
  readonly so: ReadSoFar = unread();
  /** Below it stands what was appended beside this reading. */
  appendedTo = 0;
  private readonly known = new Map<string, Known>();
  private latestMs = -Infinity;

  /** `namesProducers`: the log says who wrote a batch; otherwise nobody but Levee can write there. */
  constructor(
    private readonly binlog: RepartitionedBinlog,
    private readonly partition: number,
    private readonly options: { readonly namesProducers: boolean; readonly nowMs: () => number },
    keys: Iterable<Buffer>,
  ) {
    for (const key of keys) this.known.set(nameOf(key), { own: undefined, home: undefined, value: undefined });
  }

  take(records: readonly StoredRecord[], batch: StoredBatch): void {
    for (const record of records) {
      const { key, offset, timestampMs } = record;
      this.latestMs = Math.max(this.latestMs, timestampMs);
      const known = key === null ? undefined : this.known.get(nameOf(key));
      if (known === undefined) continue;
      known.value = this.valueOf(record as StoredRecord & { readonly key: Buffer });
      const from = this.broughtFrom(record.headers, batch);
      // What was put last again is what was written here, unless something newer had come meanwhile.
      const isAgain = from?.partition === this.partition && from.offset >= (known.own?.offset ?? 0);
      if (from !== undefined && isAgain) known.own = { ...from, at: offset };
      else if (from !== undefined) known.home = { offset, from };
      else {
        // [safety] A clock that fell makes it no older.
        const timeMs = batch.timestampType === 'create' ? latestTime : this.latestMs;
        known.own = { partition: this.partition, offset, timeMs, at: offset };
      }
    }
  }

  of(key: Buffer): Standing & { readonly isHeld: boolean } {
    const { own, home, value } = this.known.get(nameOf(key)) ?? nothing;
    const { unreadableMs } = this.so;
    const isLive = value !== undefined && value !== null && (value === 0 || value > this.options.nowMs());
    const last = own === undefined ? undefined : { offset: own.at, timeMs: own.timeMs };
    return { own: last, home, unreadableMs, isLive, isHeld: value !== undefined };
  }

  /** Where the newest record that was written here stands first. */
  ownPlace(key: Buffer): Place | undefined {
    return this.known.get(nameOf(key))?.own;
  }

  /** [safety] A producer that copies headers from one record to another has brought nothing home. */
  private broughtFrom(headers: readonly LogHeader[], { producerId }: StoredBatch): Place | undefined {
    if (headers.length === 0) return undefined;
    const mark = readHomeMark(headers);
    return mark !== undefined && (!this.options.namesProducers || mark.producerId === producerId) ? mark : undefined;
  }

  private valueOf({ key, value, headers }: StoredRecord & { readonly key: Buffer }): number | null {
    return value === null ? null : recordFormats[this.binlog.recordFormat].expiryOf(key, { value, headers });
  }
}

interface Known {
  /** `offset`, `timeMs`: where and when it was written first; `at`: where it stands last. */
  own: (Place & { readonly at: number }) | undefined;
  home: Standing['home'];
  /** Of the last record: when it expires (0: never), null: it deletes. */
  value: number | null | undefined;
}

/** Later than all: of a record of which the log does not know when it was written. */
const latestTime = 1e15 - 1;
const nothing: Known = { own: undefined, home: undefined, value: undefined };
const nameOf = (key: Buffer): string => key.toString('latin1');
