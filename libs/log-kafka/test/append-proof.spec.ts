import { eventually } from '../../../test/support/deadline';
import type { Appender } from '../src/appender';
import type { ProduceReply, ProduceStep } from './stand-in-broker';
import { append, outcome, placesOf, StandInCluster } from './stand-in-cluster';

/** Every code that a broker may answer after its own append, and some that no broker knows. */
const noProof = [-1, 3, 5, 6, 7, 9, 20, 56, 74, 75, 999];
const proof = [2, 19];
const refusals: ReadonlyArray<readonly [number, string]> = [
  [10, 'TOO_LARGE'],
  [17, 'TOPIC_MISSING'],
  [18, 'TOO_LARGE'],
  [29, 'LOG_UNAVAILABLE'],
  [31, 'LOG_UNAVAILABLE'],
  [32, 'TOPIC_MISCONFIGURED'],
  [87, 'TOPIC_MISCONFIGURED'],
];
/** Longer than a slow machine needs; where it has to pass, the clock is put forward. */
const appendDeadlineMs = 20_000;

class World {
  readonly cluster: StandInCluster;
  readonly appender: Appender;
  attempts = 0;

  constructor(settings: { fencing?: boolean }) {
    this.cluster = new StandInCluster(1, { limits: { appendDeadlineMs, topicMissingMs: 30 } });
    this.appender = this.cluster.appender(settings);
  }

  get identities(): number {
    return this.cluster.broker(1).count('InitProducerId');
  }

  write(value: string): Promise<string> {
    return outcome(append(this.appender, value));
  }

  /** Its deadline passes when `tried` holds. */
  async writeTooLate(value: string, tried = (): boolean => this.attempts > 1): Promise<string> {
    const written = this.write(value);
    await eventually('the attempts', tried, appendDeadlineMs / 2, 1);
    this.cluster.skip(appendDeadlineMs);
    return written;
  }

  places(value: string): string {
    return placesOf(this.cluster.log, value).join();
  }

  /** The broker's replies to the attempts of one batch, the last one for all that follow. */
  script(...replies: Array<(step: ProduceStep) => ProduceReply>): void {
    this.attempts = 0;
    this.cluster.broker(1).onProduce = (step) => {
      const reply = replies[Math.min(this.attempts++, replies.length - 1)] as (step: ProduceStep) => ProduceReply;
      return reply(step);
    };
  }

  heal(): void {
    this.cluster.broker(1).onProduce = undefined;
  }

  /** A write that is acknowledged must be in the log, once, at the offset that was answered. */
  async expectNextToBeThere(): Promise<void> {
    this.heal();
    const answered = await this.write('next');
    expect(answered).toBe(`stored at ${this.places('next')}`);
    expect(this.cluster.log.mistaken).toEqual([]);
  }
}

const storesAndSays =
  (reply: number | ProduceReply) =>
  ({ store }: ProduceStep): ProduceReply => {
    store();
    return typeof reply === 'number' ? { errorCode: reply, baseOffset: -1 } : reply;
  };
const says = (errorCode: number) => (): ProduceReply => ({ errorCode, baseOffset: -1 });
const stores = ({ store }: ProduceStep): ProduceReply => store();
const silence = (): ProduceReply => 'silence';

/** Worlds side by side, one per code: most of the time is spent waiting for answers that do not come. */
async function forEach(
  codes: readonly number[],
  work: (world: World, code: number) => Promise<void>,
  settings: { fencing?: boolean } = {},
): Promise<void> {
  const one = async (code: number): Promise<void> => {
    const world = new World(settings);
    try {
      expect(await world.write('before')).toBe('stored at 0');
      await work(world, code);
    } catch (cause) {
      throw new Error(`code ${code}: ${(cause as Error).message}`, { cause });
    } finally {
      await world.appender.close(0);
    }
  };
  await Promise.all(codes.map(one));
}

