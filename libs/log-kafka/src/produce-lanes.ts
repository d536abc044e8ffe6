import { type Address, BrokerConnection } from './broker-connection';
import type { ConnectionFactory } from './kafkajs-client';
import type { PartitionAppends } from './partition-appends';

/** The broker that leads a partition. */
export interface ProduceTarget {
  readonly nodeId: number;
  readonly address: Address;
}

/** Requests of one kind to one broker, one at a time: a broker serves a connection's requests in order anyway. */
export interface ProduceLane {
  readonly nodeId: number;
  connection: BrokerConnection;
  ready: PartitionAppends[];
  busy: boolean;
  scheduled: boolean;
}

/**
 * Two lanes per broker: batches that failed before (`again`) travel apart, so that a partition whose followers are late
 * does not hold up the others (I16).
 */
export class ProduceLanes {
  private readonly lanes = new Map<string, ProduceLane>();

  constructor(
    private readonly factory: ConnectionFactory,
    private readonly requestMs: number,
  ) {}

  of({ nodeId, address }: ProduceTarget, again: boolean): ProduceLane {
    const name = `${nodeId} ${again}`;
    const lane = this.lanes.get(name);
    if (lane?.connection.address === address) return lane;
    const connection = new BrokerConnection(this.factory, address, this.requestMs);
    if (lane === undefined) {
      const added: ProduceLane = { nodeId, connection, ready: [], busy: false, scheduled: false };
      this.lanes.set(name, added);
      return added;
    }
    lane.connection.close();
    lane.connection = connection;
    return lane;
  }

  close(): void {
    for (const lane of this.lanes.values()) lane.connection.close();
  }
}
