import type { Link, Tap } from './tcp-proxy';

const produce = 0;
const fetch = 1;
/** Shorter answers to a fetch hold no batch. */
const answerWithoutBatchBytes = 160;
/** A fetch answer ends with three empty lists of tags: of its last partition, of that partition's topic, its own. */
export const bytesBehindFetchedRecords = 3;

/** Cuts a byte stream into Kafka's frames (int32 length in front). */
export class KafkaFrames {
  private rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): Buffer[] {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    const frames: Buffer[] = [];
    while (this.rest.length >= 4) {
      const length = 4 + this.rest.readInt32BE(0);
      if (this.rest.length < length) break;
      frames.push(Buffer.from(this.rest.subarray(0, length)));
      this.rest = this.rest.subarray(length);
    }
    return frames;
  }
}

/** Damages batches between a process and Kafka while it is switched on: their CRC has to be looked at on both sides. */
export class BatchDamage {
  /** Share of produce requests and of fetch answers with records that lose a bit, 0..1. */
  share = 0;
  readonly damaged = { produced: 0, fetched: 0 };

  constructor(private readonly random: () => number) {}

  readonly tap = (): Tap => {
    const requests = new KafkaFrames();
    const answers = new KafkaFrames();
    const apiKeys = new Map<number, number>();
    return {
      toServer: (chunk: Buffer, link: Link) => {
        for (const frame of requests.push(chunk)) {
          const apiKey = frame.readInt16BE(4);
          apiKeys.set(frame.readInt32BE(8), apiKey);
          if (apiKey === produce && this.hit(frame, 0)) this.damaged.produced++;
          link.forward('toServer', frame);
        }
      },
      toClient: (chunk: Buffer, link: Link) => {
        for (const frame of answers.push(chunk)) {
          const correlation = frame.readInt32BE(4);
          const apiKey = apiKeys.get(correlation);
          apiKeys.delete(correlation);
          const holdsBatch = apiKey === fetch && frame.length > answerWithoutBatchBytes;
          if (holdsBatch && this.hit(frame, bytesBehindFetchedRecords)) this.damaged.fetched++;
          link.forward('toClient', frame);
        }
      },
    };
  };

  /** Damages the last byte of the last record. */
  private hit(frame: Buffer, bytesBehind: number): boolean {
    if (this.random() >= this.share) return false;
    const at = frame.length - 1 - bytesBehind;
    frame[at] = (frame[at] as number) ^ 0x10;
    return true;
  }
}
