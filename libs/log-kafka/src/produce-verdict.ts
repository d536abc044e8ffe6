import type { LogFailureCode } from '@levee/log';
import { isLeadershipError, kafkaError } from './protocol/error-codes';

/**
 * What an attempt's result means for its batch.
 * - `stored`: committed.
 * - `again`: not stored by this attempt; send the same bytes again.
 * - `perhaps`: may have been stored; send the same bytes again, the broker stores them once.
 * - `lost`: the broker can no longer tell whether it has them: the outcome is unknown, and so is every later batch
 *   under this producer id, which is given up.
 * - `refused`: it never will be stored, unless an earlier attempt was.
 */
export type ProduceVerdict =
  | { readonly kind: 'stored' }
  | { readonly kind: 'again'; readonly newLeader: boolean }
  | { readonly kind: 'perhaps'; readonly newLeader: boolean }
  | { readonly kind: 'lost' }
  | { readonly kind: 'refused'; readonly code: LogFailureCode; readonly mend: string };

/**
 * `fencing`: the writer holds an identity that a newer one takes away; for others a refused epoch only means that
 * their producer id has been forgotten.
 */
export function produceVerdict(errorCode: number, { fencing }: { readonly fencing: boolean }): ProduceVerdict {
  switch (errorCode) {
    case kafkaError.none:
      return { kind: 'stored' };
    case kafkaError.outOfOrderSequence:
    case kafkaError.duplicateSequence:
    case kafkaError.unknownProducerId:
      return { kind: 'lost' };
    case kafkaError.invalidProducerEpoch:
    case kafkaError.producerFenced:
      return fencing
        ? { kind: 'refused', code: 'FENCED', mend: 'a newer writer of the same id is at work: stand by' }
        : { kind: 'lost' };
    case kafkaError.messageTooLarge:
    case kafkaError.recordListTooLarge:
      return { kind: 'refused', code: 'TOO_LARGE', mend: "raise the topic's max.message.bytes or write less at once" };
    case kafkaError.invalidTopic:
      return { kind: 'refused', code: 'TOPIC_MISSING', mend: 'the name is none that Kafka takes' };
    case kafkaError.invalidRecord:
      return {
        kind: 'refused',
        code: 'TOPIC_MISCONFIGURED',
        mend: 'a compacted topic takes no record without a key: give one, or set cleanup.policy=delete',
      };
    case kafkaError.topicAuthorizationFailed:
    case kafkaError.clusterAuthorizationFailed:
    case kafkaError.transactionalIdAuthorizationFailed:
      return { kind: 'refused', code: 'LOG_UNAVAILABLE', mend: 'give this principal the right to write (kafka-acls)' };
    case kafkaError.requestTimedOut:
    case kafkaError.notEnoughReplicasAfterAppend:
      return { kind: 'perhaps', newLeader: false };
    case kafkaError.kafkaStorageError:
    case kafkaError.unknownServerError:
      return { kind: 'perhaps', newLeader: true };
    case kafkaError.notEnoughReplicas:
    case kafkaError.corruptMessage:
      return { kind: 'again', newLeader: false };
    default:
      // A code we do not know is no proof of anything.
      return isLeadershipError(errorCode) ? { kind: 'again', newLeader: true } : { kind: 'perhaps', newLeader: true };
  }
}
