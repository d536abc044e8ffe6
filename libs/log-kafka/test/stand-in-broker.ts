import { EventEmitter } from 'node:events';
import type { KafkajsCall, KafkajsConnection } from '../src/kafkajs-client';
import { ByteReader } from '../src/protocol/byte-reader';
import { ByteWriter } from '../src/protocol/byte-writer';
import { apis } from '../src/protocol/requests';
import { StandInLog, type Stored } from './stand-in-log';

/** Who leads a partition, as far as one broker knows. */
export interface Belief {
  readonly leader: number;
  readonly epoch: number;
}

/** `silence`: no answer ever; `reset`: the connection breaks; `omit`: the answer leaves the partition out. */
export type ProduceReply = Stored | 'silence' | 'reset' | 'omit' | 'garbage';

export interface ProduceStep {
  readonly partition: number;
  readonly batch: Buffer;
  /** Stores it as a broker that leads does. */
  store(): Stored;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const unknownTopicId = 100;
export const standInTopic = 't';

/**
 * One broker of a stand-in cluster: speaks the bytes that the adapter speaks, in this process. It believes what the test
 * makes it believe, so that it may be behind, deposed, or cut off from the others while it still answers clients.
 */
export class StandInBroker {
  readonly host: string;
  readonly counts = new Map<string, number>();
  beliefs: Belief[] = [];
  logs: StandInLog[] = [];
  /** Node ids that it calls alive. */
  alive: number[] = [];
  topicId = Buffer.alloc(16, 7);
  topicExists = true;
  /** Accepts connections; else they are refused. */
  up = true;
  refusedConnections = 0;
  /** Takes requests and never answers. */
  hangs = false;
  nextProducerId = 0;
  throttleMs = 0;
  /** Instead of storing and acknowledging. */
  onProduce: ((step: ProduceStep) => ProduceReply | Promise<ProduceReply>) | undefined;
  private readonly sockets = new Set<{ destroy(): void }>();

  constructor(readonly id: number) {
    this.host = `b${id}`;
  }

  get port(): number {
    return 9092;
  }

  count(name: string): number {
    return this.counts.get(name) ?? 0;
  }

  breakConnections(): void {
    for (const socket of [...this.sockets]) socket.destroy();
  }

  connect(): KafkajsConnection {
    let open = false;
    const pending = new Set<(error: Error) => void>();
    const socket = Object.assign(new EventEmitter(), {
      destroy: () => {
        open = false;
        this.sockets.delete(socket);
        for (const reject of [...pending]) reject(new Error('Closed connection'));
      },
    });
    return {
      isConnected: () => open,
      connect: () => {
        if (!this.up) {
          this.refusedConnections++;
          return Promise.reject(new Error('connect ECONNREFUSED'));
        }
        open = true;
        this.sockets.add(socket);
        return Promise.resolve();
      },
      authenticate: () => Promise.resolve(),
      setVersions: () => undefined,
      setSupportAuthenticationProtocol: () => undefined,
      socket: socket as unknown as NonNullable<KafkajsConnection['socket']>,
      requestQueue: {},
      send: (call) =>
        new Promise<Buffer>((resolve, reject) => {
          const timer = setTimeout(() => end(new Error('Request timed out')), call.requestTimeout);
          const end = (error: Error): void => {
            clearTimeout(timer);
            pending.delete(end);
            reject(error);
          };
          pending.add(end);
          this.answer(call).then((answer) => {
            if (answer === 'silence') return;
            if (answer === 'reset') return socket.destroy();
            clearTimeout(timer);
            pending.delete(end);
            resolve(answer);
          }, end);
        }),
    };
  }

