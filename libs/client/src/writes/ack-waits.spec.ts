import { asPartition, silentLogger } from '@levee/kernel';
import { systemRandom } from '@levee/log';
import {
  encodeAwaitReply,
  parseAwaitCommand,
  RespClientFailure,
  RespError,
  type AwaitOutcome,
  type RespCallback,
} from '@levee/wire';
import { ManualTime } from '../../test/manual-time';
import type { Ack } from '../operations';
import type { NamespaceStore } from '../routes/namespace-store';
import { storeLimits, type StoreLimits } from '../store-limits';
import { StoreTimes } from '../store-times';
import type { AckWaiter } from './ack-waiter';
import { AckWaits } from './ack-waits';
import { WriteCounts } from './write-counts';

type Mood = 'well' | 'silent' | 'not ready' | 'unreachable';

/** A node with one replica: it answers a request when all of it is applied, or when the request's time is over. */
class ScriptedNode {
  applied = 0;
  mood: Mood = 'well';
  failures = 0;
  readonly usable = true;
  readonly asked = { acks: 0, longAcks: 0 };
  readonly acks = this.connection('acks');
  readonly longAcks = this.connection('longAcks');

  constructor(
    readonly nodeId: string,
    private readonly time: ManualTime,
  ) {}

  failed(): void {
    this.failures++;
  }

  private connection(name: 'acks' | 'longAcks') {
    /** Replies of one connection come in order. */
    let before = Promise.resolve();
    const send = (args: readonly (string | Buffer)[], ms: number, done: RespCallback): void => {
      this.asked[name]++;
      if (this.mood === 'unreachable')
        return process.nextTick(() => done(new RespClientFailure('NOT_SENT', 'cannot be reached'), null));
      if (this.mood === 'not ready')
        return process.nextTick(() => done(undefined, new RespError('LVNOTREADY starting')));
      if (this.mood === 'silent')
        return void this.time.after(ms, () => done(new RespClientFailure('OUTCOME_UNKNOWN', 'no answer'), null));
      const request = parseAwaitCommand(args.map((arg) => Buffer.from(arg as Buffer)));
      const endAtMs = this.time.monotonicMs() + request.deadlineMs;
      const over = (): boolean =>
        this.time.monotonicMs() >= endAtMs || request.entries.every(({ nextOffset }) => nextOffset <= this.applied);
      const finished = new Promise<void>((resolve) => {
        const look = (): void => (over() ? resolve() : void this.time.after(1, look));
        setImmediate(look);
      });
      before = before
        .then(() => finished)
        .then(() => {
          const outcomes = request.entries.map(({ nextOffset }): AwaitOutcome =>
            nextOffset <= this.applied ? { kind: 'applied' } : { kind: 'behind', nextOffset: this.applied },
          );
          done(undefined, encodeAwaitReply({ tableVersion: 1, outcomes }, request.seal));
        });
    };
    return { send, renew: () => undefined };
  }
}

function setUp(limits: Partial<StoreLimits> = {}, nodes = 1) {
  const time = new ManualTime();
  const replicas = Array.from({ length: nodes }, (_, i) => new ScriptedNode(`n${i + 1}`, time));
  const route = {
    chunkId: 'c1',
    readable: replicas.map((link, i) => ({
      nodeId: link.nodeId,
      replicaId: `${link.nodeId}/u1@1`,
      role: i === 0 ? 'primary' : 'follower',
      target: { link },
    })),
  };
  const namespace = { name: 'ns', table: { version: 1, at: () => route } };
  const context = {
    ...{ clock: time, timers: time, random: systemRandom, logger: silentLogger, expiryNowMs: time.nowMs },
    isPatient: true,
    mayNotWrite: () => undefined,
    times: new StoreTimes(time),
    counts: new WriteCounts(),
    limits: { ...storeLimits, ackMs: 400, ...limits },
  };
  const waits = new AckWaits(context, namespace as unknown as NamespaceStore);
  const outcomes: string[] = [];
  const beganMs = time.monotonicMs();
  const waiter = (who: string, nextOffset: number, ack: Ack = 'all', partition = 0): AckWaiter => ({
    ...{ slot: 1, partition: asPartition(partition), ack, nextOffset, ackDeadlineAtMs: 0 },
    done: () => outcomes.push(`${who} done after ${time.monotonicMs() - beganMs}`),
    failed: ({ code, message }) => outcomes.push(`${who} ${code} after ${time.monotonicMs() - beganMs}: ${message}`),
  });
  const write = (
    who: string,
    nextOffset: number,
    { ack = 'all' as Ack, leftMs = 15_000, partition = 0 } = {},
  ): void => {
    waits.add({ ...waiter(who, nextOffset, ack, partition), deadlineAtMs: time.monotonicMs() + leftMs });
  };
  const wait = (who: string, nextOffset: number, ms: number, but: Partial<AckWaiter> = {}) =>
    waits.addNamed([{ ...waiter(who, nextOffset), ...but }], ms);
  /** Who is done, in the order in which they were. */
  const done = (): string[] => outcomes.filter((text) => text.includes(' done ')).map((text) => text.split(' ')[0]!);
  return { time, nodes: replicas, node: replicas[0]!, waits, outcomes, done, write, wait };
}

