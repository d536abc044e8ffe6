import { batchAt, sequenceAfter } from '../src/record-batch';

export interface StandInBatch {
  readonly baseOffset: number;
  readonly count: number;
  readonly bytes: Buffer;
}

export interface Stored {
  readonly errorCode: number;
  readonly baseOffset: number;
}

const outOfOrder = 45;
/** As many batches of a producer as a broker remembers. */
const remembered = 5;

/**
 * A partition's log as a broker keeps it: offsets, leader epochs, and the deduplication of idempotent batches, which
 * compares ranges of sequence numbers and never what is in them.
 */
export class StandInLog {
  readonly batches: StandInBatch[] = [];
  readonly epochs: { readonly epoch: number; readonly startOffset: number }[] = [];
  startOffset = 0;
  /** Committed up to here; `undefined`: everything is. */
  committedTo: number | undefined;
  /** Batches that were acknowledged as a repetition of other records: each is a lost write. */
  readonly mistaken: string[] = [];

  get endOffset(): number {
    const last = this.batches.at(-1);
    return last === undefined ? 0 : last.baseOffset + last.count;
  }

  get highWatermark(): number {
    return this.committedTo ?? this.endOffset;
  }

  copy(): StandInLog {
    const copy = new StandInLog();
    copy.batches.push(...this.batches);
    copy.epochs.push(...this.epochs);
    copy.startOffset = this.startOffset;
    copy.committedTo = this.committedTo;
    return copy;
  }

  /** Loses everything from `endOffset` on, which must be where a batch begins. */
  cut(endOffset: number): void {
    while (this.batches.length > 0 && this.endOffset > endOffset) this.batches.pop();
    while ((this.epochs.at(-1)?.startOffset ?? -1) >= endOffset) this.epochs.pop();
  }

  lead(epoch: number): void {
    if ((this.epochs.at(-1)?.epoch ?? -1) < epoch) this.epochs.push({ epoch, startOffset: this.endOffset });
  }

  append(sent: Buffer, leaderEpoch: number): Stored {
    const producerId = Number(sent.readBigInt64BE(batchAt.producerId));
    const sequence = sent.readInt32BE(batchAt.baseSequence);
    const count = sent.readInt32BE(batchAt.count);
    const own = this.batches.filter(({ bytes }) => Number(bytes.readBigInt64BE(batchAt.producerId)) === producerId);
    const before = own
      .slice(-remembered)
      .find((b) => b.bytes.readInt32BE(batchAt.baseSequence) === sequence && b.count === count);
    if (before !== undefined) {
      if (!before.bytes.subarray(batchAt.records).equals(sent.subarray(batchAt.records)))
        this.mistaken.push(`sequence ${sequence} of producer ${producerId} at offset ${before.baseOffset}`);
      return { errorCode: 0, baseOffset: before.baseOffset };
    }
    const last = own.at(-1);
    if (last !== undefined && sequenceAfter(last.bytes.readInt32BE(batchAt.baseSequence), last.count) !== sequence)
      return { errorCode: outOfOrder, baseOffset: -1 };
    const baseOffset = this.endOffset;
    const bytes = Buffer.from(sent);
    bytes.writeBigInt64BE(BigInt(baseOffset), batchAt.baseOffset);
    bytes.writeInt32BE(leaderEpoch, batchAt.leaderEpoch);
    this.lead(leaderEpoch);
    this.batches.push({ baseOffset, count, bytes });
    return { errorCode: 0, baseOffset };
  }

  /** As LeaderEpochFileCache.endOffsetFor: where the largest epoch not above `epoch` ended. */
  epochEnd(epoch: number): { epoch: number; endOffset: number } {
    const latest = this.epochs.at(-1);
    if (latest === undefined || epoch > latest.epoch) return { epoch: -1, endOffset: -1 };
    if (latest.epoch === epoch) return { epoch, endOffset: this.endOffset };
    const above = this.epochs.findIndex((known) => known.epoch > epoch);
    const floor = this.epochs[above - 1];
    const { startOffset } = this.epochs[above] as { startOffset: number };
    return { epoch: floor?.epoch ?? epoch, endOffset: startOffset };
  }

  from(offset: number): Buffer {
    const { highWatermark } = this;
    const wanted = this.batches.filter(
      (b) => b.baseOffset + b.count > offset && b.baseOffset + b.count <= highWatermark,
    );
    return Buffer.concat(wanted.map(({ bytes }) => bytes));
  }
}
