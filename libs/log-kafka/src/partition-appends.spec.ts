import { LogFailure, type LogRecord } from '@levee/log';
import { PartitionAppends } from './partition-appends';
import { batchAt } from './record-batch';

const identity = { producerId: 9, epoch: 2 };
const one = (value: string): LogRecord[] => [{ key: null, value: Buffer.from(value) }];

function subject(): {
  appends: PartitionAppends;
  outcomes: string[];
  call: (name: string, bytes?: number, deadlineMs?: number) => void;
} {
  const appends = new PartitionAppends('t', 0);
  appends.identity = identity;
  const outcomes: string[] = [];
  const call = (name: string, bytes = 10, deadlineMs = 1000): void =>
    appends.add({
      records: one(name),
      bytes,
      deadlineMs,
      resolve: ({ baseOffset }) => outcomes.push(`${name}@${baseOffset}`),
      reject: ({ code }) => outcomes.push(`${name} ${code}`),
    });
  return { appends, outcomes, call };
}

function stored(appends: PartitionAppends, baseOffset: number): void {
  appends.attempt('handed');
  appends.stored(baseOffset);
}

const sequenceOf = (bytes: Buffer): number => bytes.readInt32BE(batchAt.baseSequence);
const failed = (code: 'LOG_UNAVAILABLE' | 'OUTCOME_UNKNOWN' | 'TOO_LARGE'): LogFailure =>
  new LogFailure(code, 'for a test');

describe('appends of one partition', () => {
  it('I15: the frozen batch stays the same while calls come, until its outcome is known', () => {
    const { appends, outcomes, call } = subject();
    call('a');
    call('b');
    const first = appends.freeze(1000, 1);
    call('c');
    expect(appends.freeze(1000, 2)).toBe(first);
    stored(appends, 40);
    expect(outcomes).toEqual(['a@40', 'b@41']);
    const second = appends.freeze(1000, 3);
    expect([sequenceOf(first.bytes), sequenceOf(second.bytes), second.count]).toEqual([0, 2, 1]);
  });

  it('calls share a batch up to the limit; one larger call goes alone', () => {
    const { appends, call } = subject();
    for (const [name, bytes] of [
      ['a', 40],
      ['b', 40],
      ['c', 40],
      ['d', 500],
      ['e', 1],
    ] as const)
      call(name, bytes);
    const shared: number[] = [];
    for (let n = 0; n < 4; n++) {
      shared.push(appends.freeze(100, 1).count);
      stored(appends, 0);
    }
    expect(shared).toEqual([2, 1, 1, 1]);
  });

  it('a definite failure gives its sequence numbers to the next batch', () => {
    const { appends, outcomes, call } = subject();
    call('a');
    appends.freeze(1000, 1);
    appends.attempt('handed');
    appends.attempt('proof');
    appends.fail(failed('TOO_LARGE'));
    call('b');
    expect(sequenceOf(appends.freeze(1000, 1).bytes)).toBe(0);
    expect(outcomes).toEqual(['a TOO_LARGE']);
  });

  it('a lost batch costs the identity: the next one begins at 0 under another', () => {
    const { appends, outcomes, call } = subject();
    call('a');
    appends.freeze(1000, 1);
    stored(appends, 0);
    call('b');
    appends.freeze(1000, 1);
    appends.attempt('handed');
    appends.attempt('unknown');
    appends.lose(failed('OUTCOME_UNKNOWN'));
    expect(appends.identity).toBeUndefined();
    appends.identity = { producerId: 10, epoch: 0 };
    call('c');
    expect(sequenceOf(appends.freeze(1000, 1).bytes)).toBe(0);
    expect(outcomes).toEqual(['a@0', 'b OUTCOME_UNKNOWN']);
  });

  it.each([
    ['under way', ['handed']],
    ['unanswered', ['handed', 'unknown']],
    ['unanswered, then refused', ['handed', 'unknown', 'handed', 'proof']],
  ] as const)('I20: the sequence numbers of a batch that is %s never carry other bytes', (_name, story) => {
    const { appends, outcomes, call } = subject();
    call('a');
    call('b');
    appends.freeze(1000, 1);
    for (const event of story) appends.attempt(event);
    expect(() => appends.fail(failed('TOO_LARGE'))).toThrow('I20');
    expect(() => appends.split()).toThrow('I20');
    expect(outcomes).toEqual([]);
  });

  it('a shared batch that is too large is tried again call by call, in order, with the same sequence', () => {
    const { appends, outcomes, call } = subject();
    for (const name of ['a', 'b', 'c']) call(name);
    appends.freeze(1000, 1);
    appends.split();
    for (const [n, name] of ['a', 'b', 'c'].entries()) {
      const batch = appends.freeze(1000, 1);
      expect([batch.count, sequenceOf(batch.bytes)]).toEqual([1, n]);
      stored(appends, n);
      expect(outcomes.at(-1)).toBe(`${name}@${n}`);
    }
    call('d');
    call('e');
    expect(appends.freeze(1000, 1).count).toBe(2);
  });

  it('what waits past its deadline ends definitely; the frozen batch is not touched', () => {
    const { appends, outcomes, call } = subject();
    call('a', 10, 100);
    appends.freeze(1000, 1);
    call('b', 10, 150);
    call('c', 10, 300);
    expect(appends.expire(200, () => failed('LOG_UNAVAILABLE'))).toBe(10);
    expect(outcomes).toEqual(['b LOG_UNAVAILABLE']);
    expect(appends.frozen?.deadlineMs).toBe(100);
  });
});
