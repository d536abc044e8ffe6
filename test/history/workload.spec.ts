import fc from 'fast-check';
import { judge, reasonsOf } from './judgement';
import { OperationFailed, outcomeOfCode, type KeyClient } from './key-client';
import { KeyRing, rotateAt } from './key-ring';
import { byKey, historyLimits, isUnresolvedWrite, type History } from './operation';
import { Workload } from './workload';

/** A store that is right, or wrong in one way, behind clients that lose some answers. */
class FakeStore {
  readonly content = new Map<string, string | null>();
  private readonly before = new Map<string, string | null>();
  private readonly right = new Map<string, string | null>();
  /** Reads that were answered otherwise than a store without the fault would have answered them. */
  struck = 0;

  constructor(
    private readonly random: () => number,
    private readonly fault: 'none' | 'stale' | 'lost' | 'lying',
  ) {}

  client(name: string): KeyClient {
    const apply = (key: string, value: string | null): void => {
      this.before.set(key, this.content.get(key) ?? null);
      this.content.set(key, value);
    };
    const write = async (key: string, value: string | null): Promise<void> => {
      await tick();
      const dice = this.random();
      if (dice < 0.02) throw new OperationFailed('indefinite', 'connection lost before');
      if (dice < 0.06) {
        if (this.fault === 'lying') apply(key, value);
        throw new OperationFailed('definite', 'refused');
      }
      this.right.set(key, value);
      if (this.fault !== 'lost' || dice < 0.95) apply(key, value);
      if (dice < 0.08) throw new OperationFailed('indefinite', 'connection lost after');
      if (dice < 0.12) throw new OperationFailed('pending', 'not everywhere yet');
      await tick();
    };
    return {
      name,
      session: name,
      set: write,
      del: (key) => write(key, null),
      get: async (key) => {
        await tick();
        const stale = this.fault === 'stale' && this.random() < 0.05;
        const value = (stale ? this.before : this.content).get(key) ?? null;
        if (value !== (this.right.get(key) ?? null)) this.struck++;
        await tick();
        return value;
      },
      close: () => undefined,
    };
  }
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function run(fault: ConstructorParameters<typeof FakeStore>[1], consistency: 'strong' | 'session') {
  let state = 17;
  const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  const store = new FakeStore(random, fault);
  const workload = new Workload({
    clients: Array.from({ length: 8 }, (_, i) => store.client(`c${i}`)),
    auditor: store.client('auditor'),
    consistency,
    oneWriterPerKey: consistency === 'session',
    random,
    keyPrefix: 'k',
    keys: 4,
  });
  workload.start();
  // Of the reads that a fault struck, some are excused by writes beside them: how many there are is not left to the dice.
  for (let operations = 3_000; operations === 3_000 || (fault !== 'none' && store.struck < 30); operations += 500)
    await workload.reach(operations, 20_000);
  return workload.stop();
}

describe('a workload and its judge', () => {
  it.each(['strong', 'session'] as const)('a right store passes, %s', async (consistency) => {
    const history = await run('none', consistency);
    const judgement = judge(history);
    expect(judgement.faults).toEqual([]);
    expect(judgement.keys).toBeGreaterThan(8);
    expect(judgement.outcomes.writes.ok).toBeGreaterThan(500);
    for (const outcome of ['pending', 'definite', 'indefinite'] as const)
      expect(judgement.outcomes.writes[outcome]).toBeGreaterThan(10);
  });

  it.each([
    ['stale reads', 'stale', 'strong'],
    ['reads that go back', 'stale', 'session'],
    ['lost writes', 'lost', 'strong'],
    ['lost writes', 'lost', 'session'],
    ['definite failures that happened', 'lying', 'strong'],
    ['definite failures that happened', 'lying', 'session'],
  ] as const)('a store with %s (%s) is found out, %s', async (_name, fault, consistency) => {
    expect(judge(await run(fault, consistency)).faults.length).toBeGreaterThan(0);
  });

  it('keys are rotated below the limits of the checker and read at the end', async () => {
    const history: History = await run('none', 'strong');
    for (const [key, operations] of byKey(history)) {
      expect(operations.length).toBeLessThanOrEqual(historyLimits.operationsPerKeyMax);
      expect(operations.filter(isUnresolvedWrite).length).toBeLessThanOrEqual(historyLimits.unresolvedWritesPerKeyMax);
      expect({ key, by: operations.at(-1)?.client }).toEqual({ key, by: 'auditor' });
    }
  });

  it('says of a failed operation why it failed, of reads and of writes', () => {
    const asked = { client: 'c', key: 'k', invokedAtNs: 0, completedAtNs: 1 } as const;
    const judgement = judge([
      { ...asked, op: 'get', outcome: 'definite', reason: 'LVUNAVAILABLE nobody' },
      { ...asked, op: 'set', value: 'get', outcome: 'indefinite', reason: 'no answer: x get ' },
      { ...asked, op: 'del', outcome: 'definite', reason: 'get away' },
    ]);
    expect(reasonsOf(judgement, 'reads')).toEqual(['1 x get definite: LVUNAVAILABLE nobody']);
    expect(reasonsOf(judgement, 'writes')).toEqual([
      '1 x set indefinite: no answer: x get ',
      '1 x del definite: get away',
    ]);
  });

  it('a key is never open to more unknown outcomes than the checker takes', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('write', 'lose', 'answer'), { maxLength: 400 }), (steps) => {
        const ring = new KeyRing('k', 1, () => 0);
        let key = ring.pick();
        for (const step of steps) {
          if (step === 'write') {
            key = ring.pick();
            if (ring.mayWrite(key, false)) key.openWrites += 1;
          } else if (key.openWrites > 0) {
            key.openWrites -= 1;
            if (step === 'lose') key.unresolvedWrites += 1;
          }
          expect(key.unresolvedWrites + key.openWrites).toBeLessThanOrEqual(rotateAt.unresolvedWrites);
        }
        for (const { operations } of ring.all) expect(operations).toBeLessThanOrEqual(rotateAt.operations);
      }),
    );
  });

  it.each([
    ['LVDEFINITE', 'set', 'definite'],
    ['LVINDEFINITE', 'set', 'indefinite'],
    ['LVPENDING', 'set', 'pending'],
    ['LVPENDING', 'get', 'indefinite'],
    ['LVLIMIT', 'set', 'definite'],
    ['LVSTOPPING', 'set', 'definite'],
    ['ERR', 'set', 'indefinite'],
    ['LVSOMETHINGNEW', 'set', 'indefinite'],
    [undefined, 'set', 'indefinite'],
  ] as const)('%s for a %s is %s', (code, op, outcome) => {
    expect(outcomeOfCode(code, op)).toBe(outcome);
  });
});
