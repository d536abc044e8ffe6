import { produceVerdict } from './produce-verdict';

describe('what the answer to a produce request means', () => {
  it.each([
    ['NONE', 0, 'stored'],
    ['CORRUPT_MESSAGE: damaged on its way, the broker wrote nothing', 2, 'again'],
    ['UNKNOWN_TOPIC_OR_PARTITION: also when the topic went while a stored batch waited', 3, 'perhaps, new leader'],
    ['LEADER_NOT_AVAILABLE', 5, 'perhaps, new leader'],
    ['NOT_LEADER_OR_FOLLOWER: also when deposed while a stored batch waited', 6, 'perhaps, new leader'],
    ['REQUEST_TIMED_OUT: written by the leader, followers late', 7, 'perhaps'],
    ['REPLICA_NOT_AVAILABLE', 9, 'perhaps, new leader'],
    ['MESSAGE_TOO_LARGE', 10, 'refused TOO_LARGE'],
    ['INVALID_TOPIC', 17, 'refused TOPIC_MISSING'],
    ['RECORD_LIST_TOO_LARGE', 18, 'refused TOO_LARGE'],
    ['NOT_ENOUGH_REPLICAS: checked before writing', 19, 'again'],
    ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 20, 'perhaps'],
    ['TOPIC_AUTHORIZATION_FAILED', 29, 'refused LOG_UNAVAILABLE'],
    ['CLUSTER_AUTHORIZATION_FAILED', 31, 'refused LOG_UNAVAILABLE'],
    ['INVALID_TIMESTAMP: only of topics that keep the times of producers', 32, 'refused TOPIC_MISCONFIGURED'],
    ['OUT_OF_ORDER_SEQUENCE: a gap, or older than the broker remembers', 45, 'lost'],
    ['DUPLICATE_SEQUENCE', 46, 'lost'],
    ['UNKNOWN_PRODUCER_ID', 59, 'lost'],
    ['KAFKA_STORAGE_ERROR: the disk failed somewhere on the way', 56, 'perhaps, new leader'],
    ['FENCED_LEADER_EPOCH', 74, 'perhaps, new leader'],
    ['UNKNOWN_LEADER_EPOCH', 75, 'perhaps, new leader'],
    ['INVALID_RECORD', 87, 'refused TOPIC_MISCONFIGURED'],
    ['UNKNOWN_SERVER_ERROR', -1, 'perhaps, new leader'],
    ['a code from the future proves nothing', 999, 'perhaps, new leader'],
  ])('%s (%d): %s', (_name, code, expected) => {
    expect(shown(produceVerdict(code, { fencing: false }))).toBe(expected);
  });

  it.each([
    ['INVALID_PRODUCER_EPOCH', 47],
    ['PRODUCER_FENCED', 90],
  ])('%s (%d) fences a fenced writer, and only costs others their producer id', (_name, code) => {
    expect(shown(produceVerdict(code, { fencing: true }))).toBe('refused FENCED');
    expect(shown(produceVerdict(code, { fencing: false }))).toBe('lost');
  });
});

function shown(verdict: ReturnType<typeof produceVerdict>): string {
  if (verdict.kind === 'refused') return `refused ${verdict.code}`;
  return 'newLeader' in verdict && verdict.newLeader ? `${verdict.kind}, new leader` : verdict.kind;
}
