import type { LogFailureCode } from '@levee/log';
import { kafkaError } from './protocol/error-codes';

/**
 * What the answer to one attempt means; what all attempts of a batch mean together is in `batch-attempts.ts`.
 * - `stored`: committed.
 * - `again`: proof that this attempt stored nothing; send the same bytes again.
 * - `perhaps`: may have been stored; send the same bytes again, the broker stores them once.
 * - `lost`: the broker can no longer tell whether it has them: the outcome is unknown, and so is every later batch
 *   under this producer id, which is given up.
 * - `refused`: proof that this attempt stored nothing, and another would fare no better.
 */
export type ProduceVerdict =
  | { readonly kind: 'stored' }
  | { readonly kind: 'again'; readonly newLeader: boolean }
  | { readonly kind: 'perhaps'; readonly newLeader: boolean }
  | { readonly kind: 'lost' }
  | {
      readonly kind: 'refused';
      readonly code: LogFailureCode;
      readonly mend: string;
      /** One of the calls that share the batch may be the reason: each is to be tried alone. */
      readonly alone: boolean;
    };

/**
 * I20: a code is proof only if no broker answers it after its own append. With acks=all a broker that was deposed while
 * the batch waited for its followers answers 6 for what it has stored, and 3 when the topic went: both prove nothing.
 * `docs/kafka-errors.md` names for each code the place in the broker where it arises.
 *
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
      return fencing ? refused('FENCED', 'a newer writer of the same id is at work: stand by') : { kind: 'lost' };
    case kafkaError.messageTooLarge:
    case kafkaError.recordListTooLarge:
      return refused('TOO_LARGE', "raise the topic's max.message.bytes or write less at once", { alone: true });
    case kafkaError.invalidTopic:
      return refused('TOPIC_MISSING', 'the name is none that Kafka takes');
    case kafkaError.invalidRecord:
      return refused(
        'TOPIC_MISCONFIGURED',
        'a compacted topic takes no record without a key: give one, or set cleanup.policy=delete',
        { alone: true },
      );
    case kafkaError.invalidTimestamp:
      return refused(
        'TOPIC_MISCONFIGURED',
        "the clock of this machine differs from the broker's by more than the topic takes: set it right, or the topic's " +
          'message.timestamp.before.max.ms and message.timestamp.after.max.ms',
      );
    case kafkaError.topicAuthorizationFailed:
    case kafkaError.clusterAuthorizationFailed:
      return refused('LOG_UNAVAILABLE', 'give this principal the right to write (kafka-acls)');
    case kafkaError.notEnoughReplicas:
    case kafkaError.corruptMessage:
      return { kind: 'again', newLeader: false };
    case kafkaError.requestTimedOut:
    case kafkaError.notEnoughReplicasAfterAppend:
      return { kind: 'perhaps', newLeader: false };
    default:
      // Leadership errors among them, and codes that we do not know: no proof of anything.
      return { kind: 'perhaps', newLeader: true };
  }
}

function refused(code: LogFailureCode, mend: string, { alone = false } = {}): ProduceVerdict {
  return { kind: 'refused', code, mend, alone };
}
