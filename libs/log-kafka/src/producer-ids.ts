import { type Clock, messageOf, pause, type Timers } from '@levee/kernel';
import { LogFailure } from '@levee/log';
import type { BrokerConnection } from './broker-connection';
import type { ClusterMetadata } from './cluster-metadata';
import type { KafkaLogLimits } from './limits';
import type { ProducerIdentity } from './partition-appends';
import { kafkaError, kafkaErrorName } from './protocol/error-codes';
import {
  apis,
  decodeFindCoordinator,
  decodeInitProducerId,
  encodeFindTransactionCoordinator,
  encodeInitProducerId,
} from './protocol/requests';

export interface ProducerIdParts {
  readonly metadata: ClusterMetadata;
  readonly limits: KafkaLogLimits;
  readonly clock: Clock;
  readonly timers: Timers;
}

/** A takeover is a matter of milliseconds, and the coordinator says "not yet" a few times. */
const retryMs = 2;
const transactionTimeoutMs = 60_000;

/** A producer id that nobody else has; it cannot be fenced. Throws LOG_UNAVAILABLE after `fencedWriterMs`. */
export function freshProducerId(parts: ProducerIdParts): Promise<ProducerIdentity> {
  return initialised(parts, null, () => anyBroker(parts));
}

/**
 * The next epoch of the producer id that belongs to `id`: the broker refuses batches of older epochs in each partition
 * where the new one has written (KIP-98; it does so for plain batches too).
 */
export function fencingProducerId(parts: ProducerIdParts, id: string): Promise<ProducerIdentity> {
  return initialised(parts, id, () => coordinatorOf(parts, id));
}

async function initialised(
  parts: ProducerIdParts,
  id: string | null,
  broker: () => Promise<BrokerConnection>,
): Promise<ProducerIdentity> {
  const { clock, timers, limits } = parts;
  const untilMs = clock.monotonicMs() + limits.fencedWriterMs;
  let reason = '';
  for (let attempt = 0; clock.monotonicMs() < untilMs; attempt++) {
    // Retriable refusals come in quick succession; a broker that does not answer needs no hammering.
    if (attempt > 0) await pause(timers, attempt < 250 ? retryMs : limits.retryMs);
    try {
      const connection = await broker();
      const answer = await connection.send(apis.initProducerId, encodeInitProducerId(id, transactionTimeoutMs));
      const { errorCode, producerId, epoch } = decodeInitProducerId(answer);
      if (errorCode === kafkaError.none) return { producerId, epoch };
      reason = kafkaErrorName(errorCode);
      if (isRefusal(errorCode)) throw refusalOf(id, reason);
    } catch (error) {
      if (isRefused(error)) throw error;
      reason = messageOf(error);
      await pause(timers, limits.retryMs);
    }
  }
  throw new LogFailure('LOG_UNAVAILABLE', `no producer id${id === null ? '' : ` for '${id}'`}: ${reason}`);
}

/** Asking again would not help: the user may not have one. */
export function isRefused(error: unknown): boolean {
  return error instanceof LogFailure && error.details?.['refused'] === true;
}

function refusalOf(id: string | null, reason: string): LogFailure {
  const lacks = id === null ? 'Write on any topic' : `Write on the transactional id '${id}'`;
  return new LogFailure(
    'LOG_UNAVAILABLE',
    `no producer id${id === null ? '' : ` for '${id}'`}: ${reason}: the Kafka user of this process lacks ${lacks}; ` +
      'docs/security.md lists the ACLs of each role',
    { details: { refused: true } },
  );
}

function isRefusal(errorCode: number): boolean {
  return (
    errorCode === kafkaError.transactionalIdAuthorizationFailed || errorCode === kafkaError.clusterAuthorizationFailed
  );
}

async function anyBroker({ metadata }: ProducerIdParts): Promise<BrokerConnection> {
  const { brokers } = await metadata.ask([]);
  const [broker] = brokers;
  const address = broker === undefined ? undefined : metadata.addressOf(broker.nodeId);
  if (address === undefined) throw new Error('the cluster names no broker');
  return metadata.control(address);
}

async function coordinatorOf({ metadata }: ProducerIdParts, id: string): Promise<BrokerConnection> {
  const asked = await anyBroker({ metadata } as ProducerIdParts);
  const found = decodeFindCoordinator(await asked.send(apis.findCoordinator, encodeFindTransactionCoordinator(id)));
  if (isRefusal(found.errorCode)) throw refusalOf(id, kafkaErrorName(found.errorCode));
  if (found.errorCode !== kafkaError.none) throw new Error(kafkaErrorName(found.errorCode));
  return metadata.control(metadata.addressOf(found.nodeId) ?? { host: found.host, port: found.port });
}