  private async answer({ request }: KafkajsCall): Promise<Buffer | 'silence' | 'reset'> {
    this.counts.set(request.apiName, this.count(request.apiName) + 1);
    if (this.hangs) return 'silence';
    const { buffer } = await request.encode();
    const reader = new ByteReader(buffer);
    switch (request.apiKey) {
      case apis.apiVersions.key:
        return versions();
      case apis.metadata.key:
        return this.metadata();
      case apis.produce.key:
        return this.produce(reader);
      case apis.fetch.key:
        return this.fetch(reader);
      case apis.listOffsets.key:
        return this.listOffsets(reader);
      case apis.offsetsForLeaderEpoch.key:
        return this.epochEnd(reader);
      case apis.initProducerId.key:
        return bytes(
          new ByteWriter()
            .int32(0)
            .int16(0)
            .int64(this.id * 1000 + ++this.nextProducerId)
            .int16(0),
        );
      case apis.findCoordinator.key:
        return bytes(new ByteWriter().int32(0).int16(0).string(null).int32(this.id).string(this.host).int32(this.port));
      default:
        throw new Error(`the stand-in does not know ${request.apiName}`);
    }
  }

  private metadata(): Buffer {
    const w = new ByteWriter()
      .int8(0)
      .int32(0)
      .unsignedVarint(this.alive.length + 1);
    for (const id of this.alive) w.int32(id).compactString(`b${id}`).int32(9092).unsignedVarint(0).int8(0);
    w.unsignedVarint(0).int32(1).unsignedVarint(2);
    w.int16(this.topicExists ? 0 : 3)
      .compactString(standInTopic)
      .raw(this.topicId)
      .int8(0);
    const partitions = this.topicExists ? this.beliefs : [];
    w.unsignedVarint(partitions.length + 1);
    for (const [partition, { leader, epoch }] of partitions.entries()) {
      w.int16(0).int32(partition).int32(leader).int32(epoch);
      w.unsignedVarint(1).unsignedVarint(1).unsignedVarint(1).int8(0);
    }
    return bytes(w.int32(0).int8(0).int8(0));
  }

  private async produce(reader: ByteReader): Promise<Buffer | 'silence' | 'reset'> {
    reader.string();
    reader.int16();
    reader.int32();
    const asked = reader
      .array((r) => {
        r.string();
        return r.array((p) => ({ partition: p.int32(), batch: Buffer.from(p.raw(p.int32())) }));
      })
      .flat();
    const replies = await Promise.all(asked.map(async (one) => [one.partition, await this.store(one)] as const));
    if (replies.some(([, reply]) => reply === 'silence')) return 'silence';
    if (replies.some(([, reply]) => reply === 'reset')) return 'reset';
    if (replies.some(([, reply]) => reply === 'garbage')) return Buffer.from([0, 0, 0, 9, 1]);
    const said = replies.filter((reply): reply is readonly [number, Stored] => reply[1] !== 'omit');
    const w = new ByteWriter().int32(1).string(standInTopic).int32(said.length);
    for (const [partition, { errorCode, baseOffset }] of said)
      w.int32(partition).int16(errorCode).int64(baseOffset).int64(0).int64(0);
    return bytes(w.int32(this.throttleMs));
  }

  private store({ partition, batch }: { partition: number; batch: Buffer }): ProduceReply | Promise<ProduceReply> {
    const belief = this.beliefs[partition];
    const log = this.logs[partition];
    if (!this.topicExists || belief === undefined || log === undefined) return { errorCode: 3, baseOffset: -1 };
    if (belief.leader !== this.id) return { errorCode: 6, baseOffset: -1 };
    const store = (): Stored => log.append(batch, belief.epoch);
    return this.onProduce === undefined ? store() : this.onProduce({ partition, batch, store });
  }