describe('waits for acks, beside a wait for a position that the log does not have', () => {
  it.each(['before', 'after'])('a write that is applied is acknowledged: it came %s', async (when) => {
    const { time, node, outcomes, done, write, wait } = setUp();
    node.applied = 10;
    if (when === 'before') write('set', 7);
    wait('far', Number.MAX_SAFE_INTEGER, 2_000);
    if (when === 'after') write('set', 7);
    await time.flow(30);
    expect(done()).toEqual(['set']);
    await time.flow(2_100);
    expect(outcomes).toHaveLength(2);
    expect(outcomes[1]).toMatch(
      /^far LVPENDING after 20[0-4]\d: 0:9007199254740991: not applied by n1 yet, if the log goes so far$/,
    );
  });

  it('a write keeps its deadline when somebody waits for the same position for a moment only', async () => {
    const { time, node, outcomes, done, write, wait } = setUp();
    node.applied = 10;
    wait('short', 11, 5);
    write('set', 11);
    await time.flow(100);
    expect(outcomes).toEqual([expect.stringMatching(/^short LVPENDING after \d\d:/)]);
    node.applied = 11;
    await time.flow(50);
    expect(done()).toEqual(['set']);
  });

  it('no request of a write waits behind one for such a position, on no connection', async () => {
    const { time, node, write, wait, done, outcomes } = setUp();
    node.applied = 100;
    wait('far', Number.MAX_SAFE_INTEGER, 600_000);
    for (let i = 0; i < 20; i++) {
      write(`set${i}`, 50 + i);
      await time.flow(20);
      expect(done()).toHaveLength(i + 1);
    }
    expect(outcomes).toHaveLength(20);
    expect(node.asked.acks).toBe(20);
  });
});

describe('writes of one tick', () => {
  it('share a request and are each judged by their own position', async () => {
    const { time, node, outcomes, done, write } = setUp();
    node.applied = 20;
    for (const position of [12, 20, 21]) write(`at${position}`, position);
    await time.flow(200);
    expect(done()).toEqual(['at12', 'at20']);
    expect(node.asked.acks).toBe(1);
    await time.flow(300);
    expect(outcomes[2]).toMatch(/^at21 LVPENDING after 4\d\d: 0:21 logged; not applied by n1 yet$/);
  });

  it('and by their own deadline, which began at the door', async () => {
    const { time, outcomes, write } = setUp();
    write('old', 5, { leftMs: 50 });
    write('young', 5);
    await time.flow(500);
    expect(outcomes.map((text) => text.replace(/:.*/, ''))).toEqual([
      expect.stringMatching(/^old LVPENDING after [5-9]\d$/),
      expect.stringMatching(/^young LVPENDING after 4[0-4]\d$/),
    ]);
  });

  it('with ack=all wait for the last replica, with ack=primary for the first, and name who is missing', async () => {
    const { time, nodes, outcomes, done, write } = setUp({}, 3);
    nodes[0]!.applied = nodes[1]!.applied = 9;
    nodes[2]!.applied = 4;
    write('primary', 9, { ack: 'primary' });
    write('all', 9);
    await time.flow(450);
    expect(done()).toEqual(['primary']);
    expect(outcomes[1]).toMatch(/^all LVPENDING .* not applied by n3 yet$/);
  });

  it('are pending in time when a node says nothing at all', async () => {
    const { time, node, outcomes, write } = setUp();
    node.mood = 'silent';
    write('set', 5);
    await time.flow(460);
    expect(outcomes).toEqual([expect.stringMatching(/^set LVPENDING after 4[0-4]\d:/)]);
  });
});

describe('a replica that lags', () => {
  it('is asked on a connection of its own until it has caught up: acks of its neighbours do not wait', async () => {
    const { time, node, done, write } = setUp({ ackMs: 5_000 });
    node.applied = 3;
    write('lagging', 5);
    await time.flow(200);
    expect(node.asked).toEqual({ acks: 1, longAcks: 1 });
    write('lagging too', 6);
    await time.flow(10);
    expect(node.asked).toEqual({ acks: 1, longAcks: 2 });
    write('neighbour', 2, { partition: 1 });
    await time.flow(10);
    expect(done()).toEqual(['neighbour']);
    node.applied = 6;
    await time.flow(200);
    expect(done()).toHaveLength(3);
    write('after', 6);
    await time.flow(10);
    expect([node.asked.acks, done().length]).toEqual([3, 4]);
  });
});

describe('waits for a position', () => {
  it('are refused beyond their limit, all or none, naming it; those that end make room', async () => {
    const { time, waits, wait, outcomes } = setUp({ positionWaitsMax: 2 });
    expect([wait('a', 50, 100), wait('b', 60, 300)]).toEqual([undefined, undefined]);
    expect(wait('c', 70, 100)?.text).toMatch(/^LVLIMIT 2 waits for positions are under way .* at most 2: /);
    await time.flow(160);
    expect(outcomes).toHaveLength(1);
    expect(wait('c', 70, 100)).toBeUndefined();
    await time.flow(400);
    expect([outcomes.length, waits.positionWaits]).toEqual([3, 0]);
  });

  it('end when nobody is there any more to be answered', async () => {
    const { time, waits, wait } = setUp();
    let gone = false;
    wait('a', 50, 600_000, { abandoned: () => gone });
    await time.flow(400);
    expect(waits.positionWaits).toBe(1);
    gone = true;
    await time.flow(400);
    expect(waits.positionWaits).toBe(0);
  });
});

describe('what counts as a failure of the link', () => {
  it.each<[Mood, boolean]>([
    ['well', false],
    ['not ready', false],
    ['silent', true],
    ['unreachable', true],
  ])('when the node is %s: %s', async (mood, counts) => {
    const { time, node, write } = setUp({ ackMs: 3_000 });
    node.mood = mood;
    write('set', 5);
    await time.flow(2_000);
    expect(node.failures > 0).toBe(counts);
  });
});
