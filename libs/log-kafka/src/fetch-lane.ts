import { messageOf } from '@levee/kernel';
import type { Address, BrokerConnection } from './broker-connection';
import type { KafkaLogLimits } from './limits';
import type { PartitionTail } from './partition-tail';
import { decodeFetch, encodeFetch, type FetchAnswer, type FetchPartition } from './protocol/fetch';
import { kafkaError } from './protocol/error-codes';
import { apis } from './protocol/requests';

export interface LaneHost {
  readonly limits: KafkaLogLimits;
  readonly buffered: { readonly bytes: number };
  connection(address: Address): BrokerConnection;
  /** The tail has left the lane: an error code of the broker, or the reason why there was no answer. */
  lost(tail: PartitionTail, why: { errorCode: number; reason: string; sinceMs: number }): void;
  nowMs(): number;
  pause(ms: number): Promise<void>;
}

interface Placed {
  readonly tail: PartitionTail;
  /** What an answer calls it. */
  readonly place: string;
  readonly leaderEpoch: number;
  /** Why the answer under way does not count: the tail leaves when it has come. */
  evicted: string | undefined;
}

/** About a millisecond of decoding. */
const bytesPerTurn = 128 * 1024;

interface Poll {
  readonly connection: BrokerConnection;
  busy: boolean;
  waitMs: number;
}

/**
 * Fetches for tails of one broker, each partition at most once, with at most two requests under way:
 * `main` carries every tail that has room and is held by the broker while there is nothing (a long poll); `joining`
 * serves tails that came, or got room, meanwhile, with short waits, until main has come back and takes them in.
 * So no tail waits for another's silence, and an idle broker sees four requests a second.
 *
 * With `gatherMs` main rests so long after an answer with records, and nothing joins: for tails in no hurry.
 */
export class FetchLane {
  private readonly tails = new Map<string, Placed>();
  private readonly main: Poll;
  private readonly joining: Poll;
  private scheduled = false;
  private turn = 0;
  /** Tails whose readers may have something to get. */
  private readonly deliveries: PartitionTail[] = [];
  private delivering = false;

  constructor(
    readonly address: Address,
    private readonly host: LaneHost,
    readonly gatherMs = 0,
  ) {
    this.main = { connection: host.connection(address), busy: false, waitMs: 0 };
    this.joining = { connection: host.connection(address), busy: false, waitMs: 0 };
  }

  has(tail: PartitionTail): boolean {
    return this.tails.has(tail.name);
  }

  get size(): number {
    return this.tails.size;
  }

  add(tail: PartitionTail, leaderEpoch: number): void {
    this.tails.set(tail.name, { tail, place: placeOf(tail), leaderEpoch, evicted: undefined });
    this.wake();
  }

  remove(tail: PartitionTail): void {
    if (this.tails.get(tail.name)?.tail === tail) this.tails.delete(tail.name);
  }

  /**
   * The broker does not lead this tail's partition any more. A request that is under way has to come back first: the
   * tail must not be asked for twice at a time.
   */
  evict(tail: PartitionTail, reason: string): void {
    const placed = this.tails.get(tail.name);
    if (placed?.tail !== tail) return;
    if (tail.inFlight) placed.evicted = reason;
    else this.lose(tail, { errorCode: kafkaError.none, reason, sinceMs: this.host.nowMs() });
  }