describe('what an append’s error proves (I3, I20)', () => {
  it('stored, then an error, then silence until the deadline: unknown, and the next is really there', () =>
    forEach(noProof, async (world, code) => {
      world.script(storesAndSays(code), silence);
      expect(await world.writeTooLate('lost')).toBe('OUTCOME_UNKNOWN');
      expect(world.places('lost')).toBe('1');
      await world.expectNextToBeThere();
    }));

  it('stored, then an error, then close(): unknown', () =>
    forEach(noProof, async (world, code) => {
      world.script(storesAndSays(code), silence);
      const appended = world.write('lost');
      await eventually('the first attempt', () => world.attempts > 0, 5_000, 1);
      await world.appender.close(20);
      expect(await appended).toBe('OUTCOME_UNKNOWN');
    }));

  it('stored, then the error again and again: unknown at the deadline, and the next is really there', () =>
    forEach(noProof, async (world, code) => {
      world.script(storesAndSays(code));
      expect(await world.writeTooLate('lost')).toBe('OUTCOME_UNKNOWN');
      expect(world.attempts).toBeGreaterThan(1);
      await world.expectNextToBeThere();
    }));

  it('stored, then an error, then the repetition is acknowledged: stored once, and the identity goes on', () =>
    forEach(noProof, async (world, code) => {
      world.script(storesAndSays(code), stores);
      expect(await world.write('once')).toBe('stored at 1');
      await world.expectNextToBeThere();
      expect(world.identities).toBe(1);
    }));

  it('a fenced writer: stored, then an error, then silence: unknown, then FENCED, as it has one identity', () =>
    forEach(
      noProof,
      async (world, code) => {
        world.script(storesAndSays(code), silence);
        expect(await world.writeTooLate('lost')).toBe('OUTCOME_UNKNOWN');
        world.heal();
        expect(await world.write('next')).toBe('FENCED');
        expect(world.cluster.log.mistaken).toEqual([]);
      },
      { fencing: true },
    ));

  it('proof until the deadline: definite, and its sequence number serves the next', () =>
    forEach(proof, async (world, code) => {
      world.script(says(code));
      expect(await world.writeTooLate('never')).toBe('LOG_UNAVAILABLE');
      expect(world.attempts).toBeGreaterThan(1);
      await world.expectNextToBeThere();
      expect(world.places('never')).toBe('');
      expect(world.identities).toBe(1);
    }));

  it('nobody can tell any more: unknown at once, the next under a new identity', () =>
    forEach([45, 46, 47, 59, 90], async (world, code) => {
      world.script(storesAndSays(code));
      expect(await world.write('lost')).toBe('OUTCOME_UNKNOWN');
      expect(world.attempts).toBe(1);
      await world.expectNextToBeThere();
      expect(world.identities).toBe(2);
    }));

  it.each(refusals)('%i at the first attempt: definite (%s), and its sequence number serves the next', (code, name) =>
    forEach([code], async (world) => {
      world.script(says(code));
      expect(await world.write('never')).toBe(name);
      await world.expectNextToBeThere();
      expect(world.identities).toBe(1);
    }),
  );

  it.each(refusals)('stored, then 6, then %i: the refusal is about that attempt alone', (code) =>
    forEach([code], async (world) => {
      world.script(storesAndSays(6), says(code));
      expect(await world.write('lost')).toBe('OUTCOME_UNKNOWN');
      await world.expectNextToBeThere();
    }),
  );

  it('stored, then 3, and the topic is gone from the metadata: unknown', () =>
    forEach([3], async (world, code) => {
      world.script((step) => {
        world.cluster.broker(1).topicExists = false;
        return storesAndSays(code)(step);
      });
      expect(await world.write('lost')).toBe('OUTCOME_UNKNOWN');
      expect(await world.write('missing')).toBe('TOPIC_MISSING');
    }));

  it.each<[string, ProduceReply]>([
    ['leaves the partition out', 'omit'],
    ['cannot be read', 'garbage'],
    ['does not come before the connection breaks', 'reset'],
    ['never comes', 'silence'],
  ])('stored, and the answer %s: the repetition decides; without one it is unknown', async (_name, reply) => {
    await forEach([0], async (world) => {
      world.script(storesAndSays(reply), stores);
      expect(await world.write('once')).toBe('stored at 1');
    });
    await forEach([0], async (world) => {
      world.script(storesAndSays(reply));
      expect(await world.writeTooLate('lost')).toBe('OUTCOME_UNKNOWN');
      await world.expectNextToBeThere();
    });
  });

  it('never handed to a socket: definite', () =>
    forEach([0], async (world) => {
      const broker = world.cluster.broker(1);
      broker.up = false;
      broker.breakConnections();
      expect(await world.writeTooLate('never', () => broker.refusedConnections > 1)).toBe('LOG_UNAVAILABLE');
      broker.up = true;
      await world.expectNextToBeThere();
      expect(world.places('never')).toBe('');
    }));

  it('a fenced writer that was overtaken: unknown when an attempt before may be stored, then FENCED', () =>
    forEach(
      [47, 90],
      async (world, code) => {
        world.script(storesAndSays(6), says(code));
        expect(await world.write('lost')).toBe('OUTCOME_UNKNOWN');
        expect(await world.write('after')).toBe('FENCED');
      },
      { fencing: true },
    ));

  it('one caller’s record that the topic refuses does not fail its neighbours in the batch', () =>
    forEach([87, 10, 18], async (world, code) => {
      world.script((step) => (step.batch.includes('refused') ? says(code)() : stores(step)));
      const outcomes = await Promise.all(['a', 'refused', 'b'].map((value) => world.write(value)));
      expect(outcomes).toEqual(['stored at 1', code === 87 ? 'TOPIC_MISCONFIGURED' : 'TOO_LARGE', 'stored at 2']);
    }));

  it('a quota: what is stored is acknowledged, and nothing is sent while the broker does not read', () =>
    forEach([0], async (world) => {
      const broker = world.cluster.broker(1);
      const takenMs: number[] = [];
      world.script((step) => {
        takenMs.push(performance.now());
        return stores(step);
      });
      broker.throttleMs = 120;
      expect(await world.write('a')).toBe('stored at 1');
      broker.throttleMs = 0;
      expect(await world.write('b')).toBe('stored at 2');
      expect((takenMs[1] ?? 0) - (takenMs[0] ?? 0)).toBeGreaterThan(100);
    }));
});
