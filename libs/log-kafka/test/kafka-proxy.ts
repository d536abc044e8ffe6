import { Socket } from 'node:net';
import { bytesBehindFetchedRecords, KafkaFrames } from '../../../test/faults/kafka-batches';
import { type Link, type Tap, TcpProxy } from '../../../test/faults/tcp-proxy';
import { eventually } from '../../../test/support/deadline';

export const produceKey = 0;
const fetchKey = 1;
export const initProducerIdKey = 22;

/**
 * Stands between a client and all brokers of a cluster, and knows which request each answer belongs to. Use
 * {@link socketFactory} as the client's: every broker address gets a proxy of its own.
 */
export class KafkaProxy {
  private readonly proxies = new Map<string, Promise<TcpProxy>>();
  private readonly held = new Map<number, Array<() => void>>();
  private loseNext: number | undefined;
  private corruptNext: number | undefined;
  private undoCuts: Array<() => void> | undefined;
  private damaging = false;
  lostAnswers = 0;
  damagedFrames = 0;

  /** The next answer to a request of this kind is swallowed and its connection reset: the broker has carried it out. */
  loseNextAnswer(apiKey: number): void {
    this.loseNext = apiKey;
  }

  /** Damages a byte in the batches of the next fetch answer that has some. */
  corruptNextFetch(): void {
    this.corruptNext = fetchKey;
  }

  /** Answers have a length that cannot be, until the returned function is called. */
  damageFrames(): () => void {
    this.damaging = true;
    return () => (this.damaging = false);
  }

  /** Requests of this kind do not reach their broker until the returned function is called. */
  hold(apiKey: number): () => void {
    const waiting: Array<() => void> = [];
    this.held.set(apiKey, waiting);
    return () => {
      this.held.delete(apiKey);
      for (const go of waiting) go();
    };
  }

  /** A request of this kind has come and is held. */
  async holding(apiKey: number): Promise<void> {
    await eventually(`a request of kind ${apiKey} is held`, () => (this.held.get(apiKey)?.length ?? 0) > 0);
  }

  /** No connection works until the returned function is called. */
  async cut(): Promise<() => void> {
    const proxies = await Promise.all(this.proxies.values());
    this.undoCuts = proxies.map((proxy) => proxy.cut());
    return () => {
      for (const undo of this.undoCuts ?? []) undo();
      this.undoCuts = undefined;
    };
  }

  async close(): Promise<void> {
    for (const proxy of await Promise.all(this.proxies.values())) await proxy.close();
  }

  readonly socketFactory = ({
    host,
    port,
    onConnect,
  }: {
    host: string;
    port: number;
    onConnect: () => void;
  }): Socket => {
    const name = `${host}:${port}`;
    let proxy = this.proxies.get(name);
    if (proxy === undefined) this.proxies.set(name, (proxy = TcpProxy.listen({ host, port }, () => this.tap())));
    return lateConnect(proxy, onConnect);
  };

  private tap(): Tap {
    const requests = new KafkaFrames();
    const answers = new KafkaFrames();
    const apiKeys = new Map<number, number>();
    return {
      toServer: (chunk, link) => {
        for (const frame of requests.push(chunk)) {
          const apiKey = frame.readInt16BE(4);
          apiKeys.set(frame.readInt32BE(8), apiKey);
          const go = (): void => link.forward('toServer', frame);
          const held = this.held.get(apiKey);
          if (held === undefined) go();
          else held.push(go);
        }
      },
      toClient: (chunk, link) => {
        for (const frame of answers.push(chunk)) this.answer(apiKeys, frame, link);
      },
    };
  }

  private answer(apiKeys: Map<number, number>, frame: Buffer, link: Link): void {
    const correlation = frame.readInt32BE(4);
    const apiKey = apiKeys.get(correlation);
    apiKeys.delete(correlation);
    if (apiKey !== undefined && apiKey === this.loseNext) {
      this.loseNext = undefined;
      this.lostAnswers++;
      link.reset();
      return;
    }
    // Only an answer with a batch in it is long enough to be worth damaging, in its last record.
    const answerWithoutBatchBytes = 160;
    if (apiKey !== undefined && apiKey === this.corruptNext && frame.length > answerWithoutBatchBytes) {
      this.corruptNext = undefined;
      const at = frame.length - 1 - bytesBehindFetchedRecords;
      frame[at] = (frame[at] as number) ^ 0xff;
    }
    if (this.damaging) {
      this.damagedFrames++;
      frame[0] = 0x80;
    }
    link.forward('toClient', frame);
  }
}

function lateConnect(proxy: Promise<TcpProxy>, onConnect: () => void): Socket {
  const socket = new Socket();
  socket.setNoDelay(true);
  proxy.then(
    ({ port }) => socket.connect({ port, host: '127.0.0.1' }, onConnect),
    (error: Error) => socket.destroy(error),
  );
  return socket;
}