  /** Looks, at the end of this turn of the event loop, whether somebody is ready who is in no request. */
  wake(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.pump();
    });
  }

  close(): void {
    this.main.connection.close();
    this.joining.connection.close();
  }

  private pump(): void {
    const { limits } = this.host;
    if (!this.main.busy) this.start(this.main, this.joining.busy ? limits.fetchJoinMs : limits.fetchWaitMs);
    else if (this.gatherMs === 0 && !this.joining.busy && this.main.waitMs > limits.fetchJoinMs)
      this.start(this.joining, limits.fetchJoinMs);
  }

  private start(poll: Poll, waitMsMost: number): void {
    const { limits, buffered } = this.host;
    const wanted: FetchPartition[] = [];
    const asked = new Map<string, PartitionTail>();
    const budgetLeft = limits.fetchBufferBytesMax - buffered.bytes;
    const nowMs = this.host.nowMs();
    let waitMs = waitMsMost;
    // The broker fills up in the order given: each time another one is the first.
    const entries = [...this.tails.values()];
    const first = entries.length === 0 ? 0 : this.turn++ % entries.length;
    for (let i = 0; i < entries.length; i++) {
      const { tail, place, leaderEpoch } = entries[(first + i) % entries.length] as Placed;
      if (tail.inFlight) continue;
      const bytesMax = tail.wantedBytes(budgetLeft);
      if (bytesMax === 0) continue;
      const { topicId, partition } = tail;
      wanted.push({ topicId, partition, leaderEpoch, fetchOffset: tail.position, bytesMax });
      asked.set(place, tail);
      tail.inFlight = true;
      tail.askedMs = nowMs;
      waitMs = Math.min(waitMs, tail.hurries ? 0 : Math.max(1, tail.idleMs / 2));
    }
    if (asked.size === 0) return;
    poll.busy = true;
    poll.waitMs = Math.floor(waitMs);
    const goOn = (): void => {
      poll.busy = false;
      this.pump();
    };
    void this.poll(poll, wanted, asked).then((throttleMs) => {
      const rests = this.gatherMs > 0 && [...asked.values()].some((tail, i) => tail.position > wanted[i]!.fetchOffset);
      // KIP-219: the broker does not read this connection for so long; what it would not read must not be sent.
      const restMs = Math.max(Math.min(throttleMs, limits.throttleMsMax), rests ? this.gatherMs : 0);
      if (restMs > 0) void this.host.pause(restMs).then(goOn);
      else goOn();
      if (!this.delivering) this.deliver();
    });
  }

  /**
   * Decodes for waiting readers, up to {@link bytesPerTurn} in one turn of the event loop: the broker works on the next
   * request meanwhile, and other work gets its turn.
   */
  private deliver(): void {
    this.delivering = false;
    for (let bytes = 0; this.deliveries.length > 0;) {
      if (bytes > bytesPerTurn) {
        this.delivering = true;
        setImmediate(() => this.deliver());
        return;
      }
      bytes += (this.deliveries.shift() as PartitionTail).deliver();
    }
  }

  /** For how long the broker wants to be left alone, ms. Never throws. */
  private async poll(
    poll: Poll,
    wanted: readonly FetchPartition[],
    asked: ReadonlyMap<string, PartitionTail>,
  ): Promise<number> {
    const { limits } = this.host;
    const sinceMs = this.host.nowMs();
    let answerBytes: number;
    let answer: { errorCode: number; partitions: FetchAnswer[]; throttleMs: number };
    try {
      const request = encodeFetch(wanted, { waitMs: poll.waitMs, bytesMax: limits.fetchRequestBytesMax });
      const payload = await poll.connection.send(apis.fetch, request, poll.waitMs);
      answerBytes = payload.length;
      answer = decodeFetch(payload);
      if (answer.errorCode !== kafkaError.none) throw new Error(`Fetch answered error ${answer.errorCode}`);
    } catch (error) {
      for (const tail of asked.values()) {
        tail.inFlight = false;
        this.lose(tail, { errorCode: kafkaError.none, reason: messageOf(error), sinceMs });
      }
      return 0;
    }
    for (const tail of asked.values()) tail.inFlight = false;
    for (const entry of answer.partitions) {
      const tail = asked.get(placeOf(entry));
      // A tail that has left, or came for the same partition while this request was under way, did not ask for this.
      const placed = tail === undefined ? undefined : this.tails.get(tail.name);
      if (tail === undefined || placed?.tail !== tail) continue;
      const { evicted } = placed;
      if (evicted !== undefined) this.lose(tail, { errorCode: kafkaError.none, reason: evicted, sinceMs });
      else if (entry.errorCode === kafkaError.none) {
        tail.accept(entry, { waitMs: poll.waitMs, answerBytes });
        this.deliveries.push(tail);
      } else this.lose(tail, { errorCode: entry.errorCode, reason: '', sinceMs });
    }
    return answer.throttleMs;
  }

  private lose(tail: PartitionTail, why: { errorCode: number; reason: string; sinceMs: number }): void {
    if (this.tails.get(tail.name)?.tail !== tail) return;
    this.tails.delete(tail.name);
    this.host.lost(tail, why);
  }
}

function placeOf({ topicId, partition }: { readonly topicId: string; readonly partition: number }): string {
  return `${partition} ${topicId}`;
}
