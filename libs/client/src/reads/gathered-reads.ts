import type { ReadContext } from '../engine-context';
import { sessionTimeMs } from '../expiry-clock';
import type { PointRead } from '../operations';
import type { ReadTarget } from '../routes/namespace-routes';
import type { ReadNamespace } from '../routes/read-namespace';
import { clientOf, laneOf, ReadBatch } from './read-batch';

/** The reads of one tick, by node, namespace and lane: each batch is sent when the tick is over. */
export class GatheredReads {
  private open: ReadBatch[] = [];
  private scheduled = false;
  /** Turns with every tick: which replica eventual reads begin with. */
  turn = 0;

  constructor(
    private readonly context: ReadContext,
    private readonly send: (batch: ReadBatch) => void,
  ) {}

  add(namespace: ReadNamespace, target: ReadTarget, read: PointRead): void {
    read.legs++;
    const lane = laneOf(read, target, this.context.limits);
    let batch = target.open[lane];
    if (!batch?.hasRoomFor(read))
      target.open[lane] = batch = this.opened(new ReadBatch(namespace, target, lane, this.context.expiryNowMs()));
    const clockMs = sessionTimeMs(read.session, batch.clockMs, this.context.limits.sessionClockAheadMsMax);
    if (clockMs > batch.clockMs) batch = this.ahead(batch, read, clockMs);
    batch.add(read);
    if (batch.reads.length >= this.context.limits.readBatchFull) this.sendNow(batch);
  }

  private sendNow(batch: ReadBatch): void {
    this.close(batch);
    this.send(batch);
    // Promises that follow one another would keep it waiting until the last of them.
    clientOf(batch).flush();
  }

  private close(batch: ReadBatch): void {
    const { target, lane } = batch;
    if (target.open[lane] === batch) target.open[lane] = undefined;
    batch.isClosed = true;
  }

  private opened(batch: ReadBatch): ReadBatch {
    this.open.push(batch);
    if (!this.scheduled) {
      this.scheduled = true;
      setImmediate(this.flush);
    }
    return batch;
  }

  /** For a session whose clock is ahead of this process, as its token says: rare, and over once time has caught up. */
  private ahead({ namespace, target, lane }: ReadBatch, read: PointRead, clockMs: number): ReadBatch {
    const batches = (target.ahead ??= new Map<number, ReadBatch>());
    const key = clockMs * 4 + lane;
    let batch = batches.get(key);
    if (!batch?.hasRoomFor(read) || batch.isClosed)
      batches.set(key, (batch = this.opened(new ReadBatch(namespace, target, lane, clockMs))));
    return batch;
  }

  private readonly flush = (): void => {
    this.scheduled = false;
    const batches = this.open;
    this.open = [];
    this.turn++;
    for (const batch of batches) {
      batch.target.ahead = undefined;
      if (batch.isClosed) continue;
      this.close(batch);
      if (batch.reads.length > 0) this.send(batch);
    }
  };
}
