import { messageOf, silentLogger } from '@levee/kernel';
import { BrokerConnection, type Address } from '../src/broker-connection';
import { createKafkajsClient } from '../src/kafkajs-client';
import { kafkaLogLimits as limits } from '../src/limits';
import { decodeFetch, encodeFetch } from '../src/protocol/fetch';
import { apis, decodeMetadata, encodeMetadata } from '../src/protocol/requests';

export interface Look {
  /** Monotonic ms at which the answer was there. */
  readonly atMs: number;
  readonly errorCode: number;
  readonly highWatermark: number;
}

interface Leadership {
  readonly topicId: string;
  readonly leader: number;
  readonly epoch: number;
}

interface Watched {
  readonly topicId: string;
  readonly leaderEpoch: number;
  readonly partition: number;
}

const everyMs = 100;

/** Asks one broker itself, as a client would that knows no other: where it says that a log ends, and who leads. */
export class BrokerWitness {
  private readonly connection: BrokerConnection;
  private watching = false;
  private watch: Promise<void> | undefined;
  /** What it answered to a fetch at its end, from {@link begin} on. */
  readonly looks: Look[] = [];

  constructor({ host, port }: Address) {
    const client = createKafkajsClient({
      brokers: [`${host}:${port}`],
      clientId: 'witness',
      logger: silentLogger,
      limits,
    });
    this.connection = new BrokerConnection(client.connection, { host, port }, limits.requestMs);
  }

  async leadership(topic: string, partition: number): Promise<Leadership> {
    const { topics } = decodeMetadata(await this.connection.send(apis.metadata, encodeMetadata([topic])));
    const found = topics[0]?.partitions.find((each) => each.partition === partition);
    if (topics[0] === undefined || found === undefined) throw new Error(`it knows no ${topic} partition ${partition}`);
    return { topicId: topics[0].topicId, leader: found.leader, epoch: found.leaderEpoch };
  }

  /** Why the last fetch had no answer, if it had none. */
  trouble: string | undefined;

  /**
   * Fetches from the end that it tells, again and again; a fetch without an answer is made anew. `leaderEpoch` -1: whoever
   * leads, and whatever else is elected meanwhile; one that follows tells what it knows to be committed.
   */
  begin({ topicId, leaderEpoch, partition }: Watched): void {
    this.watching = true;
    let fetchOffset = 0;
    const look = async (): Promise<void> => {
      const wanted = { topicId, partition, leaderEpoch, fetchOffset, bytesMax: 1 };
      const answer = await this.connection.send(apis.fetch, encodeFetch([wanted], { waitMs: 10, bytesMax: 1 }), 10);
      const [told] = decodeFetch(answer).partitions;
      if (told === undefined) return;
      this.looks.push({ atMs: performance.now(), errorCode: told.errorCode, highWatermark: told.highWatermark });
      fetchOffset = Math.max(0, told.highWatermark);
    };
    const watch = async (): Promise<void> => {
      while (this.watching) {
        await look().then(
          () => (this.trouble = undefined),
          (error: unknown) => (this.trouble = messageOf(error)),
        );
        await new Promise((resolve) => setTimeout(resolve, everyMs));
      }
    };
    this.watch = watch();
  }

  async end(): Promise<void> {
    this.watching = false;
    this.connection.close();
    await this.watch;
  }
}
