import { silentLogger } from '@levee/kernel';
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

export interface Leadership {
  readonly topicId: string;
  readonly leader: number;
  readonly epoch: number;
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

  /** Fetches from the end that it tells, again and again, under this leadership. */
  begin({ topicId, epoch: leaderEpoch }: Leadership, partition: number): void {
    this.watching = true;
    let fetchOffset = 0;
    const look = async (): Promise<void> => {
      while (this.watching) {
        const wanted = { topicId, partition, leaderEpoch, fetchOffset, bytesMax: 1 };
        const answer = await this.connection.send(apis.fetch, encodeFetch([wanted], { waitMs: 10, bytesMax: 1 }), 10);
        const [told] = decodeFetch(answer).partitions;
        if (told !== undefined) {
          this.looks.push({ atMs: performance.now(), errorCode: told.errorCode, highWatermark: told.highWatermark });
          fetchOffset = Math.max(0, told.highWatermark);
        }
        await new Promise((resolve) => setTimeout(resolve, everyMs));
      }
    };
    this.watch = look().catch((error: unknown) => {
      if (this.watching) throw error;
    });
  }

  async end(): Promise<void> {
    this.watching = false;
    this.connection.close();
    await this.watch;
  }
}