  private async fetch(reader: ByteReader): Promise<Buffer> {
    reader.skipTags();
    reader.int32();
    const waitMs = reader.int32();
    reader.raw(4 + 4 + 1 + 4 + 4); // bytes, isolation, session
    const asked = reader
      .compactArray((r) => {
        const topicId = r.uuid();
        const partitions = r.compactArray((p) => {
          const one = { topicId, partition: p.int32(), leaderEpoch: p.int32(), offset: p.int64() };
          p.raw(4 + 8 + 4);
          p.skipTags();
          return one;
        });
        r.skipTags();
        return partitions;
      })
      .flat();
    const refusal = (one: (typeof asked)[number]): number =>
      one.topicId === this.topicId.toString('hex') && this.topicExists
        ? this.refusal(one.partition, one.leaderEpoch)
        : unknownTopicId;
    const untilMs = performance.now() + waitMs;
    const idle = (): boolean =>
      asked.every((one) => refusal(one) === 0 && this.logs[one.partition]?.highWatermark === one.offset);
    // Never in the same turn: a client that asks without a pause must not stop the process, and the test with it.
    await pause(0);
    while (idle() && performance.now() < untilMs) await pause(2);
    const w = new ByteWriter()
      .int8(0)
      .int32(0)
      .int16(0)
      .int32(0)
      .unsignedVarint(asked.length + 1);
    for (const one of asked) {
      const { topicId, partition, offset } = one;
      const log = this.logs[partition] as StandInLog;
      const outside = offset < log.startOffset || offset > log.endOffset;
      const errorCode = refusal(one) !== 0 ? refusal(one) : outside ? 1 : 0;
      const end = errorCode === 0 ? log.highWatermark : -1;
      const batches = errorCode === 0 ? log.from(offset) : Buffer.alloc(0);
      w.uuid(topicId).unsignedVarint(2).int32(partition).int16(errorCode).int64(end).int64(end).int64(log.startOffset);
      w.unsignedVarint(0)
        .int32(-1)
        .unsignedVarint(batches.length + 1)
        .raw(batches)
        .int8(0)
        .int8(0);
    }
    return bytes(w.int8(0));
  }

  private listOffsets(reader: ByteReader): Buffer {
    reader.int32();
    reader.int8();
    const asked = reader
      .array((r) => {
        r.string();
        return r.array((p) => ({ partition: p.int32(), leaderEpoch: p.int32(), timeMs: p.int64() }));
      })
      .flat();
    const w = new ByteWriter().int32(0).int32(1).string(standInTopic).int32(asked.length);
    for (const { partition, leaderEpoch, timeMs } of asked) {
      const log = this.logs[partition] as StandInLog;
      const errorCode = this.refusal(partition, leaderEpoch);
      const offset = timeMs === -2 ? log.startOffset : log.highWatermark;
      w.int32(partition).int16(errorCode).int64(-1).int64(offset).int32(0);
    }
    return bytes(w);
  }

  private epochEnd(reader: ByteReader): Buffer {
    reader.int32();
    reader.int32();
    reader.string();
    reader.int32();
    const [partition, current, asked] = [reader.int32(), reader.int32(), reader.int32()];
    const end = (this.logs[partition] as StandInLog).epochEnd(asked);
    const w = new ByteWriter().int32(0).int32(1).string(standInTopic).int32(1);
    return bytes(w.int16(this.refusal(partition, current)).int32(partition).int32(end.epoch).int64(end.endOffset));
  }

  /** Does this broker lead the partition, and under that epoch, as far as it knows? */
  private refusal(partition: number, leaderEpoch: number): number {
    const belief = this.beliefs[partition];
    if (belief === undefined || !this.topicExists) return 3;
    if (leaderEpoch >= 0 && leaderEpoch < belief.epoch) return 74;
    if (leaderEpoch > belief.epoch) return 75;
    return belief.leader === this.id ? 0 : 6;
  }
}

function versions(): Buffer {
  const all = Object.values(apis);
  const w = new ByteWriter().int16(0).int32(all.length);
  for (const { key } of all) w.int16(key).int16(0).int16(20);
  return bytes(w);
}

function bytes(writer: ByteWriter): Buffer {
  return Buffer.from(writer.bytes());
}
